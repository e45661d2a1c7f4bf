"""Alerts about what customers get: errors, slow answers, crowds, and a cache that does not help."""

from __future__ import annotations

from typing import Final

from tfmshop.platform import Config, measures
from tfmshop.platform.observe import process
from tfmshop.platform.observe.alerts import Age, Alert, Limit, Now, Quantile, Rate, Ratio, Selector

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
REQUEST: Final = "http_server_request_duration_seconds"
FAILED: Final = Selector(REQUEST, one_of=(("http_response_status_code", ("5*",)),))
ANSWERED: Final = Selector(REQUEST)
LOOKUPS: Final = Selector(measures.LOOKUPS.name)
FOUND: Final = Selector(measures.LOOKUPS.name, one_of=(("outcome", ("hit", "shared")),))

LONG_ENOUGH: Final = Limit(Age(Selector(process.STARTED.name, over="min")), ">", 7 * MINUTE)
"""What is compared with minutes ago says nothing of a shop that was not there then."""


def _failing(seconds: float) -> Ratio:
    return Ratio(Rate(FAILED, seconds), Rate(ANSWERED, seconds))


def _hits(seconds: float, offset: float = 0.0) -> Ratio:
    return Ratio(Rate(FOUND, seconds, offset), Rate(LOOKUPS, seconds, offset))


def failing(config: Config) -> list[Alert]:
    """Errors and slow answers. Burn rates are those of Google's "Site Reliability Workbook", chapter 5: 14.4 times the
    budget of a month over an hour, 6 times over six.
    """
    most, slow = config.number("ALERT_ERRORS") / 100, config.seconds("ALERT_RESPONSE")
    budget = 1 - config.number("ALERT_AVAILABILITY") / 10_000
    fast, steady = 14.4 * budget, 6 * budget
    return [
        Alert(
            "Errors", [Limit(_failing(MINUTE), ">", most, 0.8 * most), Limit(Rate(FAILED, MINUTE), ">", 0.1)],
            30, "critical", "{value} of requests fail.", "See `tfmshop logs errors`.", "%",
        ),
        Alert(
            "ErrorBudgetFast",
            [Limit(_failing(HOUR), ">", fast), Limit(_failing(5 * MINUTE), ">", fast),
             Limit(Rate(FAILED, 5 * MINUTE), ">", 0.05)],
            60, "critical", "{value} of the requests of an hour failed: the errors of two days, in an hour.",
            "See `tfmshop logs errors`, and take back what was changed last.", "%",
        ),
        Alert(
            "ErrorBudgetSlow",
            [Limit(_failing(6 * HOUR), ">", steady), Limit(_failing(30 * MINUTE), ">", steady),
             Limit(Rate(FAILED, 30 * MINUTE), ">", 0.01)],
            900, "warning", "{value} of the requests of six hours failed.",
            "See `tfmshop logs errors --since 6h`.", "%",
        ),
        Alert(
            "SlowAnswers",
            [Limit(Quantile(0.95, ANSWERED, 2 * MINUTE), ">", slow, 0.8 * slow),
             Limit(Rate(ANSWERED, 2 * MINUTE), ">", 0.1)],
            30, "warning", "95 of 100 requests take up to {value}.",
            "See `tfmshop logs slow` and `tfmshop db queries --by p95`.", "ms",
        ),
    ]  # fmt: skip


def crowded() -> list[Alert]:
    """More requests than usual, or than there is room for, and a cache that does not help."""
    refused = Selector(measures.TURNED_AWAY.name)
    return [
        Alert(
            "TrafficSpike",
            [Limit(Ratio(Rate(ANSWERED, MINUTE), Rate(ANSWERED, 5 * MINUTE, 2 * MINUTE)), ">", 4, 3),
             Limit(Rate(ANSWERED, MINUTE), ">", 20), LONG_ENOUGH],
            30, "warning", "There are {value} times as many requests as a while ago.",
            "See `tfmshop logs access` for who asks; RATE_LIMIT_* hold single clients back.",
        ),
        Alert(
            "RefusedForLoad", [Limit(Rate(refused, MINUTE), ">", 1)], 60, "critical",
            "{value} requests are refused because there is too much to do.",
            "Add WORKERS or machines; see `tfmshop db activity` for what holds them up.", "/s",
        ),
        Alert(
            "HitRateDropped",
            [Limit(_hits(MINUTE), "<", 0.7, 0.8), Limit(_hits(5 * MINUTE, 2 * MINUTE), ">", 0.8),
             Limit(Rate(LOOKUPS, MINUTE), ">", 5), LONG_ENOUGH],
            30, "warning", "Only {value} of pages are found in the cache; it was more a while ago.",
            "See `tfmshop cache stats` and `tfmshop optimize cache`: many changes, or a cache that was emptied.", "%",
        ),
        Alert(
            "CacheDeaf", [Limit(Now(Selector(measures.HEARS.name, over="min")), "<", 1)], 60, "warning",
            "A web server does not hear of changes and goes without its cache.",
            "Its connection for LISTEN is broken: DATABASE_URL must not go through a pooler that hides it.",
        ),
    ]  # fmt: skip
