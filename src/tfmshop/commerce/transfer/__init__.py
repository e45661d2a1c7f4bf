"""Products in and out of files: imports with a dry run and undo, Shopify's files, exports, category trees."""

from tfmshop.commerce.transfer import by_hand, errors, staged, trees
from tfmshop.commerce.transfer import jobs as jobs
from tfmshop.commerce.transfer.bring_in import Import
from tfmshop.commerce.transfer.difference import ProductChange
from tfmshop.commerce.transfer.errors import CannotImport, CannotUndo, ImportNotFound
from tfmshop.commerce.transfer.mapping import Mapping
from tfmshop.commerce.transfer.outcome import Outcome
from tfmshop.commerce.transfer.run import Listed, imports
from tfmshop.commerce.transfer.send_out import count, export
from tfmshop.commerce.transfer.undo import Undone, undo
from tfmshop.commerce.transfer.values import BadImport

__all__ = [
    "BadImport",
    "CannotImport",
    "CannotUndo",
    "Import",
    "ImportNotFound",
    "Listed",
    "Mapping",
    "Outcome",
    "ProductChange",
    "Undone",
    "by_hand",
    "count",
    "errors",
    "export",
    "imports",
    "staged",
    "trees",
    "undo",
]
