"""Who is told of alerts: the log always; by mail, by a signed webhook, and in Slack's format where settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Protocol

import structlog

from tfmshop.platform import clock, codec, ids
from tfmshop.platform.mail import CannotSend, Letter, Mailer
from tfmshop.platform.observe.alerts.engine import Firing
from tfmshop.platform.observe.metrics import Counter
from tfmshop.platform.outgoing import NoReply, NotAllowedThere, Outgoing
from tfmshop.platform.security.webhooks import signed

SENT = Counter("tfmshop_alert_messages_total", "Messages about alerts, by channel and how it came out: sent or failed.",
               "channel", "outcome")  # fmt: skip
SIGNS: Final = {"critical": "[CRITICAL]", "warning": "[WARNING]", "resolved": "[RESOLVED]"}

log = structlog.get_logger("alerts")


class NotTold(Exception):
    """A channel did not take a message; the text says why."""


class Channel(Protocol):
    """A way to tell people."""

    @property
    def name(self) -> str:
        """What it is called."""

    async def tell(self, shop: str, alerts: Sequence[Firing]) -> None:
        """Tell of alerts that began, go on or ended. `NotTold`."""


def title(shop: str, alerts: Sequence[Firing]) -> str:
    """A message in one line."""
    firing = [one for one in alerts if one.state == "firing"]
    if not firing:
        return f"{shop}: resolved: {', '.join(dict.fromkeys(one.alert for one in alerts))}"
    worst = "critical" if any(one.severity == "critical" for one in firing) else "warning"
    names = ", ".join(dict.fromkeys(one.alert for one in firing))
    return f"{shop}: {SIGNS[worst]} {names}"


def lines(alerts: Sequence[Firing]) -> list[str]:
    """A message as lines of text."""
    told = []
    for one in alerts:
        sign = SIGNS["resolved" if one.state == "resolved" else one.severity]
        told.append(f"{sign} {one.alert}: {one.says} Since {one.since:%Y-%m-%d %H:%M:%S} UTC.")
        if one.state == "firing":
            told.append(f"    {one.mend}")
    return told


@dataclass(frozen=True, slots=True)
class ByLog:
    """Into the log: always."""

    name: str = "log"

    async def tell(self, shop: str, alerts: Sequence[Firing]) -> None:
        """An event for each."""
        log.info("alerts", title=title(shop, alerts))
        for one in alerts:
            write = log.info if one.state == "resolved" else log.error if one.severity == "critical" else log.warning
            write(
                f"alert {one.state}", alert=one.alert, severity=one.severity, says=one.says, mend=one.mend, **one.labels
            )


@dataclass(frozen=True, slots=True)
class ByMail:
    """By mail to an address."""

    mailer: Mailer
    to: str
    name: str = "mail"

    async def tell(self, shop: str, alerts: Sequence[Firing]) -> None:
        """One letter."""
        text = "\n".join(lines(alerts)) + "\n"
        try:
            html = f"<pre>{escape(text)}</pre>"
            await self.mailer.send(Letter(ids.token(), self.to, title(shop, alerts), text, html))
        except CannotSend as error:
            raise NotTold(str(error)) from error


@dataclass(frozen=True, slots=True)
class ByWebhook:
    """By a request that is signed as the shop's other webhooks are (Standard Webhooks)."""

    outgoing: Outgoing
    url: str
    secret: bytes
    name: str = "webhook"

    async def tell(self, shop: str, alerts: Sequence[Firing]) -> None:
        """One request with everything."""
        body = codec.encode({"type": "alerts", "timestamp": clock.now(), "data": {"shop": shop, "alerts": alerts}})
        headers = signed(f"alert_{ids.token()}", clock.now(), body, self.secret)
        await _post(self.outgoing, self.url, body, {**headers, "content-type": "application/json"})


@dataclass(frozen=True, slots=True)
class BySlack:
    """In the format of Slack's incoming webhooks, which other chats take too."""

    outgoing: Outgoing
    url: str
    name: str = "slack"

    async def tell(self, shop: str, alerts: Sequence[Firing]) -> None:
        """One message: its title, and a part for each alert."""
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": _escaped("\n".join(lines([one])))}}
                  for one in alerts[:40]]  # fmt: skip
        body = codec.encode({"text": _escaped(title(shop, alerts)), "blocks": blocks})
        await _post(self.outgoing, self.url, body, {"content-type": "application/json"})


async def tell(channels: Sequence[Channel], shop: str, alerts: Sequence[Firing]) -> dict[str, str]:
    """Tell everybody; why each channel that failed did."""
    failed = {}
    for channel in channels:
        try:
            await channel.tell(shop, alerts)
        except NotTold as error:
            failed[channel.name] = str(error)
            log.error("nobody is told of alerts", channel=channel.name, why=str(error))
        SENT.of(channel.name, "failed" if channel.name in failed else "sent").add()
    return failed


async def _post(outgoing: Outgoing, url: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        reply = await outgoing.post(url, body, headers)
    except (NoReply, NotAllowedThere) as error:
        raise NotTold(str(error)) from error
    if not 200 <= reply.status < 300:
        raise NotTold(f"it answered {reply.status}")


def _escaped(text: str) -> str:
    """Text as Slack wants it: what people typed forms no links there."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
