"""A payment company whose calls are measured: what was asked, how it came out, how long it took."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmshop.commerce.payments.errors import PaymentDeclined
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import traces
from tfmshop.platform.observe.metrics import Histogram

if TYPE_CHECKING:
    from tfmshop.commerce.payments.port import Authorization, Challenge, Failed, Notice, Payment, Provider

CALLS = Histogram(
    "tfmshop_payment_request_duration_seconds",
    "Calls of payment companies, by how they came out: ok, declined, timeout or error.",
    "provider", "operation", "outcome",
)  # fmt: skip


class Measured:
    """Passes everything on to `provider`."""

    def __init__(self, name: str, provider: Provider) -> None:
        self._name = name
        self._provider = provider
        for outcome in ("ok", "declined", "timeout", "error"):
            CALLS.of(name, "authorize", outcome)
        self.tell: Callable[[Notice | Failed], Awaitable[None]] | None = None
        """Nobody: the provider itself tells."""

    def check(self, token: str) -> None:
        """Refuse a token that cannot be one. `UnknownPaymentToken`."""
        self._provider.check(token)

    async def authorize(self, payment: Payment, token: str) -> Authorization | Challenge:
        """Ask for money."""
        with self._timed("authorize"):
            return await self._provider.authorize(payment, token)

    async def find(self, payment: Payment) -> Authorization | None:
        """What was authorised."""
        with self._timed("find"):
            return await self._provider.find(payment)

    async def capture(self, payment: Payment) -> str:
        """Take the money."""
        with self._timed("capture"):
            return await self._provider.capture(payment)

    async def refund(self, payment: Payment, refund_key: str, amount: Money) -> str:
        """Give a part back."""
        with self._timed("refund"):
            return await self._provider.refund(payment, refund_key, amount)

    async def void(self, payment: Payment) -> None:
        """Let go of the money."""
        with self._timed("void"):
            await self._provider.void(payment)

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice | Failed | None:
        """What a webhook says."""
        return self._provider.notice(headers, body)

    async def close(self) -> None:
        """Let go of connections."""
        await self._provider.close()

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        started, outcome = monotonic(), "error"
        try:
            yield
            outcome = "ok"
        except PaymentDeclined:
            outcome = "declined"
            raise
        except (TimeoutError, asyncio.CancelledError):
            outcome = "timeout"
            raise
        finally:
            seconds = monotonic() - started
            CALLS.of(self._name, operation, outcome).add(seconds)
            if traces.on:
                traces.call(f"{self._name} {operation}", seconds, outcome)
