"""What can go wrong with prices, taxes and shipping."""

from tfmshop.platform.errors import Kind, ShopError


class RateNotFound(ShopError, kind=Kind.NOT_FOUND, code="tax_rate_not_found", says="There is no such tax rate."):
    """No rate for that country, region and class."""


class MethodNotFound(
    ShopError, kind=Kind.NOT_FOUND, code="shipping_method_not_found", says="There is no shipping method {method}."
):
    """No shipping method has that code, or it does not serve the cart."""

    method: str


class BadMethod(ShopError, kind=Kind.INVALID, code="shipping_method_invalid", says="That cannot be: {why}."):
    """A shipping method whose steps cannot be worked with."""

    why: str


class PriceListNotFound(
    ShopError, kind=Kind.NOT_FOUND, code="price_list_not_found", says="There is no price list {name}."
):
    """No price list has that code."""

    name: str


class BadPriceList(ShopError, kind=Kind.INVALID, code="price_list_invalid", says="That cannot be: {why}."):
    """A price list, or a price on it, that cannot be kept."""

    why: str


class SaleNotFound(ShopError, kind=Kind.NOT_FOUND, code="sale_not_found", says="No such sale is planned or running."):
    """No sale has that id, or it is over."""


class BadSale(ShopError, kind=Kind.INVALID, code="sale_invalid", says="The sale cannot be: {why}."):
    """A sale that lowers nothing, ends before it starts, or meets another one of the same variant."""

    why: str


class NotDeliverable(
    ShopError, kind=Kind.CONFLICT, code="not_deliverable", says="Nothing is sent to that address: {why}."
):
    """No shipping method serves the address and weight of the order."""

    why: str
