"""What can go wrong with the catalogue."""

from tfmshop.platform.errors import Kind, ShopError


class ProductNotFound(ShopError, kind=Kind.NOT_FOUND, code="product_not_found", says="There is no such product."):
    """No product on sale has that id or slug."""


class CategoryNotFound(ShopError, kind=Kind.NOT_FOUND, code="category_not_found", says="There is no such category."):
    """No category has that id or slug."""


class PageTooDeep(
    ShopError,
    kind=Kind.INVALID,
    code="page_too_deep",
    says="Pages end after {most} products; follow next_cursor to go further.",
):
    """The page lies beyond the bound of LIMIT/OFFSET."""

    most: int
