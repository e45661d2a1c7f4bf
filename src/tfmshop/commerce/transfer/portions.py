"""A file in portions that are worked on at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tfmshop.commerce.transfer.read import Found

BATCH: Final = 500
BATCH_CHARACTERS: Final = 8 << 20
"""Products of a portion, and what their rows may be long together."""


def portion(products: Iterator[Found]) -> list[Found]:
    """The next portion of a file, empty at its end. It may take long to come to one: call it in a thread."""
    found: list[Found] = []
    characters = 0
    for product in products:
        found.append(product)
        characters += sum(len(line.raw) for line in product.lines)
        if len(found) >= BATCH or characters >= BATCH_CHARACTERS:
            break
    return found
