"""Files of products, for staff: tried, looked at, applied, taken back."""

from __future__ import annotations

import re
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import Parameter

from tfmshop.commerce import transfer
from tfmshop.platform import cursors
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, WrongContentType, shop_of
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import Cursor, Limit
from tfmshop.surface.http.tiers import limited

FILES: Final = ["text/csv", "application/x-ndjson", "application/octet-stream"]
_NAME: Final = r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,55}\.(csv|jsonl|ndjson|json)(\.(gz|bz2))?$"
FileName = Annotated[
    str, Parameter(max_length=80, schema_extra={"pattern": _NAME},
                   description="Tells what it is: ends in `.csv` or `.jsonl`, or in either and `.gz`.")
]  # fmt: skip
HowRead = Annotated[str, Parameter(max_length=6000, description="A mapping in TOML, where columns have other names.")]
Force = Annotated[
    bool, Parameter(description="Also where a product was changed since, or the import broke off on its way.")
]


class Imports(msgspec.Struct, frozen=True):
    """A page of imports, the newest first."""

    items: list[transfer.staged.Staged]
    next_cursor: str | None


@post("/imports", summary="Send a file of products", tags=["admin: catalogue"], status_code=202,
      opt=needs("catalog") | {"takes": FILES} | limited("upload"))  # fmt: skip
async def send_import(request: AnyRequest, file: FileName, mapping: HowRead = "") -> transfer.staged.Shown:
    """Keep a file of at most 12 MiB (JSON lines or CSV, Shopify's, too; also compressed) and try it: nothing changes.

    What it would do is there when the import is `tried`.

    Errors: `bad_mapping`, `unsupported_media_type`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FILES:
        raise WrongContentType(given=kind[:100] or "nothing", wanted=" or ".join(FILES))
    if re.fullmatch(_NAME, file, re.IGNORECASE) is None:
        raise InvalidField("file", "A name of at most 56 letters and .csv or .jsonl, perhaps with .gz or .bz2.")
    try:
        how = transfer.Mapping.read(mapping)
    except transfer.BadImport as error:
        raise transfer.errors.BadMapping(why=str(error)[:300]) from None
    content, shop = await request.body(), shop_of(request)

    async def work(tx: Tx) -> transfer.staged.Shown:
        id = await transfer.staged.keep(tx, file, content, how, shop.currency)
        await noted(request, tx, "imports.send", id, after={"file": file, "size": len(content), "mapping": mapping})
        return await transfer.staged.show(tx, id)

    return await shop.platform.db.transact(work)


@get("/imports", summary="List imports", tags=["admin: catalogue"], opt=needs("catalog"))
async def list_imports(request: AnyRequest, limit: Limit = 20, cursor: Cursor = None) -> Imports:
    """Imports that staff sent, the newest first.

    Errors: `bad_cursor`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    before = cursors.moment_and_id(cursor) if cursor else cursors.AFTER_ALL
    found = await shop_of(request).platform.db.look_up(lambda tx: transfer.staged.newest(tx, limit + 1, before))
    items, last = found[:limit], found[limit - 1] if len(found) > limit else None
    return Imports(items, cursors.seal(last.created_at.isoformat(), last.id) if last else None)


@get("/imports/{import_id:uuid}", summary="Show an import", tags=["admin: catalogue"], opt=needs("catalog"))
async def show_import(request: AnyRequest, import_id: UUID) -> transfer.staged.Shown:
    """How far an import is, and what it would do, by product and field (the first 1,000).

    Errors: `import_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return await transfer.staged.show(tx, import_id)


@post("/imports/{import_id:uuid}/apply", summary="Let an import in", tags=["admin: catalogue"], status_code=202,
      opt=needs("catalog"))  # fmt: skip
async def apply_import(request: AnyRequest, import_id: UUID) -> transfer.staged.Shown:
    """Do what was tried, or go on after a failure, as one job.

    Errors: `import_not_found`, `import_not_ready`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> transfer.staged.Shown:
        before = await transfer.staged.apply(tx, import_id)
        await noted(request, tx, "imports.apply", import_id, before={"state": before}, after={"state": "applying"})
        return await transfer.staged.show(tx, import_id)

    return await shop_of(request).platform.db.transact(work)


@post("/imports/{import_id:uuid}/undo", summary="Take an import back", tags=["admin: catalogue"], status_code=202,
      opt=needs("catalog"))  # fmt: skip
async def undo_import(request: AnyRequest, import_id: UUID, force: Force = False) -> transfer.staged.Shown:
    """Take a whole import back, as one job: what it changed is as before, what it added is gone.

    Errors: `import_not_found`, `import_not_ready`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> transfer.staged.Shown:
        before = await transfer.staged.take_back(tx, import_id, force=force)
        after = {"state": "undoing", "force": force}
        await noted(request, tx, "imports.undo", import_id, before={"state": before}, after=after)
        return await transfer.staged.show(tx, import_id)

    return await shop_of(request).platform.db.transact(work)


ROUTES = [send_import, list_imports, show_import, apply_import, undo_import]
