"""Who is told of alerts: the log always; by mail, by a signed webhook, and in Slack's format where settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

import structlog

from tfmshop.platform import clock, codec, ids
from tfmshop.platform.mail import CannotSend, Letter, Mailer
from tfmshop.platform.observe.alerts.messages import lines, title
from tfmshop.platform.observe.alerts.state import Firing
from tfmshop.platform.observe.files import tells_of_alerts
from tfmshop.platform.observe.metrics import Counter
from tfmshop.platform.outgoing import NoReply, NotAllowedThere, Outgoing
from tfmshop.platform.security.webhooks import signed

SENT = Counter("tfmshop_alert_messages_total", "Messages about alerts, by channel and how it came out: sent or failed.",
               "channel", "outcome")  # fmt: skip

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
    failed, token = {}, tells_of_alerts.set(True)
    try:
        for channel in channels:
            try:
                await channel.tell(shop, alerts)
            except NotTold as error:
                failed[channel.name] = str(error)
                log.error("nobody is told of alerts", channel=channel.name, why=str(error))
            except Exception as error:
                failed[channel.name] = type(error).__name__
                log.error("nobody is told of alerts", channel=channel.name, exc_info=error)
            SENT.of(channel.name, "failed" if channel.name in failed else "sent").add()
    finally:
        tells_of_alerts.reset(token)
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
