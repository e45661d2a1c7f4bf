"""Alerts about payments, and about what the world is told."""

from __future__ import annotations

from typing import Final

from tfmshop.platform.observe.alerts import Alert, Limit, Rate, Ratio, Selector
from tfmshop.platform.outgoing import REQUESTS
from tfmshop.surface.alerts.answers import MINUTE

PAYMENT: Final = "tfmshop_payment_request_duration_seconds"
BY: Final = ("provider",)
AUTHORIZE: Final = ("operation", "authorize")
ASKED: Final = Selector(PAYMENT, (AUTHORIZE,), BY)


def payments() -> list[Alert]:
    """Payment companies that fail, and buyers who are turned away."""
    broken = Selector(PAYMENT, (AUTHORIZE,), BY, one_of=(("outcome", ("error", "timeout")),))
    declined = Selector(PAYMENT, (AUTHORIZE, ("outcome", "declined")), BY)
    return [
        Alert(
            "PaymentsFail",
            [Limit(Ratio(Rate(broken, 2 * MINUTE), Rate(ASKED, 2 * MINUTE)), ">", 0.1, 0.05),
             Limit(Rate(broken, 2 * MINUTE), ">", 3 / 120)],
            15, "critical", "{value} of payments by {provider} fail or time out.",
            "Look at the provider's status page; orders are kept, and payments are tried again.", "%",
        ),
        Alert(
            "PaymentsDeclined",
            [Limit(Ratio(Rate(declined, 5 * MINUTE), Rate(ASKED, 5 * MINUTE)), ">", 0.5),
             Limit(Rate(declined, 5 * MINUTE), ">", 10 / 300)],
            60, "warning", "{value} of payments by {provider} are declined.",
            "Stolen cards may be tried: see `tfmshop logs security`, and RATE_LIMIT_CHECKOUT.", "%",
        ),
    ]  # fmt: skip


def webhooks() -> list[Alert]:
    """Receivers that cannot be told."""
    certificates = Selector(REQUESTS.name, (("outcome", "certificate"),))
    unreached = Selector(REQUESTS.name, one_of=(("outcome", ("no_reply", "refused")),))
    return [
        Alert(
            "WebhookCertificate", [Limit(Rate(certificates, 10 * MINUTE), ">", 0)], 0, "warning",
            "The certificate of a receiver of webhooks is not to be trusted.",
            "See `tfmshop webhooks list` for whose; what is told waits until it is mended.",
        ),
        Alert(
            "WebhooksFail",
            [Limit(Ratio(Rate(unreached, 10 * MINUTE), Rate(Selector(REQUESTS.name), 10 * MINUTE)), ">", 0.5),
             Limit(Rate(unreached, 10 * MINUTE), ">", 5 / 600)],
            300, "warning", "{value} of what is told by webhooks is not taken.", "See `tfmshop webhooks list`.", "%",
        ),
    ]  # fmt: skip
