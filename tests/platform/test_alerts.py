"""Alerts: what is worked out here is what Prometheus works out, and nobody is told twice, or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.processes import BIN, environment, tfmshop
from tfmshop import config
from tfmshop.platform import clock
from tfmshop.platform.observe.alerts import Alert, Engine, Firing, Limit, Now, Selector, Silence, channels, state
from tfmshop.platform.observe.alerts.history import COARSE_SECONDS, FINE_SECONDS, History
from tfmshop.platform.observe.alerts.prometheus import rules
from tfmshop.platform.observe.metrics import METRICS, Histogram
from tfmshop.platform.observe.readings import Family, Reading, Series
from tfmshop.surface.alerts import alerts_of

ROOT = Path(__file__).parents[2]
START = datetime(2026, 5, 1, tzinfo=UTC)
STEP = 15
SETTINGS = config.read({}, None)
HTTP = "http_server_request_duration_seconds"


def labels_of(series: str) -> tuple[str, dict[str, str]]:
    name, _, rest = series.partition("{")
    pairs = (pair.split("=") for pair in rest.rstrip("}").split(",") if pair)
    return name, {label: value.strip('"') for label, value in pairs}


def reading(at: float, values: dict[str, float]) -> Reading:
    """A reading of some series, written as Prometheus does."""
    families: dict[str, Family] = {}
    for series, value in values.items():
        name, labels = labels_of(series)
        kind = METRICS[name].kind
        one = Series(labels, value)
        if isinstance(METRICS[name], Histogram):
            one = Series(labels, 0.01 * value, [0, 0, 0, int(value), *[0] * 11])
        families.setdefault(name, Family(name, kind, "", [])).series.append(one)
    return Reading(START + timedelta(seconds=at), families)


OK, BAD = f'{HTTP}{{http_response_status_code="200"}}', f'{HTTP}{{http_response_status_code="503"}}'
SLOW = 'tfmshop_slow_queries_total{db_query_summary="orders.find"}'
CALLS = 'db_client_operation_duration_seconds{db_query_summary="orders.find"}'
HIT, MISS = 'tfmshop_cache_lookups_total{outcome="hit"}', 'tfmshop_cache_lookups_total{outcome="miss"}'
PAID, TIMEOUT = (
    f'tfmshop_payment_request_duration_seconds{{provider="stripe",operation="authorize",outcome="{outcome}"}}'
    for outcome in ("ok", "timeout")
)
BEGUN = 'process_start_time_seconds{process="web-1"}'
AT = START.timestamp()
CASES = {
    "Errors": ({OK: lambda t: 10 * t, BAD: lambda t: 2 * max(0, t - 1200)}, {}),
    "ErrorBudgetFast": ({OK: lambda t: 10 * t, BAD: lambda t: 4 * max(0, t - 1200)}, {}),
    "TrafficSpike": ({OK: lambda t: 10 * t + 90 * max(0, t - 1200), BEGUN: lambda t: AT}, {}),
    "RedisDown": ({'tfmshop_dependency_up{dependency="redis"}': lambda t: float(t < 1200)}, {}),
    "DatabaseDown": ({'tfmshop_dependency_up{dependency="postgresql"}': lambda t: float(t < 1200)}, {}),
    "PoolFull": ({"tfmshop_pool_used_ratio": lambda t: 0.3 if t < 1200 else 1.0}, {}),
    "SlowQueries": ({CALLS: lambda t: 5 * t, SLOW: lambda t: max(0, t - 1200)}, {"db_query_summary": "orders.find"}),
    "HitRateDropped": ({HIT: lambda t: 20 * min(t, 1200), MISS: lambda t: t + 20 * max(0, t - 1200),
                        BEGUN: lambda t: AT}, {}),
    "JobsLate": ({'tfmshop_jobs_late_seconds{task="news.letter"}': lambda t: max(0, t - 1140)},
                 {"task": "news.letter"}),
    "ClockStopped": ({"tfmshop_schedules_idle_seconds": lambda t: max(30, t - 785)}, {}),
    "PaymentsFail": ({PAID: lambda t: t, TIMEOUT: lambda t: max(0, t - 1200)}, {"provider": "stripe"}),
    "DiskLow": ({"tfmshop_disk_free_bytes": lambda t: 500e9 if t < 1200 else 5e9,
                 "tfmshop_disk_size_bytes": lambda t: 1000e9}, {}),
    "MemoryGrows": ({'process_resident_memory_bytes{process="web-1"}': lambda t: 400e6 + 5e6 * max(0, t - 1200)},
                    {"process": "web-1"}),
    "WebhookCertificate": ({'tfmshop_outgoing_requests_total{outcome="certificate"}': lambda t: float(t > 1200)}, {}),
}  # fmt: skip
"""What goes wrong after 20 quiet minutes, and the labels of the alert. The moment of a backup is another matter."""


@pytest.mark.parametrize("name", CASES)
def test_what_goes_wrong_is_told_within_two_minutes_and_nothing_before(name):
    series, labels = CASES[name]
    alarm = Engine([alert for alert in alerts_of(SETTINGS) if alert.name == name], None, 3600)
    fired = None
    for at in range(0, 1200 + 121, 5):
        alarm.tick(reading(at, {one: value(at) for one, value in series.items()}))
        firing = [one for one in alarm.shown() if one.state == "firing"]
        if firing and fired is None:
            assert firing[0].labels == labels
            fired = at
    assert fired is not None
    assert 1200 < fired <= 1320, fired


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_fires_for_the_same(tmp_path):
    """All of the cases by the rules that are written, in Prometheus' own test."""
    (tmp_path / "rules.yaml").write_text(rules(alerts_of(SETTINGS)))
    tests = []
    for name, (series, labels) in CASES.items():
        written = []
        for one, value in series.items():
            bare, given = labels_of(one)
            steps = [value(at) - AT * (one == BEGUN) for at in range(0, 1500, STEP)]  # its time begins at nothing
            spelled = {**given, "instance": "x", "job": "tfmshop"}
            ending = "_count" if isinstance(METRICS[bare], Histogram) else ""
            text = ",".join(f'{label}="{content}"' for label, content in spelled.items())
            written.append({"series": f"{bare}{ending}{{{text}}}", "values": " ".join(f"{step:g}" for step in steps)})
        expected = {"alertname": name, "alertstate": "firing", **labels}
        (alert,) = [alert for alert in alerts_of(SETTINGS) if alert.name == name]
        expected["severity"] = alert.severity
        shown = "{" + ",".join(f'{label}="{content}"' for label, content in sorted(expected.items())) + "}"
        tests.append({
            "interval": f"{STEP}s", "name": name, "input_series": written,
            "promql_expr_test": [
                {"expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}', "eval_time": "19m", "exp_samples": []},
                {"expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}', "eval_time": "22m15s",
                 "exp_samples": [{"labels": f"ALERTS{shown}", "value": 1}]},
            ],
        })  # fmt: skip
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{STEP}s", "tests": tests}
    (tmp_path / "tests.yaml").write_text(json.dumps(document))
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "tests.yaml"]):
        told = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert told.returncode == 0, told.stdout + told.stderr


def test_the_rules_that_are_handed_out_are_those_of_the_definitions():
    assert (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text() == rules(alerts_of(SETTINGS)), (
        "run tfmshop alerts rules --output deploy/prometheus/rules.yaml"
    )


def test_every_alert_looks_at_metrics_that_exist():
    names = [alert.name for alert in alerts_of(SETTINGS)]
    assert len(set(names)) == len(names) >= 25
    for alert in alerts_of(SETTINGS):
        for selector, _ in alert.selectors():
            metric = METRICS[selector.metric]
            used = {*dict(selector.labels), *selector.by, *dict(selector.one_of)} - {"process"}
            assert used <= set(metric.labels), (alert.name, metric.name)


DEEP = Selector("test_deep_now")
ALERT = Alert("Deep", [Limit(Now(DEEP), ">", 10, 5)], 10, "critical", "It is {value} deep.", "Climb.", keep=20)


def tick(alarm: Engine, at: float, value: float | None) -> list[tuple[str, str]]:
    series = {} if value is None else {DEEP.metric: Family(DEEP.metric, "gauge", "", [Series({}, value)])}
    return [(one.alert, one.state) for one in alarm.tick(Reading(START + timedelta(seconds=at), series))]


@pytest.fixture
def alarm(tmp_path):
    return Engine([ALERT], tmp_path, 3600)


def states(alarm):
    return [one.state for one in alarm.shown()]


def test_pending_then_firing_then_told_then_resolved_without_flickering(alarm, tmp_path):
    assert (tick(alarm, 0, 11), states(alarm)) == ([], ["pending"])
    assert (tick(alarm, 5, 3), states(alarm)) == ([], [])
    assert (tick(alarm, 10, 11), states(alarm)) == ([], ["pending"])
    assert (tick(alarm, 20, 11), states(alarm)) == ([], ["firing"])
    assert tick(alarm, 25, 11) == []
    assert tick(alarm, 30, 7) == [("Deep", "firing")]
    assert states(alarm) == ["firing"], "7 is below 10 and not yet below 5"
    assert (tick(alarm, 40, 3), states(alarm)) == ([], ["firing"])
    assert (tick(alarm, 45, 11), states(alarm)) == ([], ["firing"])
    assert tick(alarm, 50, 3) == []
    at, shown = state.shown(tmp_path)
    assert (at, [one.says for one in shown]) == (START + timedelta(seconds=50), ["It is 11 deep."])
    assert (tick(alarm, 65, 3), states(alarm)) == ([], [])
    assert tick(alarm, 75, 3) == [("Deep", "resolved")]
    assert tick(alarm, 85, 3) == []


def test_one_that_goes_on_is_told_again_after_a_while(alarm):
    told = [at for at in range(0, 7500, 5) if tick(alarm, at, 20) == [("Deep", "firing")]]
    assert len(told) == 3
    assert 3600 <= told[1] - told[0] <= 3620


def test_nobody_is_told_while_it_is_silent_and_they_are_afterwards(alarm, tmp_path):
    state.keep_silences(tmp_path, [Silence("Deep", START + timedelta(seconds=60), "I know")])
    assert not any(tick(alarm, at, 20) for at in range(0, 60, 5))
    assert alarm.shown()[0].silenced
    assert [tick(alarm, at, 20) for at in (60, 65, 70)] == [[], [], [("Deep", "firing")]]


def test_one_that_was_never_told_is_not_told_to_be_over(alarm, tmp_path):
    state.keep_silences(tmp_path, [Silence("*", START + timedelta(seconds=600), "all of it")])
    assert not any(tick(alarm, at, 20 if at < 60 else 0) for at in range(0, 200, 5))
    assert states(alarm) == []


def test_what_is_not_measured_any_more_is_over(alarm):
    for at in (0, 10, 20, 30):
        tick(alarm, at, 20)
    assert states(alarm) == ["firing"]
    for at in (35, 45, 55):
        tick(alarm, at, None)
    assert states(alarm) == []


def test_history_keeps_hours_in_little_room():
    kept = History([DEEP], [])
    for at in range(0, 8 * 3600, 5):
        kept.add(float(at), Reading(START, {}))
    assert len(kept._moments) <= FINE_SECONDS / 5 + 6.5 * 3600 / COARSE_SECONDS + 5
    assert len(kept.within(6 * 3600)) > 300


FIRING = Firing("Deep", {"task": "<x>"}, "critical", "firing", 1.0, "It is <deep>.", "Climb.", START)


def test_commands_about_alerts(tmp_path):
    settings = {"TFMSHOP_HOME": str(tmp_path)}
    shown = tfmshop("alerts", "list", "--all", cwd=tmp_path, **settings)
    assert (shown.returncode, "Nobody works alerts out" in shown.stdout) == (3, True)
    assert "TrafficSpike" in shown.stdout
    wrong = tfmshop("alerts", "silence", "Redis", cwd=tmp_path, **settings)
    assert (wrong.returncode, "There is no alert 'Redis'" in wrong.stderr) == (1, True)
    assert tfmshop("alerts", "silence", "RedisDown", "--for", "2h", "--reason", "new version", cwd=tmp_path,
                   **settings).returncode == 0  # fmt: skip
    assert [one.alert for one in state.silences(tmp_path / "metrics")] == ["RedisDown"]
    assert "new version" in tfmshop("alerts", "list", cwd=tmp_path, **settings).stdout
    assert tfmshop("alerts", "unsilence", "RedisDown", cwd=tmp_path, **settings).returncode == 0
    assert state.silences(tmp_path / "metrics") == []
    unreachable = {"ALERT_SLACK": "http://127.0.0.1:1/hook", **settings}
    tested = tfmshop("alerts", "test", "--json", cwd=tmp_path, **unreachable)
    assert (tested.returncode, json.loads(tested.stdout)["log"]) == (1, "sent")


@pytest.mark.parametrize(("fires", "code", "says"), [
    ([], 0, "Nothing fires, as of "), ([FIRING], 1, " UTC:\nfiring    critical  Deep: It is <deep>."),
])  # fmt: skip
def test_what_fires_is_said_with_its_moment(tmp_path, fires, code, says):
    (tmp_path / "metrics").mkdir()
    state.keep_shown(tmp_path / "metrics", clock.now(), fires)
    shown = tfmshop("alerts", "list", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))
    assert (shown.returncode, says in shown.stdout) == (code, True), shown.stdout


@pytest.mark.parametrize("arguments", [
    ("alerts", "silence", "RedisDown", "--for", "0s"), ("alerts", "silence", "RedisDown", "--for", "2x"),
    ("logs", "access", "--since", "yesterday"), ("logs", "access", "--status", "6xx"),
    ("logs", "access", "--grep", "["), ("logs", "app", "--level", "loud"),
])  # fmt: skip
def test_what_cannot_be_meant_is_wrong_usage(tmp_path, arguments):
    said = tfmshop(*arguments, cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))
    assert (said.returncode, said.stdout, len(said.stderr.splitlines())) == (2, "", 1), said.stderr


def test_a_silence_lasts_ten_years_at_most(tmp_path):
    said = tfmshop("alerts", "silence", "*", "--for", "99999999d", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))
    assert (said.returncode, "Everything is silent until 20" in said.stdout) == (0, True)


@pytest.mark.parametrize(("command", "code", "says"), [
    ("version >/dev/full", 1, "What is to be printed: No space left on device."),
    ("monitor grafana >/dev/full", 1, "What is to be printed: No space left on device."),
    ("dashboard </dev/null", 1, "The dashboard needs a terminal"),
    ("dashboard <&-", 1, "The dashboard needs a terminal"),
    ("monitor start --count 1 --url http://127.0.0.1:1", 3, "No shop answers at http://127.0.0.1:1: name another"),
    ("monitor check --url nonsense", 3, "--url must be an address such as https://shop.example.com, not 'nonsense'."),
])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(tmp_path, command, code, says):
    said = subprocess.run(
        ["sh", "-c", f"{BIN} {command}"], cwd=tmp_path, env=environment(COLUMNS="100", TFMSHOP_HOME=str(tmp_path)),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (said.returncode, says in said.stderr, len(said.stderr.splitlines())) == (code, True, 1), said.stderr


async def test_by_mail(postbox):
    by = channels.ByMail(postbox.mailer, "ops@example.com")
    assert await channels.tell([by], "Lamps", [FIRING]) == {}
    (letter,) = postbox.letters
    assert letter["Subject"] == "Lamps: [CRITICAL] Deep"
    assert "It is <deep>. Since 2026-05-01" in letter.get_body(("plain",)).get_content()
    assert "&lt;deep&gt;" in letter.get_body(("html",)).get_content()
    postbox.closed = True
    assert "mail" in await channels.tell([channels.ByLog(), by], "Lamps", [FIRING])


class Breaks:
    name = "odd"

    async def tell(self, shop, alerts):
        raise PermissionError("the folder")


async def test_a_channel_that_breaks_silences_no_other(postbox):
    by = channels.ByMail(postbox.mailer, "ops@example.com")
    assert await channels.tell([Breaks(), by], "Lamps", [FIRING]) == {"odd": "PermissionError"}
    assert len(postbox.letters) == 1


def test_who_watches_next_knows_what_was_told(alarm, tmp_path):
    with clock.held(START + timedelta(seconds=40)):
        assert [tick(alarm, at, 20) for at in (0, 10, 20, 30)] == [[], [], [("Deep", "firing")], []]
        after = Engine([ALERT], tmp_path, 3600)
        assert not any(tick(after, at, 20) for at in (40, 50, 60))
        assert [one.state for one in after.shown()] == ["firing"]
        assert [tick(after, at, 0) for at in (70, 85, 95)] == [[], [], [("Deep", "resolved")]]
    with clock.held(START + timedelta(hours=1)):
        assert Engine([ALERT], tmp_path, 3600).shown() == []
