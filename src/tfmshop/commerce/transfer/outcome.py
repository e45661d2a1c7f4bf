"""What an import did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tfmshop.commerce.transfer.difference import ProductChange
from tfmshop.platform import codec

MOST_TOLD: Final = 1000
"""How many rejected rows, and how many differences, are told; the reject file has all rows."""
MOST_TOLD_BYTES: Final = 4 << 20
"""How large the differences are together, as JSON."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be used."""

    line: int
    reason: str


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do; the first `problems`, and the first `changes` that a dry run found."""

    run: UUID | None = None
    created: int = 0
    updated: int = 0
    rejected: int = 0
    resumed_after_line: int = 0
    rejects_file: str | None = None
    problems: list[Rejected] = field(default_factory=list)
    changes: list[ProductChange] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    """The columns that nothing was read from."""
    _room: int = MOST_TOLD_BYTES

    def tell(self, changes: list[ProductChange]) -> None:
        """Add differences, as many as there is room for."""
        for change in changes[: MOST_TOLD - len(self.changes)]:
            self._room -= len(codec.encode(change))
            if self._room < 0:
                return
            self.changes.append(change)
