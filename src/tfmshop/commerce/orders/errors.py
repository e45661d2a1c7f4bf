"""What can go wrong with an order."""

from tfmshop.platform.errors import Kind, ShopError


class OrderNotFound(ShopError, kind=Kind.NOT_FOUND, code="order_not_found", says="There is no such order."):
    """No order of the caller has that id or number; a foreign order looks the same."""


class CannotShip(ShopError, kind=Kind.CONFLICT, code="cannot_ship", says="{left} of {sku} can be sent."):
    """Fewer units of it are left to be sent, or the order has none."""

    sku: str
    left: int


class CannotMove(
    ShopError,
    kind=Kind.CONFLICT,
    code="order_cannot_move",
    says="An order that is {status} cannot become {wanted}.",
):
    """The table of moves does not allow it."""

    status: str
    wanted: str
