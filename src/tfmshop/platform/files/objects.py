"""Files in an object store: S3 and whatever speaks its protocol, through obstore (the extra `s3`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.files.keys import key_of, kind_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = structlog.get_logger("files")


class FilesUnavailable(ShopError, kind=Kind.UNAVAILABLE, code="files_unavailable", says="Pictures cannot be reached."):
    """The object store does not answer, or refuses."""


class ObjectFiles:
    """A store of immutable files in a bucket; the address (`AWS_ENDPOINT_URL`, https unless it says http) and
    credentials come from the usual AWS_ variables. `FilesUnavailable`.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str) -> ObjectFiles:
        """The store at an address such as `s3://bucket/folder`."""
        from obstore.store import from_url

        patience = {"max_retries": 2, "retry_timeout": timedelta(seconds=4)}
        client = {"connect_timeout": "1s", "timeout": "5s", "allow_http": True}
        return cls(from_url(url, client_options=client, retry_config=patience))  # type: ignore[call-overload]

    def put(self, content: bytes, kind: str) -> str:
        """Keep `content`; its key."""
        key = key_of(content, kind)
        self.keep(key, content)
        return key

    def keep(self, key: str, content: bytes) -> None:
        """Keep `content` under `key`."""
        if kind_of(key):
            with _told():
                self._store.put(key, content, attributes={"Content-Type": kind_of(key) or ""})

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The content and its media type, or None when there is no such file."""
        kind = kind_of(key)
        if kind is None:
            return None
        with _told():
            try:
                return bytes(self._store.get(key).bytes()), kind
            except FileNotFoundError:
                return None


@contextmanager
def _told() -> Iterator[None]:
    """What an object store says, as an error of ours; the words go to the log."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        log.error("object store failed", error=str(error).partition("\n")[0])
        raise FilesUnavailable from None
