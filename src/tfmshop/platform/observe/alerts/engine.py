"""Working alerts out: what is true becomes pending, then firing, then resolved; told in groups, not while silenced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tfmshop.platform import clock
from tfmshop.platform.observe.alerts import state
from tfmshop.platform.observe.alerts.history import History, Labels
from tfmshop.platform.observe.alerts.rules import Alert
from tfmshop.platform.observe.alerts.state import Firing, Silence
from tfmshop.platform.observe.metrics import Gauge, Over
from tfmshop.platform.observe.readings import Reading

FIRING = Gauge("tfmshop_alerts_firing", "Alerts that are firing now, silenced ones too.", "alert", over=Over.MOST)
FRESH: Final = timedelta(minutes=2)
"""How long what fired is still known to whoever watches next."""
GROUP_SECONDS: Final = 10.0
"""How long the first alert of a message waits for others."""


class Engine:
    """The alerts of one installation. `home` is where others see what fires, and say what is silenced."""

    def __init__(self, alerts: Sequence[Alert], home: Path | None, repeat_seconds: float) -> None:
        self.alerts = alerts
        self._home = home
        self._repeat = repeat_seconds
        every = [one for alert in alerts for one in alert.selectors()]
        self.history = History({s for s, buckets in every if not buckets}, {s for s, buckets in every if buckets})
        self._begun: dict[tuple[str, Labels], float] = {}
        self._firing: dict[tuple[str, Labels], Firing] = {}
        self._last_true: dict[tuple[str, Labels], float] = {}
        self._waiting: list[Firing] = []
        self._waiting_since = 0.0
        self._go_on()

    def _go_on(self) -> None:
        """Take over from whoever watched a moment ago: what fires was told already."""
        at, known = state.shown(self._home) if self._home is not None else (None, [])
        if at is None or clock.now() - at > FRESH:
            return
        alerts = {alert.name: alert for alert in self.alerts}
        for one in known:
            if one.state == "firing" and one.alert in alerts:
                key = (one.alert, tuple(one.labels.get(name, "") for name in alerts[one.alert].labels))
                self._firing[key] = one
                self._begun[key], self._last_true[key] = one.since.timestamp(), at.timestamp()

    def tick(self, reading: Reading) -> list[Firing]:
        """Work everything out at the moment of a reading; what is to be told now, in one message."""
        now = reading.at.timestamp()
        self.history.add(now, reading)
        silences = self._silences(reading.at)
        for alert in self.alerts:
            already = {labels for name, labels in self._firing if name == alert.name}
            self._follow(alert, alert.true(self.history, already), now)
            FIRING.of(alert.name).set(sum(name == alert.name for name, _ in self._firing))
        for one in self._firing.values():
            one.silenced = any(silence.alert in ("*", one.alert) for silence in silences)
            late = one.told_at is None or (reading.at - one.told_at).total_seconds() >= self._repeat
            if late and not one.silenced:
                one.told_at = reading.at
                self._queue(one, now)
        self._keep(reading.at)
        return self._due(now)

    def shown(self) -> list[Firing]:
        """What is pending and firing, as of the last tick."""
        pending = [self._made(self._named(name), labels, at, "pending") for (name, labels), at in self._begun.items()
                   if (name, labels) not in self._firing]  # fmt: skip
        return [*self._firing.values(), *pending]

    def _follow(self, alert: Alert, true: dict[Labels, float], now: float) -> None:
        for labels, value in true.items():
            key = (alert.name, labels)
            self._last_true[key] = now
            begun = self._begun.setdefault(key, now)
            known = self._firing.get(key)
            if known is not None:
                known.value, known.says = value, alert.told(value, labels)
            elif now - begun >= alert.seconds:
                self._firing[key] = self._made(alert, labels, begun, "firing", value)
        for key in [key for key in self._begun if key[0] == alert.name and key[1] not in true]:
            if key in self._firing and now - self._last_true[key] < alert.keep:
                continue
            del self._begun[key], self._last_true[key]
            ended = self._firing.pop(key, None)
            if ended is not None:
                ended.state = "resolved"
                if ended.told_at is not None and not ended.silenced:
                    self._queue(ended, now)

    def _made(
        self, alert: Alert, labels: Labels, begun: float, state: str, value: float | None = None
    ) -> Firing:  # fmt: skip
        if value is None:
            value = alert.tests[0].of.values(self.history).get(labels, 0.0)
        named = dict(zip(alert.labels, labels, strict=True))
        since = datetime.fromtimestamp(begun, UTC)
        return Firing(alert.name, named, alert.severity, state, value, alert.told(value, labels), alert.mend, since)

    def _named(self, name: str) -> Alert:
        return next(alert for alert in self.alerts if alert.name == name)

    def _queue(self, one: Firing, now: float) -> None:
        if not self._waiting:
            self._waiting_since = now
        self._waiting = [w for w in self._waiting if (w.alert, w.labels) != (one.alert, one.labels)]
        self._waiting.append(one)

    def _due(self, now: float) -> list[Firing]:
        if not self._waiting or now - self._waiting_since < GROUP_SECONDS:
            return []
        due, self._waiting = self._waiting, []
        return sorted(due, key=lambda one: (one.state != "firing", one.severity, one.alert))

    def _silences(self, now: datetime) -> list[Silence]:
        return [one for one in state.silences(self._home) if one.until > now] if self._home is not None else []

    def _keep(self, at: datetime) -> None:
        if self._home is not None:
            with suppress(OSError):
                state.keep_shown(self._home, at, self.shown())
