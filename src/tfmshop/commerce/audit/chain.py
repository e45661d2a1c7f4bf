"""Looking at the whole chain: is every entry as it was sealed, and is none missing?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from tfmshop.commerce.audit.log import sealed_part
from tfmshop.commerce.audit.store import CHAIN, HEAD, SEALS_OF, STRAY
from tfmshop.platform.db import Row, Tx
from tfmshop.platform.security.seals import Seals

BATCH: Final = 5000
PUT_IN: Final = "changed, or put in by somebody without the key"
SHOWN: Final = 100
"""Flaws that are named; of more, only the number is told."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """An entry that is not as it was, or entries that are not there."""

    number: int
    what: str


@dataclass(slots=True)
class Verified:
    """What was looked at: entries, the last one's number and seal (to be kept elsewhere and compared), and flaws."""

    entries: int = 0
    number: int = 0
    seal: str = ""
    flaws: list[Flaw] = field(default_factory=list)


async def verify(tx: Tx, seals: Seals, tell: Callable[[int], None] = lambda _: None) -> Verified:
    """Check the chain from its first entry to its last; `tell` hears how many were looked at.

    A chain that lost its end, and its head with it, is whole in itself: compare number and seal with ones that were
    kept elsewhere (`unlike`), such as in the log, which has them every five minutes.
    """
    found, number, seal = Verified(), 0, b""
    head = await tx.row(HEAD)
    last = head["number"] if head is not None else 0
    while rows := await tx.rows(CHAIN, number, BATCH, last):
        for row in rows:
            found.flaws += _flaws(seals, row, number, seal)
            number, seal = row["number"], row["seal"]
        found.entries += len(rows)
        tell(found.entries)
    if head is None or (head["number"], head["seal"]) != (number, seal):
        found.flaws.append(Flaw(number + 1, "the end is missing"))
    found.flaws += [Flaw(row["number"], PUT_IN) for row in await tx.rows(STRAY)]
    found.number, found.seal = number, seal.hex()
    return found


async def unlike(tx: Tx, marks: Collection[tuple[int, str]]) -> list[Flaw]:
    """Of entries' numbers and seals (or how these begin) that were kept elsewhere, those that are not there."""
    rows = await tx.rows(SEALS_OF, [number for number, _ in marks])
    seals = {row["number"]: row["seal"].hex() for row in rows}
    return [
        Flaw(number, f"it is not there with the seal {seal}, as it was once")
        for number, seal in sorted(marks)
        if not seals.get(number, "").startswith(seal.lower())
    ]


def _flaws(seals: Seals, row: Row, number: int, seal: bytes) -> list[Flaw]:
    flaws = []
    if row["number"] != number + 1:
        flaws.append(Flaw(number + 1, f"missing up to {row['number'] - 1}"))
    elif row["previous"] != seal:
        flaws.append(Flaw(row["number"], "the entry before it is another one"))
    said = tuple(row[name] for name in ("who", "action", "subject", "before", "after", "address", "request_id"))
    if row["seal"] != seals.seal(sealed_part(row["number"], row["at"], said, row["previous"])):
        flaws.append(Flaw(row["number"], PUT_IN))
    return flaws
