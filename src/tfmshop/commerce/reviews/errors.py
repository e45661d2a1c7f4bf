"""What can go wrong with reviews."""

from tfmshop.platform.errors import Kind, ShopError


class NotBought(ShopError, kind=Kind.FORBIDDEN, code="not_bought", says="Only who bought the product can review it."):
    """The person has no paid order with the product."""


class AlreadyReviewed(
    ShopError, kind=Kind.CONFLICT, code="already_reviewed", says="You have reviewed this product already."
):
    """One review for each person and product."""


class ReviewNotFound(ShopError, kind=Kind.NOT_FOUND, code="review_not_found", says="There is no such review."):
    """No review has the id `review`."""

    review: str
