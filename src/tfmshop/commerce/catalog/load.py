"""Adding and updating many products at once: one COPY and a handful of statements for a batch of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce.catalog import attributes
from tfmshop.commerce.catalog.brands import Brands
from tfmshop.commerce.catalog.categories import CategoryPaths
from tfmshop.commerce.catalog.errors import BadSpecification
from tfmshop.commerce.catalog.match import Known, hold, identity, same, with_its_sku
from tfmshop.commerce.catalog.model import NewProduct
from tfmshop.commerce.catalog.slugs import free_slugs
from tfmshop.commerce.catalog.snapshot import take
from tfmshop.commerce.catalog.store import (
    COPY_PICTURES,
    COPY_VARIANTS,
    DROP_PICTURES,
    FIND_IMPORTED,
    FIND_VARIANTS,
    SAVE_STAGED,
    SHOW_VARIANTS,
    STAGE_PRODUCTS,
    UPDATE_VARIANTS,
)
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Tx, columns

_Accepted = tuple[NewProduct, UUID, Known | None]
MakeId = Callable[[datetime], UUID]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one product: its id, its variants by SKU, and the stock of each where the source tells it."""

    product_id: UUID
    created: bool
    variants: dict[str, UUID]
    stock: dict[UUID, tuple[str, int]]
    before: str | None = None
    """How it was, as `catalog.snapshot` takes it, where the loader remembers."""


@dataclass(slots=True)
class Loader:
    """Loads batches; remembers the categories and brands it has met."""

    make_id: MakeId = lambda _: ids.new()
    remember: bool = False
    categories: CategoryPaths = field(default_factory=CategoryPaths)
    brands: Brands = field(default_factory=Brands)

    async def load(self, tx: Tx, products: list[NewProduct]) -> list[Loaded | str]:
        """Add or update `products`; for each, what became of it or the reason it was refused (then it changed nothing).

        A product is the same as one in the shop when `external_id` is, or, without one, `sku`. All of `products` must
        differ in both. Nobody else changes them meanwhile.
        """
        now = clock.now()
        existing = await hold(tx, products)
        products = [with_its_sku(one, existing.get(identity(one))) for one in products]
        owners = await self._owners_of_skus(tx, products)
        outcome: list[Loaded | str] = []
        accepted: list[_Accepted] = []
        met: set[UUID] = set()
        for product in products:
            known = existing.get(identity(product))
            id = known.id if known else self.make_id(product.published_at or now)
            taken = next((sku for sku in product.skus if owners.get(sku, id) != id), None)
            reason = "" if taken is None else f"sku {taken!r} belongs to another product"
            reason = reason or ("another row is the same product" if id in met else "")
            outcome.append(reason)
            if not reason:
                accepted.append((product, id, known))
                met.add(id)
        await self.categories.ensure(tx, [p.category for p, *_ in accepted if p.category], self.make_id, now)
        await self.brands.ensure(tx, [p.brand for p, *_ in accepted if p.brand], self.make_id, now)
        accepted = await self._fitting(tx, accepted, outcome)
        before = await take(tx, [id for _, id, known in accepted if known]) if self.remember else {}
        loaded = iter(await self._save(tx, accepted, before, now))
        return [reason or next(loaded) for reason in outcome]

    async def _fitting(self, tx: Tx, accepted: list[_Accepted], outcome: list[Loaded | str]) -> list[_Accepted]:
        """Those with specifications as their attributes say, numbers in their units; for others, the reason."""
        known = await attributes.of(tx, {self._category_of(p, there) for p, _, there in accepted})
        if not known:
            return accepted
        fitting: list[_Accepted] = []
        places = [place for place, reason in enumerate(outcome) if not reason]
        for place, (product, id, there) in zip(places, accepted, strict=True):
            definitions = known.get(self._category_of(product, there), {})
            try:
                given = attributes.as_defined(definitions, product.specifications)
                fitting.append((msgspec.structs.replace(product, specifications=given), id, there))
            except BadSpecification as error:
                outcome[place] = str(error)
        return fitting

    def _category_of(self, product: NewProduct, known: Known | None) -> UUID | None:
        """Where a product will be."""
        kept = known is not None and "category" in product.kept
        return known.category if known and kept else self.categories.id_of(product.category)

    @staticmethod
    async def knows(tx: Tx, external_id: str) -> bool:
        """Whether a product with that external id is there already."""
        return bool(await tx.rows(FIND_IMPORTED, [external_id], []))

    async def _owners_of_skus(self, tx: Tx, products: list[NewProduct]) -> dict[str, UUID]:
        skus = [sku for product in products for sku in product.skus]
        return {row["sku"]: row["product_id"] for row in await tx.rows(FIND_VARIANTS, skus)}

    async def _save(self, tx: Tx, accepted: list[_Accepted], before: dict[UUID, str], now: datetime) -> list[Loaded]:
        slugs = await free_slugs(tx, [(p, id) for p, id, known in accepted if known is None])
        batch = ids.new()
        await tx.copy(STAGE_PRODUCTS, [self._staged(batch, p, id, slugs.get(id, "")) for p, id, _ in accepted])
        await tx.execute(SAVE_STAGED, batch, now)
        loaded = []
        added: list[tuple[object, ...]] = []
        changed: list[tuple[object, ...]] = []
        for product, id, known in accepted:
            variants: dict[str, UUID] = {}
            stock: dict[UUID, tuple[str, int]] = {}
            position = known.last if known else -1
            for new in product.sold_as:
                compare_at = product.compare_at(new)
                variant = same(known, product, new)
                if variant is not None:
                    options = None if new.options is None else codec.encode_text(new.options)
                    keeps = new.compare_at_price is msgspec.UNSET and "compare_at_price" in product.kept
                    changed.append((variant, new.sku, new.price, compare_at, product.currency, new.title, options,
                                    new.weight_g, new.barcode, keeps))  # fmt: skip
                else:
                    position += 1
                    variant = self.make_id(product.published_at or now)
                    options = codec.encode_text(new.options or {})
                    added.append((variant, id, new.sku, new.title or "", options, new.price, compare_at,
                                  product.currency, position, new.weight_g, new.barcode, now))  # fmt: skip
                variants[new.sku] = variant
                if new.stock is not None or known is None or variant not in known.variants.values():
                    stock[variant] = (new.sku, new.stock or 0)
            loaded.append(Loaded(id, known is None, variants, stock, before.get(id)))
        if changed:
            await tx.execute(UPDATE_VARIANTS, *columns(changed))
        await tx.copy(COPY_VARIANTS, added)
        if updated := [id for _, id, known in accepted if known]:
            await tx.execute(SHOW_VARIANTS, updated)
        await self._save_pictures(tx, accepted, loaded, now)
        return loaded

    def _staged(self, batch: UUID, p: NewProduct, id: UUID, free_slug: str) -> tuple[object, ...]:
        lead = p.sold_as[0]
        return (
            batch, id, p.external_id, free_slug or str(id), p.title, p.model, p.description, self.brands.id_of(p.brand),
            p.brand,
            self.categories.id_of(p.category), p.sku, lead.price, p.compare_at(lead), p.currency,
            p.pictures[0] if p.pictures else None, p.tags, codec.encode_text(p.specifications),
            p.published_at, p.rating, p.review_count, p.popularity, p.badge,
            any(variant.stock for variant in p.sold_as), p.codes, p.status, list(p.kept), p.tax_class,
        )  # fmt: skip

    async def _save_pictures(self, tx: Tx, accepted: list[_Accepted], loaded: list[Loaded], now: datetime) -> None:
        told = [(one, out) for one, out in zip(accepted, loaded, strict=True)
                if one[2] is None or "pictures" not in one[0].kept]  # fmt: skip
        known = [id for (_, id, there), _ in told if there is not None]
        had = {(row["product_id"], row["url"]): row for row in (await tx.rows(DROP_PICTURES, known) if known else ())}
        rows: list[tuple[object, ...]] = []
        for (product, id, _), outcome in told:
            shown = {variant.picture: variant.sku for variant in reversed(product.variants) if variant.picture}
            for position, url in enumerate(product.pictures):
                variant = outcome.variants.get(shown.get(url, ""))
                if old := had.pop((id, url), None):
                    rows.append((old["id"], id, url, old["alt"], position, variant or old["variant_id"]))
                else:
                    rows.append((self.make_id(now), id, url, product.title, position, variant))
        await tx.copy(COPY_PICTURES, rows)
