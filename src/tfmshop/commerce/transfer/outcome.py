"""What an import did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tfmshop.commerce.transfer.difference import ProductChange

MOST_TOLD: Final = 1000
"""How many rejected rows, and how many differences, are told; the reject file has all rows."""


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
