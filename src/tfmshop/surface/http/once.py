"""A write that adds something, done once however often it is sent: its key, effect and answer are one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from litestar import Response

from tfmshop.platform import codec, ids
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import ShopError
from tfmshop.platform.idempotency import Answer, Key, begin, remember
from tfmshop.surface.http.context import AnyRequest, shop_of

T = TypeVar("T")
NO_LEASE: Final = timedelta(0)
"""A crash takes the key back with the effect: nobody has to wait for it."""


async def once(
    request: AnyRequest, key: str | None, caller: str, work: Callable[[Tx], Awaitable[T]], *, status: int = 201
) -> Response[T]:
    """The answer of a write; sent again by the same caller with the same `Idempotency-Key`, the same bytes and nothing
    else. Without a key it is done each time. What failed is not remembered. `KeyReused`, `StillRunning`.
    """
    db = shop_of(request).platform.db
    if key is None:
        return Response(await db.transact(work), status_code=status)
    route = request.scope["path_template"]
    fingerprint = hashlib.sha256(request.scope["path"].encode() + b"\0" + await request.body()).digest()
    claimed = Key(f"{request.method} {route} {caller}", key, fingerprint)

    async def work_once(tx: Tx) -> Answer:
        (begun,) = await begin(tx, [(claimed, ids.new())], NO_LEASE)
        if isinstance(begun, ShopError):
            raise begun
        if isinstance(begun, Answer):
            return begun
        answer = Answer(status, codec.encode(await work(tx)))
        await remember(tx, claimed, answer)
        return answer

    answer = await db.transact(work_once)
    body: Any = answer.body
    return Response(
        body, status_code=answer.status, media_type="application/json",
        headers={"idempotent-replayed": "true"} if answer.replayed else {},
    )  # fmt: skip
