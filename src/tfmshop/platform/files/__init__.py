"""Files: rows to read, pictures to keep."""

from __future__ import annotations

from typing import Protocol


class Files(Protocol):
    """Where files that never change are kept, by a key such as `0f3a....webp`. Calls block: run them in a thread."""

    def put(self, content: bytes, kind: str) -> str:
        """Keep `content`; its key, a digest of the content."""

    def keep(self, key: str, content: bytes) -> None:
        """Keep `content` under a key that was made from another one's."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The content and its media type, or None when there is no such file."""
