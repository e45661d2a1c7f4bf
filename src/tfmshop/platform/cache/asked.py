"""What was asked for and how often: counted in memory, written behind the answers, and lost neither by a clean stop nor
by a database that is away for a while.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from tfmshop.platform import clock
from tfmshop.platform.db import Database, Query, Tx
from tfmshop.platform.errors import Kind, ShopError

MOST_KEYS: Final = 50_000
"""Different things that are counted between two writings; one more is not."""
LONGEST_KEY: Final = 500
"""Characters of what is counted: nobody asks twice for what is longer."""
AT_ONCE: Final = 1000
HALVED: Final = timedelta(days=1)
"""What was asked for yesterday counts half of what is asked for today."""
FORGOTTEN_BELOW: Final = 0.5

ADD = Query(
    "platform.add_asked",
    """
INSERT INTO platform.asked AS a (key, times, at)
SELECT key, times, $3 FROM unnest($1::text[], $2::float8[]) AS n(key, times) ORDER BY key
ON CONFLICT (key) DO UPDATE SET at = $3, times = excluded.times
    + a.times * power(0.5, extract(epoch FROM $3 - a.at) / extract(epoch FROM $4::interval))
""",
)
MOST_ASKED = Query(
    "platform.most_asked",
    """
SELECT key, times * power(0.5, extract(epoch FROM $2 - at) / extract(epoch FROM $3::interval)) AS times
FROM platform.asked ORDER BY times DESC, key LIMIT $1
""",
)
FORGET = Query(
    "platform.forget_asked",
    """
DELETE FROM platform.asked
WHERE times * power(0.5, extract(epoch FROM $1 - at) / extract(epoch FROM $2::interval)) < $3
""",
)


log = structlog.get_logger("cache")


class Asked:
    """How often keys were asked for since they were written last."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, key: str, times: int = 1) -> None:
        """Count a key."""
        counts = self.counts
        if len(key) > LONGEST_KEY:
            return
        if key in counts or len(counts) < MOST_KEYS:
            counts[key] = counts.get(key, 0) + times

    async def write(self, db: Database) -> None:
        """Add what was counted to what the database has; what it does not take is kept for the next time."""
        counts, self.counts = self.counts, {}
        left = sorted(counts.items())
        try:
            while left:
                some = dict(left[:AT_ONCE])
                async with db.tx() as tx:
                    await tx.execute(ADD, list(some), list(map(float, some.values())), clock.now(), HALVED)
                left = left[AT_ONCE:]
        except ShopError as error:
            if error.kind is not Kind.UNAVAILABLE:
                left = left[AT_ONCE:]
                log.error("what was asked for is not counted", reason=str(error))
        finally:
            for key, times in left:
                self.add(key, times)


async def most_asked(tx: Tx, count: int) -> list[tuple[str, float]]:
    """The keys that were asked for most of late, by all processes, with how often that counts now."""
    return [(row["key"], row["times"]) for row in await tx.rows(MOST_ASKED, count, clock.now(), HALVED)]


async def forget(tx: Tx) -> None:
    """Drop what nobody asked for in a long time."""
    await tx.execute(FORGET, clock.now(), HALVED, FORGOTTEN_BELOW)
