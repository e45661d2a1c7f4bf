"""Meaning: texts as lists of numbers that lie close together where the texts mean something similar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Model(Protocol):
    """What turns texts into numbers. Calls take time: run them in a thread."""

    name: str
    """Numbers of models with different names cannot be compared."""
    dimensions: int
    """How many numbers each text becomes."""

    def of(self, texts: Sequence[str]) -> list[list[float]]:
        """The numbers of each text, as a vector of length 1 (of length 0 when no word of it is known)."""
