"""What can go wrong between a cart and an order."""

from tfmshop.commerce.vocabulary import Money, spelled
from tfmshop.platform.errors import Kind, ShopError


class EmptyCart(ShopError, kind=Kind.CONFLICT, code="cart_empty", says="The cart is empty."):
    """There is nothing to order."""


class Unavailable(
    ShopError,
    kind=Kind.CONFLICT,
    code="product_unavailable",
    says="The cart has products that are not sold any more.",
):
    """A line of the cart cannot be bought; the cart's warnings say which."""


class Incomplete(ShopError, kind=Kind.CONFLICT, code="checkout_incomplete", says="The order needs {missing}."):
    """The e-mail or the address is missing, in the cart and in the request."""

    missing: str


class PriceChanged(
    ShopError,
    kind=Kind.CONFLICT,
    code="price_changed",
    says="The total is {total}, not the expected {expected}.",
):
    """The cart comes to something else than the buyer saw."""

    total: int
    currency: str
    expected: str

    def __str__(self) -> str:
        return self.says.format(total=spelled(Money(self.total, self.currency)), expected=self.expected)


class CheckoutExpired(
    ShopError,
    kind=Kind.CONFLICT,
    code="checkout_expired",
    says="This checkout was given up. Try again with a new Idempotency-Key.",
):
    """The order of this key was released before its payment was known."""


class CannotRefund(
    ShopError, kind=Kind.CONFLICT, code="cannot_refund", says="Nothing can be given back: the payment is {state}."
):
    """No money of the order was taken, or all of it went back."""

    state: str
