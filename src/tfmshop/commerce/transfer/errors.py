"""What can go wrong with imports and exports."""

from tfmshop.platform.errors import Kind, ShopError


class CannotImport(ShopError, kind=Kind.INVALID, code="cannot_import", says="{why}"):
    """The file cannot be read, or not to its end."""

    why: str


class ImportNotFound(ShopError, kind=Kind.NOT_FOUND, code="import_not_found", says="There is no such import."):
    """No import has that id."""


class CannotUndo(ShopError, kind=Kind.CONFLICT, code="cannot_undo", says="The import cannot be undone: {why}."):
    """The import was undone before, is not finished, or its products were changed since."""

    why: str
