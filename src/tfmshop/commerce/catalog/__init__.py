"""What we sell: products, variants, categories, prices, pictures."""

from tfmshop.commerce.catalog import (
    arrange,
    attributes,
    cached,
    edit,
    errors,
    keep,
    model,
    pictures,
    snapshot,
    variants,
)
from tfmshop.commerce.catalog import jobs as jobs
from tfmshop.commerce.catalog.load import Loaded, Loader
from tfmshop.commerce.catalog.model import CategoryPage, NewProduct, NewVariant
from tfmshop.commerce.catalog.show import featured, related, show, show_category, tree

__all__ = [
    "CategoryPage",
    "Loaded",
    "Loader",
    "NewProduct",
    "NewVariant",
    "arrange",
    "attributes",
    "cached",
    "edit",
    "errors",
    "featured",
    "keep",
    "model",
    "pictures",
    "related",
    "show",
    "show_category",
    "snapshot",
    "tree",
    "variants",
]
