"""What buyers think of products: written by those who bought, shown after staff looked, counted without a hot row."""

from tfmshop.commerce.reviews import cached
from tfmshop.commerce.reviews import jobs as jobs
from tfmshop.commerce.reviews.browse import Page, Review, erase, of_customer, published, waiting
from tfmshop.commerce.reviews.errors import AlreadyReviewed, NotBought, ReviewNotFound
from tfmshop.commerce.reviews.moderate import moderate
from tfmshop.commerce.reviews.write import NewReview, public_name, write

__all__ = [
    "AlreadyReviewed",
    "NewReview",
    "NotBought",
    "Page",
    "Review",
    "ReviewNotFound",
    "cached",
    "erase",
    "moderate",
    "of_customer",
    "public_name",
    "published",
    "waiting",
    "write",
]
