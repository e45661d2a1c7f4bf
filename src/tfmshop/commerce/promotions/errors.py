"""What can go wrong with offers."""

from tfmshop.platform.errors import Kind, ShopError


class CouponExhausted(ShopError, kind=Kind.CONFLICT, code="coupon_exhausted", says="{name} cannot be used any more."):
    """The offer was used as often as it may be, by all or by this buyer."""

    name: str


class CouponInvalid(ShopError, kind=Kind.CONFLICT, code="coupon_invalid", says="This coupon does not hold: {why}."):
    """No offer has that code, or it takes nothing off this cart."""

    why: str


class OfferNotFound(ShopError, kind=Kind.NOT_FOUND, code="offer_not_found", says="There is no such running offer."):
    """No running offer has that code or id."""


class BadOffer(ShopError, kind=Kind.CONFLICT, code="offer_invalid", says="That cannot be an offer: {why}."):
    """The parts of an offer do not go together."""

    why: str


class StaleOffer(
    ShopError, kind=Kind.STALE, code="stale_offer", says="It was changed meanwhile: it is at version {version} now."
):
    """Somebody else changed the offer first."""

    version: int
