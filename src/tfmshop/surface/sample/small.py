"""The small shop: 60 products with pictures, three customers, one admin, a few orders."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from tfmshop.commerce import catalog
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import Platform
from tfmshop.surface.sample.fill import TODAY, Person, Sample
from tfmshop.surface.sample.pictures import draw

# noun, shape, category, brand, price in cents, material, what it is good for
_NOUNS: Final = (
    ("Arc Floor Lamp", "lamp", ("Lighting", "Floor lamps"), "Halden", 18900, "steel", "reading corners"),
    ("Desk Lamp", "lamp", ("Lighting", "Desk lamps"), "Halden", 6900, "aluminium", "late work"),
    ("Paper Lantern", "lamp", ("Lighting", "Pendants"), "Mizu", 3400, "rice paper", "soft evenings"),
    ("Spindle Chair", "chair", ("Furniture", "Chairs"), "Norrwood", 22900, "ash", "long dinners"),
    ("Bar Stool", "chair", ("Furniture", "Stools"), "Norrwood", 12900, "oak", "kitchen counters"),
    ("Reading Armchair", "chair", ("Furniture", "Chairs"), "Casa Lume", 54900, "wool", "a whole novel"),
    ("Espresso Cup", "cup", ("Kitchen", "Cups"), "Tern Pottery", 1800, "stoneware", "the first coffee"),
    ("Breakfast Mug", "cup", ("Kitchen", "Cups"), "Tern Pottery", 2400, "stoneware", "slow mornings"),
    ("Tea Bowl", "cup", ("Kitchen", "Cups"), "Mizu", 3200, "porcelain", "green tea"),
    ("Two-Person Tent", "tent", ("Outdoors", "Tents"), "Fjellpeak", 32900, "ripstop nylon", "a weekend away"),
    ("Tarp Shelter", "tent", ("Outdoors", "Tents"), "Fjellpeak", 11900, "silnylon", "rain on short notice"),
    ("Day Pack", "bag", ("Outdoors", "Bags"), "Fjellpeak", 8900, "recycled polyester", "a day on the trail"),
    ("Weekend Bag", "bag", ("Travel", "Bags"), "Marlow", 16900, "waxed canvas", "two nights out"),
    ("Market Tote", "bag", ("Travel", "Bags"), "Marlow", 2900, "organic cotton", "bread and flowers"),
    ("Tool Bag", "bag", ("Travel", "Bags"), "Marlow", 9900, "leather", "everything you carry"),
    ("Olive Tree", "plant", ("Plants", "Trees"), "Green & Co", 7900, "terracotta", "a sunny sill"),
    ("Monstera", "plant", ("Plants", "Leafy"), "Green & Co", 4900, "terracotta", "half shade"),
    ("Snake Plant", "plant", ("Plants", "Leafy"), "Green & Co", 3500, "terracotta", "people who forget"),
    ("Herb Trio", "plant", ("Plants", "Herbs"), "Green & Co", 1900, "zinc", "the kitchen window"),
    ("Lemon Tree", "plant", ("Plants", "Trees"), "Green & Co", 9900, "terracotta", "a bright room"),
)
_COLOURS: Final = ("Sand", "Forest", "Ink")
_PEOPLE: Final = (
    Person("admin@example.com", "Ada Admin", Address("Ada Admin", "1 Office Road", "Portland", "US"), "admin"),
    Person("alice@example.com", "Alice Moreau", Address("Alice Moreau", "12 Rue des Lilas", "Lyon", "FR")),
    Person("bob@example.com", "Bob Tanaka", Address("Bob Tanaka", "4-2 Sakuragaoka", "Tokyo", "JP")),
    Person("carol@example.com", "Carol Okafor", Address("Carol Okafor", "88 Canal Street", "Leeds", "GB")),
)


def _products(source: random.Random, platform: Platform) -> Iterator[catalog.NewProduct]:
    number = 0
    for noun, shape, category, brand, price, material, good_for in _NOUNS:
        for colour in _COLOURS:
            number += 1
            title = f"{colour} {noun}"
            sku = f"DEMO-{number:03}"
            yield catalog.NewProduct(
                sku=sku,
                external_id=f"demo-{number}",
                title=title,
                price=price,
                currency="USD",
                brand=brand,
                category=category,
                description=f"{title} by {brand}. Made of {material}, finished in {colour.lower()}, and made for "
                f"{good_for}. It arrives assembled, in a box that becomes compost.",
                compare_at_price=price * 5 // 4 if number % 9 == 0 else None,
                badge="sale" if number % 9 == 0 else "new" if number % 7 == 0 else None,
                tags=[shape, colour.lower(), *(["gift"] if price < 5000 else [])],
                specifications={"material": material, "colour": colour, "weight_g": source.randint(2, 90) * 100},
                pictures=[draw(platform.files, shape, title, source)],
                published_at=TODAY - timedelta(days=source.randint(1, 300), seconds=number),
                variants=_sizes(sku, price, source) if shape == "bag" else [],
                stock=source.randint(5, 60),
                rating=source.randint(35, 50) / 10,
                review_count=source.randint(0, 120),
                popularity=source.randint(0, 400),
            )


def _sizes(sku: str, price: int, source: random.Random) -> list[catalog.NewVariant]:
    return [
        catalog.NewVariant(
            sku=sku if size == "M" else f"{sku}-{size}",
            title=size,
            options={"size": size},
            price=price + extra,
            stock=source.randint(3, 30),
        )
        for size, extra in (("M", 0), ("L", 2000))
    ]


small = Sample("small", "demo-1", _products, len(_NOUNS) * len(_COLOURS), lambda _: list(_PEOPLE), 6)
