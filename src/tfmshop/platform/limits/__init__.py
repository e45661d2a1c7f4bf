"""How often somebody may try something, counted exactly for every process, and who is kept out for a while."""

from tfmshop.platform.limits.tries import (
    Allowance,
    Block,
    Refusal,
    TooManyTries,
    block,
    blocks,
    forget,
    give_back,
    lift,
    note,
    take,
)

__all__ = [
    "Allowance",
    "Block",
    "Refusal",
    "TooManyTries",
    "block",
    "blocks",
    "forget",
    "give_back",
    "lift",
    "note",
    "take",
]
