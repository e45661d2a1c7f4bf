"""Products and categories as the shop shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import msgspec
from msgspec import Meta

from tfmshop.commerce.vocabulary import Money

Facts = dict[Annotated[str, Meta(min_length=1, max_length=200)], str | float | int | bool | None]
"""Specifications: what they are called, and what they are."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """A product in a list."""

    id: UUID
    slug: str
    sku: str
    external_id: str | None
    title: str
    brand: str | None
    price: Money
    compare_at_price: Money | None
    rating: float
    review_count: int
    in_stock: bool
    image: str | None
    badge: str | None

    @classmethod
    def of(cls, columns: Sequence[Any], *more: object) -> Self:
        """The item in the columns of `store.ITEM`; `more` are the fields that a subclass adds."""
        (id, slug, sku, external_id, title, brand, price, compare_at, currency, rating, reviews, in_stock, image,
         badge) = columns  # fmt: skip
        return cls(
            id, slug, sku, external_id, title, brand, Money(price, currency),
            None if compare_at is None else Money(compare_at, currency), round(rating, 2), reviews, in_stock, image,
            badge, *more,
        )  # fmt: skip


class Variant(msgspec.Struct, frozen=True):
    """One thing that can be bought: a product with its options chosen."""

    id: UUID
    sku: str
    title: str
    options: dict[str, str]
    price: Money
    compare_at_price: Money | None
    available: int
    in_stock: bool
    weight_g: int | None = None
    barcode: str | None = None
    lowest_price_30_days: Money | None = None
    """The lowest price of the 30 days before the present one began; None when the price never changed."""


class Picture(msgspec.Struct, frozen=True):
    """A picture of a product, or of one of its variants."""

    id: UUID
    url: str
    alt: str
    variant_id: UUID | None


class Attribute(msgspec.Struct, frozen=True):
    """What a specification means: its label, its kind (`text`, `number`, `flag`), and the unit of a number."""

    label: str
    kind: str
    unit: str | None


class Crumb(msgspec.Struct, frozen=True):
    """A category on the way from the root."""

    id: UUID
    slug: str
    name: str


class Reviews(msgspec.Struct, frozen=True):
    """What buyers think, in short."""

    rating: float
    count: int


class Product(Item, frozen=True):
    """The whole page of a product."""

    model: str | None
    description: str
    tags: list[str]
    specifications: Facts
    attributes: dict[str, Attribute]
    options: dict[str, list[str]]
    variants: list[Variant]
    pictures: list[Picture]
    breadcrumbs: list[Crumb]
    reviews: Reviews
    related: list[Item]
    published_at: datetime
    updated_at: datetime
    version: int


class Category(msgspec.Struct, frozen=True):
    """A category; `product_count` includes its descendants."""

    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    product_count: int


class Branch(msgspec.Struct, frozen=True):
    """A category with everything below it."""

    id: UUID
    slug: str
    name: str
    product_count: int
    children: list[Branch]


class CategoryPage(msgspec.Struct, frozen=True):
    """A category with the way to it and the categories right below."""

    id: UUID
    slug: str
    name: str
    product_count: int
    breadcrumbs: list[Crumb]
    children: list[Category]


class NewVariant(msgspec.Struct, kw_only=True):
    """A variant of a product to be added."""

    sku: str
    title: str | None = None
    options: dict[str, str] | None = None
    price: int
    stock: int | None = None
    """None, as for `title` and `options`: nothing when it is new, otherwise as it is."""
    compare_at_price: int | msgspec.UnsetType | None = msgspec.UNSET
    weight_g: int | None = None
    barcode: str | None = None
    picture: str | None = None
    """One of the product's pictures."""


class NewProduct(msgspec.Struct, kw_only=True):
    """A product to be added or brought up to date; `external_id` or `sku` tells which. Amounts in minor units."""

    sku: str
    title: str
    price: int
    currency: str
    external_id: str | None = None
    model: str | None = None
    description: str = ""
    brand: str | None = None
    category: tuple[str, ...] = ()
    compare_at_price: int | None = None
    tags: list[str] = msgspec.field(default_factory=list)
    specifications: dict[str, Any] = msgspec.field(default_factory=dict)
    pictures: list[str] = msgspec.field(default_factory=list)
    published_at: datetime | None = None
    stock: int | None = None
    variants: list[NewVariant] = msgspec.field(default_factory=list)
    rating: float = 0.0
    review_count: int = 0
    popularity: int = 0
    badge: str | None = None
    status: str | None = None
    """None: on sale when it is new, otherwise as it is."""
    tax_class: str | None = None
    """None: `standard` when it is new, otherwise as it is."""
    slug: str | None = None
    """Wanted for a new product; made from the title without it."""
    kept: frozenset[str] = frozenset()
    """What the source says nothing of: a product that is known keeps it. `sku`: those here are made up."""

    @property
    def sold_as(self) -> list[NewVariant]:
        """Its variants; a product without any is sold as one."""
        return self.variants or [NewVariant(sku=self.sku, price=self.price, stock=self.stock)]

    @property
    def skus(self) -> list[str]:
        """The SKU of each variant."""
        return [variant.sku for variant in self.sold_as]

    def compare_at(self, variant: NewVariant) -> int | None:
        """The former price of a variant, or of all; it only counts when it is above the present one."""
        own = variant.compare_at_price
        former = self.compare_at_price if own is msgspec.UNSET else own
        return former if former is not None and former > variant.price else None

    @property
    def codes(self) -> list[str]:
        """What it is found by: SKUs and barcodes."""
        return [*self.skus, *(variant.barcode for variant in self.variants if variant.barcode)]


def options_of(variants: list[Variant]) -> dict[str, list[str]]:
    """Every option with its values in order of appearance: `{"size": ["S", "M"]}`."""
    options: dict[str, list[str]] = {}
    for variant in variants:
        for name, value in variant.options.items():
            values = options.setdefault(name, [])
            if value not in values:
                values.append(value)
    return options


def in_tree(rows: list[Category]) -> list[Branch]:
    """Categories with counts of their own (parents need not come first) as a forest with counts of everything below."""
    below: dict[UUID | None, list[Category]] = {}
    for row in rows:
        below.setdefault(row.parent_id, []).append(row)

    def branch(row: Category) -> Branch:
        children = [branch(child) for child in below.get(row.id, [])]
        count = row.product_count + sum(child.product_count for child in children)
        return Branch(row.id, row.slug, row.name, count, children)

    return [branch(row) for row in below.get(None, [])]
