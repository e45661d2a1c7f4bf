"""Files in an object store: S3 and whatever speaks its protocol, through obstore (the extra `s3`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmshop.platform.files.keys import key_of, kind_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class ObjectFiles:
    """A store of immutable files in a bucket; credentials come from the usual AWS_ variables."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str) -> ObjectFiles:
        """The store at an address such as `s3://bucket/folder`."""
        from obstore.store import from_url

        return cls(from_url(url))

    def put(self, content: bytes, kind: str) -> str:
        """Keep `content`; its key."""
        key = key_of(content, kind)
        self.keep(key, content)
        return key

    def keep(self, key: str, content: bytes) -> None:
        """Keep `content` under `key`."""
        if kind_of(key):
            self._store.put(key, content, attributes={"Content-Type": kind_of(key) or ""})

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The content and its media type, or None when there is no such file."""
        kind = kind_of(key)
        if kind is None:
            return None
        try:
            return bytes(self._store.get(key).bytes()), kind
        except FileNotFoundError:
            return None
