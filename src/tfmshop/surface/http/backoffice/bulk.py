"""Many changes in one request, each on its own: what is refused stops no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tfmshop.platform.errors import Kind, ShopError

K = TypeVar("K")
T = TypeVar("T")


async def each(keys: Sequence[K], change: Callable[[K], Awaitable[T]], refused: Callable[[K, ShopError], T]) -> list[T]:
    """What became of each, in their order: what `change` made of it, or `refused` of the error why it stayed as it was.

    When the shop itself fails, the rest have the error of that; when nothing was changed before, it is raised.
    """
    done: list[T] = []
    changed = False
    for key in keys:
        try:
            done.append(await change(key))
            changed = True
        except ShopError as error:
            done.append(refused(key, error))
            if error.kind in (Kind.CONFLICT, Kind.NOT_FOUND, Kind.FORBIDDEN):
                continue
            if not changed:
                raise
            return done + [refused(left, error) for left in keys[len(done) :]]
    return done
