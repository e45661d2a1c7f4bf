"""What operators are told: key figures on each side of what they should be, exit codes, charts, degraded health."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.conftest import open_client
from tests.platform.test_analysis import SPOIL, run
from tests.processes import free_port, tfmshop
from tfmshop.platform import checks
from tfmshop.platform.observe.readings import Reading
from tfmshop.surface.cli.charts import HEIGHT, WIDTH, Line, lines
from tfmshop.surface.cli.monitor import _code, pulse_of
from tfmshop.surface.cli.source import Seen
from tfmshop.surface.kpis import kpis
from tfmshop.surface.pulse import pulse

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
QUIET = pulse(None, Reading(NOON, {}))
WELL = msgspec.structs.replace(
    QUIET, seconds=10.0, requests=10.0, errors=0.0, error_rate=0.0, p95_ms=20.0, query_ms=2.0, lookups=20,
    hit_rate=0.95, memory_used=10, memory_limit=100, pool_part=0.1,
)  # fmt: skip


def states(**figures) -> dict[str, str]:
    return {one.name: one.state for one in kpis(msgspec.structs.replace(WELL, **figures))}


def test_all_is_well_where_it_is():
    assert set(states().values()) == {"ok"}


@pytest.mark.parametrize(("name", "figures", "ok"), [
    ("95 % of responses", {"p95_ms": 499.9}, True), ("95 % of responses", {"p95_ms": 500.0}, False),
    ("mean query", {"query_ms": 99.9}, True), ("mean query", {"query_ms": 100.0}, False),
    ("cache hit rate", {"hit_rate": 0.901}, True), ("cache hit rate", {"hit_rate": 0.9}, False),
    ("errors", {"error_rate": 0.0099}, True), ("errors", {"error_rate": 0.01}, False),
    ("memory", {"memory_used": 84}, True), ("memory", {"memory_used": 85}, False),
    ("connections in use", {"pool_part": 0.79}, True), ("connections in use", {"pool_part": 0.8}, False),
])  # fmt: skip
def test_a_figure_is_bad_from_its_limit_on_and_no_other(name, figures, ok):
    assert [one for one, state in states(**figures).items() if state == "bad"] == ([] if ok else [name])


def test_of_few_requests_nothing_is_said():
    few = states(requests=1.9, lookups=19)
    assert {name for name, state in few.items() if state == "unknown"} == {
        "95 % of responses", "cache hit rate", "errors",
    }  # fmt: skip


def seen(status: str = "ok") -> Seen:
    return Seen(Reading(NOON, {}), {"status": status})


WARNS = {"severity": "warning", "silenced": False, "state": "firing"}


@pytest.mark.parametrize(("status", "figures", "alerts", "code"), [
    ("ok", {}, [], 0), ("degraded", {}, [], 1), ("down", {}, [], 2), ("ok", {"error_rate": 0.5}, [], 1),
    ("ok", {}, [WARNS], 1), ("ok", {}, [WARNS | {"severity": "critical"}], 2),
    ("ok", {}, [WARNS | {"severity": "critical", "silenced": True}], 0), ("down", {"error_rate": 0.5}, [WARNS], 2),
])  # fmt: skip
def test_the_exit_code_of_the_monitor_is_the_worst_that_is_the_case(status, figures, alerts, code):
    assert _code(seen(status), kpis(msgspec.structs.replace(WELL, **figures)), alerts) == code


def test_a_span_without_requests_tells_of_the_time_since_the_start():
    assert pulse_of(seen(), seen(), 3)[1] != "over 3 s"


def test_a_chart_goes_through_each_point_and_draws_no_line_of_one():
    at = [NOON + timedelta(seconds=n) for n in (0, 5, 10)]
    rising = Line("asked", [(at[0], 0.0), (at[1], 5.0), (at[2], 20.0)])
    drawn = lines("Requests", [rising, Line("once", [(at[0], 99.0)])], "a second").chart
    assert re.findall(r'points="([^"]+)"', drawn) == [
        f"0.0,{HEIGHT:.1f} {WIDTH / 2:.1f},{HEIGHT * 0.75:.1f} {WIDTH:.1f},0.0"
    ]
    alone = lines("Requests", [Line("a", [(at[0], 1.0)]), Line("b", [(at[1], 1.0)])], "a second")
    assert (alone.chart, alone.text) == ("", "Nothing was measured yet.")


async def test_without_redis_the_shop_is_degraded_and_says_why(settings, db, fake, monkeypatch):
    """200, because it works; however many ask at once, it looks once."""
    settings = settings.replace(REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    looks, look = [], checks.Checks._look

    async def counted(self):
        looks.append(self)
        await look(self)

    monkeypatch.setattr(checks.Checks, "_look", counted)
    async with open_client(settings, db, fake) as shop:
        looks.clear()
        await asyncio.sleep(checks.HOLDS_SECONDS + 0.05)
        answers = await asyncio.gather(*(shop.get("/health") for _ in range(20)))
        assert len(looks) == 1
        assert {answer.status_code for answer in answers} == {200}
        told = answers[0].json()
        assert told["status"] == "degraded"
        assert told["dependencies"]["postgresql"]["status"] == "ok"
        redis = told["dependencies"]["redis"]
        assert redis["status"] == "down"
        assert redis["last_error"]
        assert datetime.fromisoformat(redis["last_error_at"]).tzinfo is not None
        ready = await shop.get("/health/ready")
        assert ready.status_code == 200
        assert (await shop.get("products")).status_code == 200


async def test_what_was_spoiled_is_mended_by_command_and_told_in_each_form(fresh_url, tmp_path):
    await run(fresh_url, *SPOIL.strip().split(";\n"))
    for _ in range(3):
        await run(fresh_url, "UPDATE accounts.customer SET name = name || 'x'")
    settings = {"DATABASE_URL": fresh_url, "TFMSHOP_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}

    def told(*arguments: str) -> str:
        result = tfmshop("optimize", *arguments, cwd=tmp_path, **settings)
        assert result.returncode == 0, result.stderr
        return result.stdout

    kinds = {"missing index", "unused index", "stale statistics", "bloated table"}
    before = json.loads(told("database", "--json"))
    assert kinds <= {one["kind"] for one in before["study"]["advice"]}
    for form in ("text", "html", "json"):
        report = told("report", "--format", form)
        assert all(kind in report for kind in kinds), form
        assert "address_customer" in report
    assert form == "json"
    assert json.loads(report)
    for _ in range(20):  # figures come late, and tests beside this one hold transactions open
        tfmshop("optimize", "database", "--apply", cwd=tmp_path, **settings)
        await run(fresh_url, "SELECT 1")
        if not (left := json.loads(told("database", "--json"))["study"]["advice"]):
            break
        await asyncio.sleep(0.5)
    assert left == []
