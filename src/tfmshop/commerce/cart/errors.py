"""What can go wrong with a cart."""

from tfmshop.platform.errors import Kind, ShopError


class CartNotFound(ShopError, kind=Kind.NOT_FOUND, code="cart_not_found", says="There is no such cart."):
    """No cart of the caller has that id; a foreign cart looks the same."""


class CartOrdered(ShopError, kind=Kind.CONFLICT, code="cart_ordered", says="This cart was ordered already."):
    """The cart became an order and cannot change any more."""


class LineNotFound(ShopError, kind=Kind.NOT_FOUND, code="line_not_found", says="There is no such line in the cart."):
    """The cart has no line with that id."""


class TooManyLines(ShopError, kind=Kind.CONFLICT, code="too_many_lines", says="A cart holds at most {most} lines."):
    """The cart is full."""

    most: int


class TooMany(ShopError, kind=Kind.CONFLICT, code="quantity_too_large", says="A line holds at most {most} units."):
    """A line would hold more units than allowed."""

    most: int


class WrongCurrency(
    ShopError,
    kind=Kind.CONFLICT,
    code="wrong_currency",
    says="The cart is in {cart}, the product in {product}.",
):
    """A cart has one currency."""

    cart: str
    product: str
