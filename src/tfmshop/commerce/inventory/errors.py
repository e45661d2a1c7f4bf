"""What can go wrong with stock."""

from tfmshop.platform.errors import Kind, ShopError


class OutOfStock(ShopError, kind=Kind.CONFLICT, code="out_of_stock", says="Only {free} of {sku} left."):
    """Fewer units are free than were wanted."""

    sku: str
    free: int


class WarehouseNotFound(
    ShopError, kind=Kind.NOT_FOUND, code="warehouse_not_found", says="There is no stock in a warehouse {warehouse}."
):
    """No warehouse has that code, or it holds no stock of the variant."""

    warehouse: str


class StaleLevel(
    ShopError,
    kind=Kind.STALE,
    code="stale_level",
    says="There are {free} of {sku} by now, not what was counted.",
):
    """Units were sold or came since they were counted."""

    sku: str
    free: int


class TooManyOwed(
    ShopError, kind=Kind.CONFLICT, code="too_many_owed", says="More units of {sku} are owed already than that."
):
    """A backorder limit below what buyers were promised."""

    sku: str
