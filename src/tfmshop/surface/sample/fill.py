"""Putting a sample shop into the database, by COPY, always the same for the same seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID

from tfmshop.commerce import accounts, catalog, inventory, orders, search
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import Platform, clock, ids
from tfmshop.platform.db import Tx

BATCH: Final = 1000
MANY: Final = 20_000
"""From so many products on, the indexes of lists and search are made at the end."""
REMEMBERED: Final = 5000
"""How many products past orders are made of, so that a million products need no more memory than these."""
TODAY: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The day on which every sample shop was made: the same seed gives the same shop on any day."""
PASSWORD: Final = "tfmshop-demo"  # noqa: S105 - printed for everyone to use

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the sample shop."""

    email: str
    name: str
    address: Address
    role: str = "customer"


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample shop has. `marker` is the external id of one product, which tells that it is there already."""

    name: str
    marker: str
    products: Callable[[random.Random, Platform], Iterator[catalog.NewProduct]]
    product_count: int
    people: Callable[[random.Random], list[Person]]
    order_count: int


@dataclass(slots=True)
class Filled:
    """How many rows were added, and the logins that work."""

    rows: dict[str, int] = field(default_factory=dict)
    logins: list[tuple[str, str]] = field(default_factory=list)
    already_there: bool = False


@dataclass(frozen=True, slots=True)
class _Sold:
    """A product as a line of a past order."""

    product_id: UUID
    variant_id: UUID
    sku: str
    title: str
    unit_price: int
    quantity: int = 1


async def fill(platform: Platform, sample: Sample, seed: int, progress: Progress) -> Filled:
    """Add the sample shop in one transaction; nothing when it is there already."""
    source = random.Random(f"{sample.name} {seed}")  # noqa: S311 - sample data, not secrets
    make_id = ids.repeatable(source.getrandbits(64))
    filled = Filled()
    with clock.held(TODAY):
        async with platform.db.tx() as tx:
            if await catalog.Loader.knows(tx, sample.marker):
                return Filled(already_there=True)
            async with search.bulk(tx) if sample.product_count >= MANY else nullcontext():
                sold = await _fill_products(tx, platform, sample, source, make_id, filled, progress)
            people = _people(platform, sample, source, make_id, seed)
            await accounts.add_people(tx, people)
            filled.rows["people"] = len(people)
            progress("people", len(people), len(people))
            past = _past_orders(sample.order_count, people, sold, source, make_id)
            filled.rows["orders"], filled.rows["order lines"] = await orders.history.add_past(
                tx, past, lambda done: progress("orders", done, sample.order_count)
            )
    await catalog.keep.add_up_counts(platform.db)
    await search.learn(platform.db, always=True)
    filled.logins = [(person.email, PASSWORD) for person in people[:4]]
    return filled


async def _fill_products(
    tx: Tx, platform: Platform, sample: Sample, source: random.Random, make_id: Callable[[datetime], UUID],
    filled: Filled, progress: Progress,
) -> list[_Sold]:  # fmt: skip
    loader = catalog.Loader(make_id)
    sold: list[_Sold] = []
    done = variants = 0
    async for batch in _ahead(sample.products(source, platform)):
        levels: list[inventory.Level] = []
        for product, outcome in zip(batch, await loader.load(tx, batch), strict=True):
            if isinstance(outcome, str):
                raise TypeError(f"sample product {product.sku}: {outcome}")
            levels += [inventory.Level(v, outcome.product_id, sku, n) for v, (sku, n) in outcome.stock.items()]
            if len(sold) < REMEMBERED:
                variant, (sku, _) = next(iter(outcome.stock.items()))
                price = product.variants[0].price if product.variants else product.price
                sold.append(_Sold(outcome.product_id, variant, sku, product.title, price))
        await inventory.add_levels(tx, levels)
        done += len(batch)
        variants += len(levels)
        progress("products", done, sample.product_count)
    filled.rows["products"] = done
    filled.rows["variants"] = variants
    return sold


async def _ahead(products: Iterator[catalog.NewProduct]) -> AsyncIterator[list[catalog.NewProduct]]:
    """Batches of products; the next one is made in a thread while the last one is being saved."""

    def coming() -> asyncio.Future[list[catalog.NewProduct]]:
        return asyncio.ensure_future(asyncio.to_thread(lambda: list(islice(products, BATCH))))

    following = coming()
    while batch := await following:
        following = coming()
        yield batch


def _people(
    platform: Platform, sample: Sample, source: random.Random, make_id: Callable[[datetime], UUID], seed: int
) -> list[accounts.NewPerson]:
    password_hash = platform.passwords.hash_sample(PASSWORD, seed)
    people = []
    for person in sample.people(source):
        joined = TODAY - timedelta(days=source.randint(1, 900), seconds=source.randint(0, 86_399))
        people.append(
            accounts.NewPerson(
                make_id(joined),
                person.email,
                person.name,
                password_hash,
                joined,
                person.address,
                make_id(joined),
                person.role,
                source.random() > 0.02 or person.role != "customer",
            )
        )
    return people


_LIVES: Final = (
    (orders.OrderStatus.PLACED, orders.OrderStatus.PAID),
    (orders.OrderStatus.PLACED, orders.OrderStatus.PAID, orders.OrderStatus.PACKED),
    (orders.OrderStatus.PLACED, orders.OrderStatus.PAID, orders.OrderStatus.PACKED, orders.OrderStatus.SHIPPED),
    (orders.OrderStatus.PLACED, orders.OrderStatus.PAID, orders.OrderStatus.PACKED, orders.OrderStatus.SHIPPED,
     orders.OrderStatus.DELIVERED),
    (orders.OrderStatus.PLACED, orders.OrderStatus.CANCELLED),
)  # fmt: skip
_HOW_OFTEN: Final = (10, 10, 15, 60, 5)


def _past_orders(
    count: int, people: list[accounts.NewPerson], sold: list[_Sold], source: random.Random,
    make_id: Callable[[datetime], UUID],
) -> Iterator[orders.history.PastOrder]:  # fmt: skip
    buyers = [person for person in people if person.role == "customer"]
    for _ in range(count):
        buyer = source.choice(buyers)
        at = TODAY - timedelta(days=source.randint(1, 365), seconds=source.randint(0, 86_399))
        id = make_id(at)
        steps = []
        for status in source.choices(_LIVES, _HOW_OFTEN)[0]:
            steps.append((at, status))
            at += timedelta(minutes=source.randint(1, 1400))
        lines = [
            _Sold(s.product_id, s.variant_id, s.sku, s.title, s.unit_price, source.randint(1, 3))
            for s in source.sample(sold, source.randint(1, min(4, len(sold))))
        ]
        number = "".join(source.choices(ids.READABLE, k=10))
        yield orders.history.PastOrder(
            id, f"{number[:5]}-{number[5:]}", buyer.id, buyer.email, buyer.address, "USD", lines, steps
        )
