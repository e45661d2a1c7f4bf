"""What we sell: products, variants, categories, prices, pictures."""

from tfmshop.commerce.catalog import arrange, attributes, cached, edit, errors, keep, snapshot
from tfmshop.commerce.catalog import jobs as jobs
from tfmshop.commerce.catalog.load import Loaded, Loader
from tfmshop.commerce.catalog.model import (
    Branch,
    CategoryPage,
    Item,
    NewProduct,
    NewVariant,
    Product,
)
from tfmshop.commerce.catalog.show import featured, related, show, show_category, tree

__all__ = [
    "Branch",
    "CategoryPage",
    "Item",
    "Loaded",
    "Loader",
    "NewProduct",
    "NewVariant",
    "Product",
    "arrange",
    "attributes",
    "cached",
    "edit",
    "errors",
    "featured",
    "keep",
    "related",
    "show",
    "show_category",
    "snapshot",
    "tree",
]
