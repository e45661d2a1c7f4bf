"""What can go wrong with stock."""

from tfmshop.platform.errors import Kind, ShopError


class OutOfStock(ShopError, kind=Kind.CONFLICT, code="out_of_stock", says="Only {free} of {sku} left."):
    """Fewer units are free than were wanted."""

    sku: str
    free: int
