"""What staff did, for those who may see it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get
from litestar.params import Parameter

from tfmshop.commerce import audit
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import Limit


class Entries(msgspec.Struct, frozen=True):
    """What was done, the newest first."""

    items: list[audit.Entry]


@get("/audit", summary="List what staff did", tags=["admin: audit"], opt=needs("audit"))
async def list_entries(
    request: AnyRequest,
    limit: Limit = 20,
    before: Annotated[int | None, Parameter(ge=1, le=2**63 - 1, description="Only smaller numbers.")] = None,
    subject: Annotated[str | None, Parameter(max_length=500, description="Only what was done to this.")] = None,
    who: Annotated[str | None, Parameter(max_length=100, description="Only what this person did.")] = None,
) -> Entries:
    """What was done to one subject, by one person, or all of it; go on with `before` the last entry's number.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Entries(await audit.listed(tx, limit=limit, before=before, subject=subject, who=who))


ROUTES = [list_entries]
