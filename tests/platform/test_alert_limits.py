"""Where alerts begin: at the limits that settings give, at what will be, and in whose words somebody is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from tests.platform.test_alerts import AT, BAD, CALLS, FIRING, HTTP, OK, SETTINGS, SLOW, START, reading
from tests.receivers import listening
from tfmshop.config import SETTINGS as DECLARED
from tfmshop.platform.observe.alerts import Engine, Firing, channels
from tfmshop.platform.observe.metrics import METRICS
from tfmshop.platform.observe.readings import Family, Reading, Series
from tfmshop.platform.outgoing import Outgoing
from tfmshop.surface.alerts import alerts_of

DAY, HOUR, MINUTE = 86_400, 3600, 60
DONE = 'tfmshop_done_timestamp_seconds{what="%s"}'
USED, LIMIT = "tfmshop_memory_used_bytes", "tfmshop_memory_limit_bytes"
FREE, SIZE = "tfmshop_disk_free_bytes", "tfmshop_disk_size_bytes"

LIMITS = {
    "ALERT_ERRORS": ("Errors", {OK: lambda t: 90 * t, BAD: lambda t: 10 * t}, 9, 11),
    "ALERT_AVAILABILITY": ("ErrorBudgetFast", {OK: lambda t: 99 * t, BAD: lambda t: t}, 9995, 9990),
    "ALERT_SLOW_QUERIES": ("SlowQueries", {CALLS: lambda t: 10 * t, SLOW: lambda t: t}, 9, 11),
    "ALERT_MEMORY": ("MemoryHigh", {USED: lambda t: 80e9, LIMIT: lambda t: 100e9}, 79, 81),
    "ALERT_DISK_FREE": ("DiskLow", {FREE: lambda t: 20e9, SIZE: lambda t: 100e9}, 21, 19),
    "ALERT_JOB_AGE": ("JobStuck", {'tfmshop_jobs_running_seconds{task="news.letter"}': lambda t: 300.0}, 299, 301),
    "ALERT_BACKUP_HOURS": ("BackupLate", {DONE % "backup": lambda t: AT - 9.5 * HOUR}, 10, 11),
    "ALERT_DRILL_DAYS": ("DrillLate", {DONE % "drill": lambda t: AT - 3.5 * DAY}, 3, 4),
}
"""A setting, the alert it is about, what is the case, and where the limit must stand for it to fire, and not to."""
NOT_HERE = {"REPEAT_HOURS", "RESPONSE", "MAIL", "WEBHOOK", "WEBHOOK_SECRET", "SLACK"}
"""Whom they tell and how often; slow answers are tried by themselves."""


def fires(name: str, series: dict, minutes: int, step: int = 15, **limits: int) -> float | None:
    """The second at which an alert fires; None where it never does."""
    alarm = Engine([one for one in alerts_of(SETTINGS.replace(**limits)) if one.name == name], None, 3600)
    for at in range(0, minutes * MINUTE, step):
        alarm.tick(reading(at, {one: value(at) for one, value in series.items()}))
        if any(one.state == "firing" for one in alarm.shown()):
            return at
    return None


def test_every_limit_that_can_be_set_is_tried():
    named = LIMITS.keys() | {f"ALERT_{name}" for name in NOT_HERE}
    assert named == {one.name for one in DECLARED if one.name.startswith("ALERT_")}


@pytest.mark.parametrize("setting", LIMITS)
def test_an_alert_begins_where_its_setting_says(setting):
    alert, series, fired, quiet = LIMITS[setting]
    assert fires(alert, series, 75, **{setting: fired}) is not None
    assert fires(alert, series, 75, **{setting: quiet}) is None


def slow_answers(limit: int) -> bool:
    """Whether 90 of 100 answers within half a second, and 10 within two and a half, are told of."""
    (alert,) = [one for one in alerts_of(SETTINGS.replace(ALERT_RESPONSE=limit)) if one.name == "SlowAnswers"]
    alarm = Engine([alert], None, 3600)
    for at in range(0, 600, 15):
        buckets = [0] * 15
        buckets[8], buckets[11] = 9 * at, at
        family = Family(HTTP, METRICS[HTTP].kind, "", [Series({"http_response_status_code": "200"}, at, buckets)])
        alarm.tick(Reading(START + timedelta(seconds=at), {HTTP: family}))
    return any(one.state == "firing" for one in alarm.shown())


def test_slow_answers_are_those_that_take_longer_than_the_setting():
    assert slow_answers(1000)
    assert not slow_answers(2500)


@pytest.mark.parametrize(("alert", "series", "flat"), [
    ("PoolFillsUp", {"tfmshop_pool_used_ratio": lambda t: min(1.0, 0.55 + 0.01 * max(0, t - 1200) / 60)},
     {"tfmshop_pool_used_ratio": lambda t: 0.95}),
    ("DiskFillsUp", {FREE: lambda t: 100e9 - 12e6 * max(0, t - 1200)}, {FREE: lambda t: 20e9 + 1e9 * (t // 60 % 2)}),
])  # fmt: skip
def test_what_will_be_is_told_before_it_is(alert, series, flat):
    """Pool and disk are full some time after they begin to fill; what stays as it is, never."""
    at = fires(alert, series, 150, step=30)
    assert at is not None
    assert at > 1200
    value = next(iter(series.values()))
    assert value(at) < 0.95 if alert == "PoolFillsUp" else value(at) > 20e9, "it is full already"
    assert fires(alert, flat, 150, step=30) is None


@pytest.fixture
async def receiver():
    async with listening("/hooks") as one:
        yield one


ANOTHER = Firing("RedisDown", {}, "warning", "firing", 1.0, "Redis does not answer.", "Start Redis.", START)


async def test_a_webhook_hears_of_all_alerts_in_one_signed_request(receiver):
    secret = b"0123456789abcdef0123456789abcdef"
    by = channels.ByWebhook(Outgoing(private=True), receiver.url, secret)
    assert await channels.tell([by], "Lamps", [FIRING, ANOTHER]) == {}
    ((headers, body),) = receiver.heard
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"
    told = json.loads(body)
    assert (told["type"], told["data"]["shop"]) == ("alerts", "Lamps")
    assert [(one["alert"], one["severity"], one["state"]) for one in told["data"]["alerts"]] == [
        ("Deep", "critical", "firing"), ("RedisDown", "warning", "firing"),
    ]  # fmt: skip
    assert told["data"]["alerts"][0]["labels"] == {"task": "<x>"}
    receiver.status = 500
    assert await channels.tell([by], "Lamps", [FIRING]) == {"webhook": "it answered 500"}


async def test_slack_hears_of_all_alerts_in_one_message_without_links_of_strangers(receiver):
    by = channels.BySlack(Outgoing(private=True), receiver.url)
    assert await channels.tell([by], "Lamps", [FIRING, ANOTHER]) == {}
    ((headers, body),) = receiver.heard
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert "Lamps" in told["text"]
    assert [block["text"]["type"] for block in told["blocks"]] == ["mrkdwn", "mrkdwn"]
    first, second = (block["text"]["text"] for block in told["blocks"])
    assert "It is &lt;deep&gt;." in first
    assert "<" not in first
    assert "Redis does not answer." in second


def test_alerts_of_one_moment_are_told_together(tmp_path):
    alarm = Engine([one for one in alerts_of(SETTINGS) if one.name in ("RedisDown", "DatabaseDown")], tmp_path, 3600)
    down = {f'tfmshop_dependency_up{{dependency="{name}"}}': 0.0 for name in ("redis", "postgresql")}
    told = [names for at in range(0, 120, 5) if (names := [one.alert for one in alarm.tick(reading(at, down))])]
    assert [sorted(names) for names in told] == [["DatabaseDown", "RedisDown"]]
