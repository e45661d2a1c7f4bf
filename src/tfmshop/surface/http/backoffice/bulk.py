"""Many changes in one request, each on its own: what is refused stops no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import Kind, ShopError, TookTooLong

_OF_ONE: Final = (Kind.CONFLICT, Kind.NOT_FOUND, Kind.FORBIDDEN)
K = TypeVar("K")
T = TypeVar("T")


ENOUGH: Final = 10.0
"""Seconds after which the rest is left as it was: a request has a deadline, after which nobody hears what was done."""


async def each(keys: Sequence[K], change: Callable[[K], Awaitable[T]], refused: Callable[[K, ShopError], T]) -> list[T]:
    """What became of each, in their order: what `change` made of it, or `refused` of the error why it stayed as it was.

    When the shop itself fails, the rest have the error of that; when nothing was changed before, it is raised. What is
    left after `ENOUGH` has `TookTooLong`.
    """
    done: list[T] = []
    changed = False
    until = monotonic() + ENOUGH
    for key in keys:
        if monotonic() > until:
            return done + [refused(left, TookTooLong()) for left in keys[len(done) :]]
        try:
            done.append(await change(key))
            changed = True
        except ShopError as error:
            done.append(refused(key, error))
            if error.kind in _OF_ONE or isinstance(error, TookTooLong):
                continue
            if not changed:
                raise
            return done + [refused(left, error) for left in keys[len(done) :]]
    return done
