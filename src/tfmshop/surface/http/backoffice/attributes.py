"""What specifications mean in a category, for staff."""

from __future__ import annotations

import msgspec
from litestar import delete, get, put

from tfmshop.commerce import catalog
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of

TAGS = ["admin: catalogue"]


class Definitions(msgspec.Struct, frozen=True):
    """What specifications mean in a category, by name; those of the categories above it among them."""

    items: list[catalog.attributes.Definition]


class Meant(msgspec.Struct, forbid_unknown_fields=True):
    """What a specification means: only a `number` has a `unit`."""

    label: catalog.attributes.Label
    kind: catalog.attributes.Kind = "text"
    unit: catalog.attributes.Unit | None = None


@get("/categories/{id_or_slug:str}/attributes", summary="List attributes", tags=TAGS, opt=needs("catalog"))
async def list_attributes(request: AnyRequest, id_or_slug: str) -> Definitions:
    """What specifications mean in a category.

    Errors: `category_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Definitions(await catalog.attributes.listed(tx, id_or_slug))


@put("/categories/{id_or_slug:str}/attributes/{name:str}", summary="Define an attribute", tags=TAGS,
     opt=needs("catalog"))  # fmt: skip
async def define_attribute(request: AnyRequest, id_or_slug: str, name: str, data: Meant) -> Definitions:
    """Say what a specification means in a category and below it. What is written from now on is checked.

    Errors: `category_not_found`, `bad_specification`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    definition = catalog.attributes.defined(name, data.label, data.kind, data.unit)

    async def work(tx: Tx) -> Definitions:
        id = await catalog.arrange.held(tx, id_or_slug)
        before = await catalog.attributes.own(tx, id, name)
        await catalog.attributes.define(tx, str(id), definition)
        await noted(request, tx, "attributes.define", f"{id} {name}", before=before, after=definition)
        return Definitions(await catalog.attributes.listed(tx, str(id)))

    return await shop_of(request).platform.db.transact(work)


@delete("/categories/{id_or_slug:str}/attributes/{name:str}", summary="Take out an attribute", tags=TAGS,
        opt=needs("catalog"))  # fmt: skip
async def drop_attribute(request: AnyRequest, id_or_slug: str, name: str) -> None:
    """From now on the specification means what it means above, or nothing. Products keep what they have.

    Errors: `category_not_found`, `attribute_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        id = await catalog.arrange.held(tx, id_or_slug)
        before = await catalog.attributes.own(tx, id, name)
        if not await catalog.attributes.drop(tx, str(id), name):
            raise catalog.errors.AttributeNotFound
        await noted(request, tx, "attributes.drop", f"{id} {name}", before=before)

    await shop_of(request).platform.db.transact(work)


ROUTES = [list_attributes, define_attribute, drop_attribute]
