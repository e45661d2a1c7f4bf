"""What can go wrong with a payment."""

from tfmshop.commerce.vocabulary import Money, spelled
from tfmshop.platform.errors import Kind, ShopError


class PaymentDeclined(
    ShopError, kind=Kind.PAYMENT, code="payment_declined", says="The payment was declined: {reason}."
):
    """The provider said no; nothing was charged."""

    reason: str


class PaymentUnknown(
    ShopError,
    kind=Kind.UNAVAILABLE,
    code="payment_unknown",
    says="The payment provider did not answer. Send the same request again: it will not charge twice.",
):
    """Whether money moved is not known; the same Idempotency-Key finds out."""


class UnknownProvider(
    ShopError, kind=Kind.CONFLICT, code="payment_provider_unknown", says="There is no payment provider {name}."
):
    """The payment names a provider that this shop does not use."""

    name: str


class UnknownPaymentToken(
    ShopError,
    kind=Kind.CONFLICT,
    code="payment_token_unknown",
    says="The payment token is not one the provider knows.",
):
    """The provider does not know the token; nothing was charged."""


class RefundNotFound(ShopError, kind=Kind.NOT_FOUND, code="refund_not_found", says="There is no such refund."):
    """No refund of that order has the id."""


class RefundNotFailed(
    ShopError,
    kind=Kind.CONFLICT,
    code="refund_not_failed",
    says="The refund did not fail.",
):
    """The refund is on its way, or arrived."""


class RefundTooLarge(
    ShopError, kind=Kind.CONFLICT, code="refund_too_large", says="Only {left} of what was paid can be given back."
):
    """More would be given back than was taken."""

    left: int
    currency: str

    def __str__(self) -> str:
        return self.says.format(left=spelled(Money(self.left, self.currency)))
