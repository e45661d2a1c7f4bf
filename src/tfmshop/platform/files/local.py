"""Pictures and other files in a local folder, under names that cannot leave it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

KINDS = {
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "png": "image/png",
    "avif": "image/avif",
}
_KEY = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(KINDS)})")


class LocalFiles:
    """A store of immutable files: the key is a digest of the content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes, kind: str) -> str:
        """Keep `content`; its key, such as `0f3a....svg`."""
        key = f"{hashlib.sha256(content).hexdigest()[:32]}.{kind}"
        path = self._folder / key
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(content)
            unfinished.rename(path)
        return key

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The content and its media type, or None when there is no such file."""
        if not _KEY.fullmatch(key):
            return None
        path = self._folder / key
        return (path.read_bytes(), KINDS[path.suffix[1:]]) if path.is_file() else None
