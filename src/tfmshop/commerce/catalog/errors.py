"""What can go wrong with the catalogue."""

from tfmshop.platform.errors import Kind, ShopError


class ProductNotFound(ShopError, kind=Kind.NOT_FOUND, code="product_not_found", says="There is no such product."):
    """No product on sale has that id or slug."""


class CategoryNotFound(ShopError, kind=Kind.NOT_FOUND, code="category_not_found", says="There is no such category."):
    """No category has that id or slug."""


class Moved(Exception):
    """What was asked for is found under another slug now."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class PictureNotFound(ShopError, kind=Kind.NOT_FOUND, code="picture_not_found", says="There is no such picture."):
    """No picture has that id."""


class SlugTaken(ShopError, kind=Kind.CONFLICT, code="slug_taken", says="Something else is called {slug!r} already."):
    """Another product or category has that slug."""

    slug: str


class StaleVersion(
    ShopError, kind=Kind.STALE, code="stale_version", says="It was changed meanwhile: it is at version {version} now."
):
    """Somebody else changed it first."""

    version: int


class BadSpecification(ShopError, kind=Kind.CONFLICT, code="bad_specification", says="{name}: {why}."):
    """A specification is not what its attribute says."""

    name: str
    why: str


class BadPrice(
    ShopError, kind=Kind.CONFLICT, code="bad_price", says="The price to compare with must be above the price."
):
    """The former price is not above the price."""


class SkuTaken(ShopError, kind=Kind.CONFLICT, code="sku_taken", says="Another variant has the SKU {sku!r}."):
    """SKUs are of one variant each, in all of the shop."""

    sku: str


class VariantStays(
    ShopError, kind=Kind.CONFLICT, code="cannot_change_variants", says="The variants stay as they are: {why}."
):
    """It is the only variant, was sold, or there are too many."""

    why: str


class AttributeNotFound(
    ShopError, kind=Kind.NOT_FOUND, code="attribute_not_found", says="The category defines no such attribute."
):
    """Nothing in the category itself says what the specification means."""


class CannotMoveCategory(
    ShopError, kind=Kind.CONFLICT, code="cannot_move_category", says="The category cannot go there: {why}."
):
    """The category would be below itself, or too deep."""

    why: str


class CategoryInUse(
    ShopError, kind=Kind.CONFLICT, code="category_in_use", says="The category has products or categories in it."
):
    """The category is not empty."""
