"""Adding and updating many products at once: one COPY and a handful of statements for a batch of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.catalog.brands import Brands
from tfmshop.commerce.catalog.categories import CategoryPaths
from tfmshop.commerce.catalog.model import NewProduct, NewVariant
from tfmshop.commerce.catalog.store import (
    COPY_PICTURES,
    COPY_VARIANTS,
    DROP_PICTURES,
    FIND_IMPORTED,
    FIND_VARIANTS,
    SAVE_STAGED,
    STAGE_PRODUCTS,
    TAKEN_SLUGS,
    UPDATE_VARIANTS,
)
from tfmshop.commerce.vocabulary import slug
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Tx

MakeId = Callable[[datetime], UUID]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one product: its ids, and the stock of each variant where the source tells it."""

    product_id: UUID
    created: bool
    stock: dict[UUID, tuple[str, int]]


@dataclass(slots=True)
class Loader:
    """Loads batches; remembers the categories and brands it has met."""

    make_id: MakeId = lambda _: ids.new()
    _paths: CategoryPaths = field(default_factory=CategoryPaths)
    _brands: Brands = field(default_factory=Brands)

    async def load(self, tx: Tx, products: list[NewProduct]) -> list[Loaded | str]:
        """Add or update `products`; for each, what became of it or the reason it was refused (then it changed nothing).

        A product is the same as one in the shop when `external_id` is, or, without one, `sku`. All of `products` must
        differ in both.
        """
        now = clock.now()
        existing = await self._existing(tx, products)
        owners = await self._owners_of_skus(tx, products)
        outcome: list[Loaded | str] = []
        accepted: list[tuple[NewProduct, UUID, UUID | None]] = []
        for product in products:
            known = existing.get(product.external_id or product.sku)
            id = known[0] if known else self.make_id(product.published_at or now)
            if (taken := self._taken(product, id, owners)) is not None:
                outcome.append(f"sku {taken!r} belongs to another product")
                continue
            accepted.append((product, id, known[1] if known else None))
            outcome.append("")
        await self._paths.ensure(tx, [p.category for p, *_ in accepted if p.category], self.make_id, now)
        await self._brands.ensure(tx, [p.brand for p, *_ in accepted if p.brand], self.make_id, now)
        loaded = iter(await self._save(tx, accepted, now))
        return [reason or next(loaded) for reason in outcome]

    @staticmethod
    async def knows(tx: Tx, external_id: str) -> bool:
        """Whether a product with that external id is there already."""
        return bool(await tx.rows(FIND_IMPORTED, [external_id], []))

    @staticmethod
    def _taken(product: NewProduct, id: UUID, owners: Mapping[str, UUID]) -> str | None:
        for sku in _skus(product):
            if owners.get(sku, id) != id:
                return sku
        return None

    async def _existing(self, tx: Tx, products: list[NewProduct]) -> dict[str, tuple[UUID, UUID]]:
        rows = await tx.rows(
            FIND_IMPORTED,
            [p.external_id for p in products if p.external_id],
            [p.sku for p in products if not p.external_id],
        )
        found = {row["sku"]: (row["id"], row["variant_id"]) for row in rows if row["external_id"] is None}
        found |= {row["external_id"]: (row["id"], row["variant_id"]) for row in rows if row["external_id"]}
        return found

    async def _owners_of_skus(self, tx: Tx, products: list[NewProduct]) -> dict[str, UUID]:
        skus = [sku for product in products for sku in _skus(product)]
        return {row["sku"]: row["product_id"] for row in await tx.rows(FIND_VARIANTS, skus)}

    async def _save(self, tx: Tx, accepted: list[tuple[NewProduct, UUID, UUID | None]], now: datetime) -> list[Loaded]:
        slugs = await _free_slugs(tx, [(p, id) for p, id, variant in accepted if variant is None])
        batch = ids.new()
        await tx.copy(STAGE_PRODUCTS, [self._staged(batch, p, id, slugs.get(id, ""), now) for p, id, _ in accepted])
        await tx.execute(SAVE_STAGED, batch, now)
        await self._update_variants(tx, [(p, variant) for p, _, variant in accepted if variant is not None])
        loaded = []
        new_variants = []
        for product, id, variant in accepted:
            stock: dict[UUID, tuple[str, int]] = {}
            if variant is not None and product.stock is not None:
                stock[variant] = (product.sku, product.stock)
            for position, new in enumerate(_variants(product) if variant is None else []):
                made = self.make_id(product.published_at or now)
                compare_at = _above(new.compare_at_price or product.compare_at_price, new.price)
                options = codec.encode_text(new.options)
                new_variants.append(
                    (
                        made,
                        id,
                        new.sku,
                        new.title,
                        options,
                        new.price,
                        compare_at,
                        product.currency,
                        position,
                        new.weight_g,
                        new.barcode,
                        now,
                    )
                )
                stock[made] = (new.sku, new.stock)
            loaded.append(Loaded(id, variant is None, stock))
        await tx.copy(COPY_VARIANTS, new_variants)
        await self._save_pictures(tx, accepted, now)
        return loaded

    def _staged(self, batch: UUID, p: NewProduct, id: UUID, free_slug: str, now: datetime) -> tuple[object, ...]:
        brand = self._brands.id_of(p.brand)
        return (
            batch, id, p.external_id, free_slug or str(id), p.title, p.model, p.description, brand, p.brand,
            self._paths.id_of(p.category), p.sku, p.price, _above(p.compare_at_price, p.price), p.currency,
            p.pictures[0] if p.pictures else None, p.tags, codec.encode_text(p.specifications),
            p.published_at or now, p.rating, p.review_count, p.popularity, p.badge,
            any(variant.stock > 0 for variant in _variants(p)), _codes(p), p.status,
        )  # fmt: skip

    async def _update_variants(self, tx: Tx, known: list[tuple[NewProduct, UUID]]) -> None:
        if known:
            await tx.execute(
                UPDATE_VARIANTS, [id for _, id in known], [p.sku for p, _ in known], [p.price for p, _ in known],
                [_above(p.compare_at_price, p.price) for p, _ in known], [p.currency for p, _ in known],
            )  # fmt: skip

    async def _save_pictures(self, tx: Tx, accepted: list[tuple[NewProduct, UUID, UUID | None]], now: datetime) -> None:
        known = [id for _, id, variant in accepted if variant is not None]
        if known:
            await tx.execute(DROP_PICTURES, known)
        rows = [
            (self.make_id(now), id, url, product.title, position)
            for product, id, _ in accepted
            for position, url in enumerate(product.pictures)
        ]
        await tx.copy(COPY_PICTURES, rows)


def _variants(product: NewProduct) -> list[NewVariant]:
    only = NewVariant(sku=product.sku, price=product.price, stock=product.stock or 0)
    return product.variants or [only]


def _codes(product: NewProduct) -> list[str]:
    barcodes = [variant.barcode for variant in product.variants if variant.barcode]
    return [*_skus(product), *barcodes]


def _skus(product: NewProduct) -> list[str]:
    return [variant.sku for variant in _variants(product)]


def _above(compare_at: int | None, price: int) -> int | None:
    """A former price only counts when it is above the present one."""
    return compare_at if compare_at is not None and compare_at > price else None


async def _free_slugs(tx: Tx, new: list[tuple[NewProduct, UUID]]) -> dict[UUID, str]:
    wanted = {id: slug(product.title) or "product" for product, id in new}
    taken = {row["slug"] for row in await tx.rows(TAKEN_SLUGS, list(set(wanted.values())))}
    free: dict[UUID, str] = {}
    for product, id in new:
        name = wanted[id]
        if name in taken:
            tail = slug(product.external_id or product.sku) or id.hex[-12:]
            name = f"{name}-{tail}"
        if name in taken:
            name = f"{wanted[id]}-{id.hex[-12:]}"
        taken.add(name)
        free[id] = name
    return free
