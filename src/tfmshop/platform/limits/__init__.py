"""How often somebody may ask or try something, counted for every process, and who is kept out for a while.

Requests are counted in Redis, passwords and the like exactly in PostgreSQL.
"""

from tfmshop.platform.limits.admission import Admission, Line, Overloaded, idle
from tfmshop.platform.limits.counted import Counted, Tier
from tfmshop.platform.limits.rates import Rates, Slower
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
    "Admission",
    "Allowance",
    "Block",
    "Counted",
    "Line",
    "Overloaded",
    "Rates",
    "Refusal",
    "Slower",
    "Tier",
    "TooManyTries",
    "block",
    "blocks",
    "forget",
    "give_back",
    "idle",
    "lift",
    "note",
    "take",
]
