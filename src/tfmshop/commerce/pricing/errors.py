"""What can go wrong with taxes and shipping."""

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


class NotDeliverable(
    ShopError, kind=Kind.CONFLICT, code="not_deliverable", says="Nothing is sent to that address: {why}."
):
    """No shipping method serves the address and weight of the order."""

    why: str
