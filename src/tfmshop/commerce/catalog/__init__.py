"""What we sell: products, variants, categories, prices, pictures."""

from tfmshop.commerce.catalog import arrange, attributes, edit
from tfmshop.commerce.catalog import jobs as jobs
from tfmshop.commerce.catalog.errors import Moved, ProductNotFound
from tfmshop.commerce.catalog.import_run import ImportRun
from tfmshop.commerce.catalog.keep import add_popularity, newest, refresh_stock
from tfmshop.commerce.catalog.load import Loader
from tfmshop.commerce.catalog.mapping import Mapping
from tfmshop.commerce.catalog.model import (
    Branch,
    CategoryPage,
    Item,
    NewProduct,
    NewVariant,
    Product,
)
from tfmshop.commerce.catalog.show import featured, related, show, show_category, tree
from tfmshop.commerce.catalog.values import BadImport

__all__ = [
    "BadImport",
    "Branch",
    "CategoryPage",
    "ImportRun",
    "Item",
    "Loader",
    "Mapping",
    "Moved",
    "NewProduct",
    "NewVariant",
    "Product",
    "ProductNotFound",
    "add_popularity",
    "arrange",
    "attributes",
    "edit",
    "featured",
    "newest",
    "refresh_stock",
    "related",
    "show",
    "show_category",
    "tree",
]
