"""The catalogue as a file, for staff, in a stream of any length."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

from litestar import get
from litestar.params import Parameter
from litestar.response import Stream

from tfmshop.commerce import transfer
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.context import AnyRequest, shop_of

MEDIA: Final = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


@get("/exports/products", summary="Export the catalogue", tags=["admin: catalogue"],
     opt=needs("catalog") | {"gives": [*MEDIA.values()]})  # fmt: skip
async def export_products(
    request: AnyRequest,
    format: Annotated[Literal["csv", "jsonl"], Parameter(description="What `POST /admin/imports` reads back.")] = "csv",
) -> Stream:
    """Every product, on sale or not, in a stream of any length.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    db, head = shop_of(request).platform.db, request.scope["state"]["head"]

    async def pieces() -> AsyncIterator[bytes]:
        if not head:
            async for _, piece in transfer.export(db, format):
                yield piece

    headers = {"content-disposition": f'attachment; filename="products.{format}"'}
    return Stream(pieces(), media_type=MEDIA[format], headers=headers)


ROUTES = [export_products]
