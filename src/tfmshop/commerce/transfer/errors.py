"""What can go wrong with imports and exports."""

from typing import Final

from tfmshop.platform.errors import Kind, ShopError

IN_THE_WAY: Final = {
    "variant_sku": "a SKU that one of its products had belongs to another variant now",
    "product_external_id": "an external id that one of its products had belongs to another product now",
    "product_brand_fkey": "a brand that one of its products had is gone: undo the later import first",
    "product_category_fkey": "a category that one of its products had is gone",
}
"""What keeps products from being as they were, by the constraint that says so."""


class CannotImport(ShopError, kind=Kind.INVALID, code="cannot_import", says="{why}"):
    """The file cannot be read, or not to its end."""

    why: str


class BadMapping(ShopError, kind=Kind.CONFLICT, code="bad_mapping", says="The mapping cannot be used: {why}."):
    """It is no TOML, or names what does not exist."""

    why: str


class TakenOver(ShopError, kind=Kind.UNAVAILABLE, code="import_taken_over", says="{why}"):
    """The same import runs elsewhere, which goes on with it, or it was taken back."""

    why: str


class ImportNotFound(ShopError, kind=Kind.NOT_FOUND, code="import_not_found", says="There is no such import."):
    """No import has that id."""


class NotNow(
    ShopError,
    kind=Kind.CONFLICT,
    code="import_not_ready",
    says="The import is {state}. It is applied once it is tried, and undone once it is applied.",
):
    """It is applied after it was tried, and undone after it was applied, each once."""

    state: str


class CannotUndo(ShopError, kind=Kind.CONFLICT, code="cannot_undo", says="The import cannot be undone: {why}."):
    """The import was undone before, is not finished, or its products were changed since."""

    why: str
