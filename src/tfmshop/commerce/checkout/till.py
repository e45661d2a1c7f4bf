"""Where orders are placed and settled: those of buyers who come at the same moment share a transaction.

One commit, one round trip for each statement, and a row that all of them want locked once. Each order keeps its own
outcome: one that cannot be placed, for whatever reason, gives the shared transaction up; it goes on alone, as if nobody
else had been there, and the others go together again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Final, TypeVar

from tfmshop.commerce import orders
from tfmshop.commerce.checkout.place import Begun, Placing, Spoiled, place_all
from tfmshop.platform.db import Database, NoAnswer
from tfmshop.platform.errors import Busy, DatabaseUnavailable, TookTooLong
from tfmshop.platform.security.seals import Seals
from tfmshop.platform.together import Together

CONNECTIONS: Final = 4
"""Connections that checkouts of one process use at once: a rush leaves the others to those who browse."""
AT_ONCE: Final = 2
"""Transactions of many orders at once: while one waits for the database, the next is made ready."""
MOST: Final = 32
"""Orders in a transaction: it stays short."""
TRIES: Final = 2
"""How often orders are tried together, without those that spoiled it, before each goes alone."""
PATIENCE_SECONDS: Final = 10.0
"""How long a checkout waits for its turn before the shop says that it is busy."""

T = TypeVar("T")
R = TypeVar("R")


class Till:
    """Places and settles orders on a database, together where several come at once; `seals` make guests' tokens."""

    def __init__(self, db: Database, seals: Seals) -> None:
        self.seals = seals
        self.db = db.share("checkout", maximum=CONNECTIONS, patience_seconds=PATIENCE_SECONDS)
        together = partial(Together, at_once=AT_ONCE, most=MOST, patience_seconds=PATIENCE_SECONDS)
        self._placing: Together[Placing, Begun] = together(self._place, marks=_marks)
        self._settling: Together[orders.paying.Settlement, None] = together(
            self._settle, marks=lambda one: (one.order_id,)
        )

    async def place(self, placing: Placing) -> Begun:
        """Place an order, once for its key; nothing changed after an error."""
        return await self._placing.do(placing)

    async def settle(self, settlement: orders.paying.Settlement) -> None:
        """Mark an order as paid. `CannotMove` when it is not an unpaid order any more."""
        await self._settling.do(settlement)

    async def _place(self, wanted: list[Placing]) -> list[Begun | Exception]:
        return await _fairly(self._place_all, wanted)

    async def _place_all(self, wanted: list[Placing]) -> list[Begun | Exception]:
        return await self.db.transact(partial(place_all, wanted=wanted, seals=self.seals))

    async def _settle(self, wanted: list[orders.paying.Settlement]) -> list[Exception | None]:
        return await _fairly(self._settle_all, wanted)

    async def _settle_all(self, wanted: list[orders.paying.Settlement]) -> Sequence[Exception | None]:
        async with self.db.read() as tx:
            return await orders.paying.settle(tx, wanted)


async def _fairly(work: Callable[[list[T]], Awaitable[Sequence[R]]], wanted: list[T]) -> list[R | Exception]:
    """Outcomes of work on all of `wanted` together, and of those that spoil it on each alone."""
    outcomes: dict[int, R | Exception] = {}
    alone: list[int] = []
    rest = list(range(len(wanted)))
    for _ in range(TRIES):
        if len(rest) < 2:
            break
        try:
            outcomes.update(zip(rest, await work([wanted[n] for n in rest]), strict=True))
            rest = []
        except Spoiled as spoiled:
            alone += [rest[n] for n in spoiled.errors]
            rest = [n for n in rest if n not in alone]
        except (DatabaseUnavailable, Busy, NoAnswer):
            raise
        except Exception:  # noqa: BLE001 - whose fault it is comes out when each goes alone
            break
    alone += rest
    singly = await asyncio.gather(*[_alone(work, wanted[n]) for n in alone], return_exceptions=True)
    for n, found in zip(alone, singly, strict=True):
        outcomes[n] = _only(found)
    return [outcomes[n] for n in range(len(wanted))]


async def _alone(work: Callable[[list[T]], Awaitable[Sequence[R]]], one: T) -> Sequence[R]:
    """Work on one; once more when its turn at a row that many want came too late, which changed nothing."""
    try:
        return await work([one])
    except TookTooLong:
        return await work([one])


def _only(found: Sequence[R] | BaseException) -> R | Exception:
    """The outcome of one that went alone."""
    if isinstance(found, Spoiled):
        return found.errors[0]
    if isinstance(found, Exception):
        return found
    if isinstance(found, BaseException):
        raise found
    return found[0]


def _marks(placing: Placing) -> tuple[Hashable, ...]:
    """What must differ within a transaction: the cart, and the key."""
    key = placing.purchase.key
    return placing.purchase.cart_id, (key.scope, key.value)
