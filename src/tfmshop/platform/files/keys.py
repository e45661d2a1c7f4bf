"""Keys of files: a digest of the content, perhaps a width, and the kind. No other text reaches a store."""

from __future__ import annotations

import hashlib
import re
from typing import Final

KINDS: Final = {
    "svg": "image/svg+xml; charset=utf-8",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "png": "image/png",
    "avif": "image/avif",
}
_KEY: Final = re.compile(rf"[0-9a-f]{{32}}(?:\.\d{{1,4}})?\.({'|'.join(KINDS)})")


_ORIGINAL: Final = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(KINDS)})")


def is_original(key: str) -> bool:
    """Whether a key is one that `key_of` makes, not one derived from it."""
    return bool(_ORIGINAL.fullmatch(key))


def key_of(content: bytes, kind: str) -> str:
    """The key of content."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}.{kind}"


def kind_of(key: str) -> str | None:
    """The media type that a key tells, or None when it is no key of ours."""
    found = _KEY.fullmatch(key)
    return KINDS[found[1]] if found else None
