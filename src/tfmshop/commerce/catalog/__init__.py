"""What we sell: products, variants, categories, prices, pictures."""

from tfmshop.commerce.catalog.browse import Wanted, browse
from tfmshop.commerce.catalog.errors import ProductNotFound
from tfmshop.commerce.catalog.import_run import ImportRun
from tfmshop.commerce.catalog.keep import add_popularity, newest, refresh_stock
from tfmshop.commerce.catalog.load import Loader
from tfmshop.commerce.catalog.mapping import Mapping
from tfmshop.commerce.catalog.model import (
    Branch,
    CategoryPage,
    Item,
    Listing,
    NewProduct,
    NewVariant,
    Product,
)
from tfmshop.commerce.catalog.show import show, show_category, tree
from tfmshop.commerce.catalog.values import BadImport

__all__ = [
    "BadImport",
    "Branch",
    "CategoryPage",
    "ImportRun",
    "Item",
    "Listing",
    "Loader",
    "Mapping",
    "NewProduct",
    "NewVariant",
    "Product",
    "ProductNotFound",
    "Wanted",
    "add_popularity",
    "browse",
    "newest",
    "refresh_stock",
    "show",
    "show_category",
    "tree",
]
