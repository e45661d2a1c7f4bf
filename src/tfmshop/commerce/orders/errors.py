"""What can go wrong with an order."""

from tfmshop.platform.errors import Kind, ShopError


class OrderNotFound(ShopError, kind=Kind.NOT_FOUND, code="order_not_found", says="There is no such order."):
    """No order of the caller has that id or number; a foreign order looks the same."""


class ReturnNotFound(ShopError, kind=Kind.NOT_FOUND, code="return_not_found", says="There is no such return."):
    """No return has that id."""


class CannotReturn(ShopError, kind=Kind.CONFLICT, code="cannot_return", says="{left} of {sku} can be returned."):
    """Fewer units of it were sent, or the rest is on its way back."""

    sku: str
    left: int


class ReturnDecided(ShopError, kind=Kind.CONFLICT, code="return_decided", says="The return is {status} already."):
    """Staff received or refused it before."""

    status: str


class CannotShip(ShopError, kind=Kind.CONFLICT, code="cannot_ship", says="{left} of {sku} can be sent."):
    """Fewer units of it are left to be sent, or the order has none."""

    sku: str
    left: int


class CannotEdit(ShopError, kind=Kind.CONFLICT, code="cannot_edit", says="The order cannot be changed: {why}."):
    """It was sent, is not paid, its buyer was forgotten, or the change would need more money or another invoice."""

    why: str


class NoInvoice(
    ShopError, kind=Kind.CONFLICT, code="no_invoice", says="There is no invoice for an order that is {status}."
):
    """Nothing of the order was sent yet, or its money went back before an invoice was written."""

    status: str


class CannotMove(
    ShopError,
    kind=Kind.CONFLICT,
    code="order_cannot_move",
    says="An order that is {status} cannot become {wanted}.",
):
    """The table of moves does not allow it."""

    status: str
    wanted: str
