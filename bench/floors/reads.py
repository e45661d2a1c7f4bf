"""Floor of P2: a bare ASGI callable that runs the product's own SQL through asyncpg's pool and encodes with msgspec.

No framework, no validation, no headers beyond the content type, no request id, no ETag, no log. The pool skips its
reset statement, so that a request costs one round trip here as well.
"""

from __future__ import annotations

import os
from typing import Any

import asyncpg
import msgspec

from tfmshop.commerce.catalog.store import SHOW_PRODUCT
from tfmshop.commerce.search.listing import LIST_PRODUCTS

_encode = msgspec.json.Encoder().encode
_headers = [(b"content-type", b"application/json")]

LIST = LIST_PRODUCTS.of(("newest", "walk")).sql
CATEGORY = LIST_PRODUCTS.of(("newest", "category", "walk")).sql
DETAIL = SHOW_PRODUCT.sql


async def _no_reset(_: Any) -> None:
    pass


def money(amount: int | None, currency: str) -> dict[str, Any] | None:
    return None if amount is None else {"amount": amount, "currency": currency}


def item(row: Any, at: int) -> dict[str, Any]:
    currency = row[at + 8]
    return {
        "id": row[at], "slug": row[at + 1], "sku": row[at + 2], "external_id": row[at + 3], "title": row[at + 4],
        "brand": row[at + 5], "price": money(row[at + 6], currency), "compare_at_price": money(row[at + 7], currency),
        "rating": round(row[at + 9], 2), "review_count": row[at + 10], "in_stock": row[at + 11],
        "image": row[at + 12], "badge": row[at + 13],
    }  # fmt: skip


def page(rows: list[Any]) -> bytes:
    cursor = None
    total, exact = rows[0][0], rows[0][1]
    if len(rows) > 20:
        cursor = _encode(["newest", rows[19][3], rows[19][4], total, exact]).hex()
    return _encode(
        {"items": [item(row, 4) for row in rows[:20]], "next_cursor": cursor, "total": total,
         "total_is_exact": exact}
    )  # fmt: skip


def product(row: Any) -> bytes:
    card = item(row, 0)
    return _encode(
        card | {
            "model": row[14], "description": row[15], "tags": row[16], "specifications": msgspec.Raw(row[17].encode()),
            "attributes": msgspec.Raw(row[26].encode()), "options": {}, "variants": msgspec.Raw(row[21].encode()),
            "pictures": msgspec.Raw(row[23].encode()), "breadcrumbs": msgspec.Raw(row[24].encode()),
            "reviews": {"rating": card["rating"], "count": card["review_count"]},
            "related": msgspec.Raw(row[25].encode()), "published_at": row[18], "updated_at": row[19],
            "version": row[20],
        }
    )  # fmt: skip


class App:
    """The callable; its pool is opened by the server's start-up event."""

    pool: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path = scope["path"]
        async with self.pool.acquire() as connection:
            if path.startswith("/products/"):
                body = product(await connection.fetchrow(DETAIL, None, path[10:]))
            elif path.startswith("/category/"):
                body = page(await connection.fetch(CATEGORY, path[10:], None, 21))
            else:
                body = page(await connection.fetch(LIST, 21))
        await send({"type": "http.response.start", "status": 200, "headers": _headers})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                size = int(os.environ.get("DB_POOL_MAX", "6"))
                self.pool = await asyncpg.create_pool(
                    os.environ["DATABASE_URL"], min_size=size, max_size=size, reset=_no_reset,
                    server_settings={"jit": "off", "enable_seqscan": "off"},
                )  # fmt: skip
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


def app() -> App:
    """What the server calls."""
    return App()
