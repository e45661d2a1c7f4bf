"""Pictures and other files in a local folder, under names that cannot leave it."""

from __future__ import annotations

from pathlib import Path

from tfmshop.platform import ids
from tfmshop.platform.files.keys import key_of, kind_of


class LocalFiles:
    """A store of immutable files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes, kind: str) -> str:
        """Keep `content`; its key."""
        key = key_of(content, kind)
        self.keep(key, content)
        return key

    def keep(self, key: str, content: bytes) -> None:
        """Keep `content` under `key`, whole or not at all."""
        path = self._folder / key
        if kind_of(key) and not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"{ids.request_id()}.part")
            unfinished.write_bytes(content)
            unfinished.rename(path)

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The content and its media type, or None when there is no such file."""
        kind = kind_of(key)
        path = self._folder / key
        return (path.read_bytes(), kind) if kind and path.is_file() else None
