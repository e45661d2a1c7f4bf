"""Stripe, through its own SDK: a payment intent for each order, taken by a second step.

An intent is made first and confirmed after that. Making it again with the same key gives the same intent, so one whose
answer was lost is found again for certain, and one that is cancelled stays cancelled however late a confirmation comes.
Stripe remembers such keys for 24 hours; later calls go by the intent's id.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import stripe
import structlog
from stripe.params import PaymentIntentConfirmParams

from tfmshop.commerce.payments.errors import PaymentDeclined, UnknownPaymentToken
from tfmshop.commerce.payments.port import Authorization, Challenge, Failed, Notice, Payment
from tfmshop.commerce.payments.stripe_events import GONE, OURS, notice
from tfmshop.commerce.vocabulary import Money

RETRIES: Final = 2
"""How often the SDK sends a request again that got no answer, or one that says that it may."""
SECONDS: Final = 8.0
"""Longest wait for one answer of Stripe: a checkout waits for 10 by default."""
COUNTED_OTHERWISE: Final = ("BHD", "ISK", "JOD", "KWD", "MGA", "OMR", "TND", "UGX")
"""Currencies in which Stripe's smallest unit is not that of ISO 4217 (docs.stripe.com/currencies#special-cases)."""
LATER: Final = ("balance_insufficient", "lock_timeout")  # refusals that end by themselves
HELD: Final = ("requires_capture", "succeeded")
_TOKEN = re.compile(r"pm_[A-Za-z0-9_]{1,200}")
_log = structlog.get_logger(__name__)


class StripeProvider:
    """Payments at Stripe. Tokens are payment methods (`pm_...`) that Stripe's own fields made in the buyer's browser.

    `return_url` is where the buyer comes back to after a challenge; `api` another address than Stripe's own.
    """

    def __init__(self, secret_key: str, webhook_secret: str, return_url: str, api: str | None = None) -> None:
        self._http = stripe.HTTPXClient(timeout=SECONDS)
        self._stripe = stripe.StripeClient(
            secret_key, max_network_retries=RETRIES, http_client=self._http, base_addresses={"api": api} if api else {}
        )
        self._webhook_secret = webhook_secret
        self._return_url = return_url
        self.tell: Callable[[Notice | Failed], Awaitable[None]] | None = None

    def check(self, token: str) -> None:
        """Refuse what is not the id of a payment method."""
        if not _TOKEN.fullmatch(token):
            raise UnknownPaymentToken

    async def authorize(self, payment: Payment, token: str) -> Authorization | Challenge:
        """Have money held for a payment."""
        if payment.amount.currency in COUNTED_OTHERWISE:
            raise PaymentDeclined(reason=f"{payment.amount.currency} cannot be paid by card here")
        with _answers():
            intent = await self._make(payment)
            confirm: PaymentIntentConfirmParams = {"payment_method": token, "return_url": self._return_url}
            intent = await self._stripe.v1.payment_intents.confirm_async(
                intent.id, confirm, {"idempotency_key": f"{payment.key}:confirm"}
            )
            if intent.status not in HELD:
                intent = await self._stripe.v1.payment_intents.retrieve_async(intent.id)
        if intent.status in HELD:
            return Authorization(intent.id, payment.amount)
        if intent.status == "requires_action" and (page := _page(intent)):
            return Challenge(page)
        if intent.status == "processing":
            raise TimeoutError
        raise PaymentDeclined(reason=_why(intent))

    async def find(self, payment: Payment) -> Authorization | None:
        """What is held for a payment; none while Stripe is at work on it."""
        with _answers():
            intent = await self._known(payment)
        return Authorization(intent.id, payment.amount) if intent and intent.status in HELD else None

    async def capture(self, payment: Payment) -> str:
        """Take the money that is held."""
        with _answers():
            intent = await self._held(payment)
            if intent.status != "succeeded":
                taken = payment.amount.amount
                await self._stripe.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": taken})
        return intent.id

    async def refund(self, payment: Payment, refund_key: str, amount: Money) -> str:
        """Give back a part; what was given back for the same key before is found among the intent's refunds."""
        try:
            with _answers():
                intent = await self._held(payment)
                before = await self._refunds(intent.id, refund_key)
        except PaymentDeclined as unclear:  # it says nothing of the refund
            raise TimeoutError from unclear
        if before is not None:
            return _given(before)
        with _answers():
            refund = await self._stripe.v1.refunds.create_async(
                {"payment_intent": intent.id, "amount": amount.amount, "metadata": {"refund_id": refund_key}},
                {"idempotency_key": f"{refund_key}:0"},
            )
        return _given(refund)

    async def _refunds(self, intent: str, key: str) -> stripe.Refund | None:
        """What was made for a key; or what an earlier try made after all, and which was not told then."""
        made = await self._stripe.v1.refunds.list_async({"payment_intent": intent, "limit": 100})
        known = [(str(getattr(one.metadata, "refund_id", "")), one) async for one in made.auto_paging_iter()]
        id = key.partition(":")[0]
        alive = [one for of, one in known if of.partition(":")[0] == id and one.status not in GONE]
        return next(iter(alive + [one for of, one in known if of == key]), None)

    async def void(self, payment: Payment) -> None:
        """Cancel the intent, or give back what was taken and not given back yet."""
        with _answers():
            intent = await self._known(payment)
            if intent and intent.status == "succeeded":
                await self._give_back(payment, intent.id)
            elif intent and intent.status != "canceled":
                await self._stripe.v1.payment_intents.cancel_async(intent.id)

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice | Failed | None:
        """What a webhook of Stripe says of an order's payment."""
        return notice(headers, body, self._webhook_secret)

    async def close(self) -> None:
        """Close the connections to Stripe."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _make(self, payment: Payment) -> stripe.PaymentIntent:
        """The intent of a payment: the one that was made, or a new one that asks for nothing yet."""
        return await self._stripe.v1.payment_intents.create_async(
            {"amount": payment.amount.amount, "currency": payment.amount.currency.lower(),
             "capture_method": "manual", "metadata": {OURS: payment.key}},
            {"idempotency_key": payment.key},
        )  # fmt: skip

    async def _known(self, payment: Payment) -> stripe.PaymentIntent | None:
        """The intent of a payment as it stands now; None for a sum that Stripe takes from nobody."""
        reference = payment.reference
        if not reference:
            try:
                reference = (await self._make(payment)).id
            except stripe.InvalidRequestError as error:
                _log.info("stripe makes no such intent", code=error.code, key=payment.key)
                return None
        return await self._stripe.v1.payment_intents.retrieve_async(reference)

    async def _held(self, payment: Payment) -> stripe.PaymentIntent:
        intent = await self._known(payment)
        if intent is None:
            raise PaymentDeclined(reason="nothing is held")
        return intent

    async def _give_back(self, payment: Payment, intent: str) -> None:
        try:
            await self._stripe.v1.refunds.create_async(
                {"payment_intent": intent}, {"idempotency_key": f"{payment.key}:void"}
            )
        except stripe.InvalidRequestError as error:
            if error.code != "charge_already_refunded":
                raise


@contextmanager
def _answers() -> Iterator[None]:
    """What Stripe answers, in the words of the port: a no is `PaymentDeclined`, everything unclear TimeoutError."""
    try:
        yield
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        if error.code in LATER:
            raise TimeoutError from error
        _log.info("stripe refused", code=error.code, request_id=error.request_id)
        raise PaymentDeclined(reason=_sentence(error.user_message or error.code)) from None
    except stripe.StripeError as error:
        _log.warning("stripe unclear", kind=type(error).__name__, code=error.code, request_id=error.request_id)
        raise TimeoutError from error


def _given(refund: stripe.Refund) -> str:
    if refund.status in GONE:
        raise PaymentDeclined(reason=f"the refund {refund.status}")
    return refund.id


def _page(intent: stripe.PaymentIntent) -> str:
    redirect = intent.next_action.redirect_to_url if intent.next_action else None
    return (redirect.url if redirect else None) or ""


def _why(intent: stripe.PaymentIntent) -> str:
    return _sentence(intent.last_payment_error.message if intent.last_payment_error else intent.status)


def _sentence(text: str | None) -> str:
    """A reason that ends without a full stop."""
    return (text or "the card company said no").rstrip(". ")
