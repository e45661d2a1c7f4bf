"""Alerts about PostgreSQL and Redis: whether they are there, connections, statements, and what must never be false."""

from __future__ import annotations

from typing import Final

from tfmshop.platform import Config, checks, measures
from tfmshop.platform.db import query, replicas, slow, truth
from tfmshop.platform.observe.alerts import Alert, Forecast, Limit, Mean, Now, Rate, Ratio, Selector
from tfmshop.surface.alerts.answers import MINUTE

FULL: Final = Selector(measures.FULL.name, over="max")


def servers() -> list[Alert]:
    """Servers that do not answer, and connections that run out."""

    def up(name: str) -> Selector:
        return Selector(checks.UP.name, (("dependency", name),), over="min")

    return [
        Alert(
            "DatabaseDown", [Limit(Now(up("postgresql")), "<", 1)], 10, "critical", "PostgreSQL does not answer.",
            "Only cached pages are shown. Start PostgreSQL, or see why it is not reached: `tfmshop doctor`.",
        ),
        Alert(
            "RedisDown", [Limit(Now(up("redis")), "<", 1)], 15, "warning",
            "Redis does not answer: each process caches and counts by itself.",
            "Start Redis; nothing else is needed.",
        ),
        Alert(
            "ReplicaLeftOut",
            [Limit(Now(Selector(replicas.USED.name, by=("replica",), over="min")), "<", 1)], 60, "warning",
            "Nothing is read on the replica {replica}: the primary does its work.",
            "`/health` and `tfmshop logs errors` say why; `tfmshop doctor` looks at it.",
        ),
        Alert(
            "PoolFull", [Limit(Mean(FULL, 30), ">", 0.8, 0.6)], 30, "warning",
            "{value} of the connections of a process are in use.",
            "See `tfmshop db activity` and `tfmshop db locks`; then DB_POOL_MAX or WORKERS.", "%",
        ),
        Alert(
            "PoolFillsUp",
            [Limit(Forecast(FULL, 10 * MINUTE, 20 * MINUTE), ">", 1), Limit(Mean(FULL, MINUTE), ">", 0.5)],
            300, "warning", "In 20 minutes all connections will be in use, if it goes on so.",
            "See `tfmshop db activity` for what holds them longer and longer.",
        ),
        Alert(
            "NoConnection", [Limit(Rate(Selector(measures.TIMED_OUT.name), MINUTE), ">", 0.1)], 15, "critical",
            "{value} requests find no connection to PostgreSQL in time.",
            "See `tfmshop db activity` and `tfmshop db locks`.", "/s",
        ),
    ]  # fmt: skip


def statements(config: Config) -> list[Alert]:
    """Statements that are slow, and data that is wrong."""
    part, by = config.number("ALERT_SLOW_QUERIES") / 100, ("db_query_summary",)
    slow_ones, calls = Selector(slow.SLOW.name, by=by), Selector(query.DURATION.name, by=by)
    return [
        Alert(
            "SlowQueries",
            [Limit(Ratio(Rate(slow_ones, 2 * MINUTE), Rate(calls, 2 * MINUTE)), ">", part, 0.8 * part),
             Limit(Rate(slow_ones, 2 * MINUTE), ">", 3 / 120)],
            15, "warning", "{value} of {db_query_summary} take longer than SLOW_QUERY.",
            "See `tfmshop logs slow` for its plan, and `tfmshop optimize database`.", "%",
        ),
        Alert(
            "TruthBroken", [Limit(Now(Selector(truth.BROKEN.name, over="max")), ">", 0)], 0, "critical",
            "{value} things are false about the data that must never be.", "See `tfmshop doctor`.",
        ),
    ]  # fmt: skip
