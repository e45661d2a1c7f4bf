"""Pictures."""

from __future__ import annotations

from litestar import Response, get

from tfmshop.platform.errors import Kind, ShopError
from tfmshop.surface.http.context import AnyRequest, shop_of

FOREVER = "public, max-age=31536000, immutable"


class FileNotFound(ShopError, kind=Kind.NOT_FOUND, code="file_not_found", says="There is no such file."):
    """No file has that key."""


@get("/media/{key:str}", summary="A picture", tags=["media"], media_type="image/*", sync_to_thread=True)
def show_file(request: AnyRequest, key: str) -> Response[bytes]:
    """A picture by its key. The content of a key never changes.

    Errors: `file_not_found`.
    """
    found = shop_of(request).platform.files.get(key)
    if found is None:
        raise FileNotFound
    content, kind = found
    return Response(content, media_type=kind, headers={"cache-control": FOREVER})


ROUTES = [show_file]
