"""The large shop: thousands of products with specifications and words to search, people, and a year of orders."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from tfmshop.commerce import catalog
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import Platform
from tfmshop.surface.sample.fill import TODAY, Person, Sample

PRODUCTS: Final = 5_000
PEOPLE: Final = 500
ORDERS: Final = 1_000

_DEPARTMENTS: Final = {
    "Computers": ("Laptops", "Desktops", "Monitors", "Keyboards", "Storage"),
    "Phones": ("Smartphones", "Cases", "Chargers", "Headsets", "Holders"),
    "Audio": ("Headphones", "Speakers", "Turntables", "Microphones", "Amplifiers"),
    "Home": ("Vacuums", "Heaters", "Fans", "Purifiers", "Scales"),
    "Kitchen": ("Blenders", "Kettles", "Toasters", "Mixers", "Cookers"),
    "Garden": ("Mowers", "Trimmers", "Hoses", "Grills", "Sheds"),
    "Sports": ("Bikes", "Helmets", "Tents", "Skis", "Weights"),
    "Tools": ("Drills", "Saws", "Sanders", "Wrenches", "Ladders"),
}
_GRADES: Final = ("Essential", "Advanced", "Professional", "Compact", "Outdoor")
_BRANDS: Final = (
    "Aldora", "Brightek", "Corvane", "Dunmore", "Eastwick", "Fennec", "Granholt", "Hyperia", "Ironleaf", "Juniper",
    "Kestrel", "Lumina", "Montara", "Northbay", "Orbita", "Pallas", "Quillon", "Redfern", "Solvik", "Tamarack",
)  # fmt: skip
_COLOURS: Final = ("black", "white", "silver", "blue", "red", "green", "graphite", "sand")
_MATERIALS: Final = ("steel", "aluminium", "bamboo", "recycled plastic", "glass", "oak", "carbon fibre")
_PRAISE: Final = (
    "quiet in use", "easy to clean", "built to be repaired", "light enough to carry", "ready in seconds",
    "tested for ten years of use", "made from recycled parts", "delivered with every cable", "stable on any floor",
)  # fmt: skip


def _products(count: int, source: random.Random, _: Platform) -> Iterator[catalog.NewProduct]:
    for number in range(1, count + 1):
        department = source.choice(tuple(_DEPARTMENTS))
        kind = source.choice(_DEPARTMENTS[department])
        grade = source.choice(_GRADES)
        brand = source.choice(_BRANDS)
        colour = source.choice(_COLOURS)
        material = source.choice(_MATERIALS)
        model = f"{brand[:2].upper()}{source.randint(100, 9999)}{source.choice('ABCDEFGHX')}"
        watts = source.choice((5, 18, 45, 65, 100, 450, 900, 1400, 2000))
        price = source.randint(500, 150_000) // 100 * 100 + 99
        praise = source.sample(_PRAISE, 3)
        yield catalog.NewProduct(
            sku=f"PERF-{number:07}",
            external_id=f"perf-{number}",
            title=f"{brand} {model} {grade.lower()} {kind[:-1].lower()}, {watts} W, {colour}",
            model=model,
            price=price,
            currency="USD",
            brand=brand,
            category=(department, kind, f"{grade} {kind.lower()}"),
            description=f"The {brand} {model} is a {grade.lower()} {kind[:-1].lower()} of {material}: {praise[0]}, "
            f"{praise[1]} and {praise[2]}. It draws {watts} watts.",
            compare_at_price=price * 6 // 5 if source.random() < 0.15 else None,
            tags=[colour, grade.lower(), kind.lower()],
            specifications={
                "colour": colour, "material": material, "power_w": watts, "weight_g": source.randint(50, 30_000),
                "warranty_years": source.randint(1, 10), "made_in": source.choice(("DE", "JP", "US", "VN", "PL")),
                "wireless": source.random() < 0.4, "series": grade,
            },
            published_at=TODAY - timedelta(minutes=source.randint(1, 1_500_000)),
            stock=0 if source.random() < 0.08 else source.randint(1, 500),
            rating=source.randint(20, 50) / 10,
            review_count=source.randint(0, 900),
            popularity=int(10_000 / (1 + source.random() * 500)),
        )  # fmt: skip


def _people(count: int, source: random.Random) -> list[Person]:
    from mimesis import Generic, Locale

    words = Generic(locale=Locale.EN, seed=source.getrandbits(32))
    people = []
    for number in range(1, count + 1):
        name = words.person.full_name()
        address = Address(
            name, words.address.address(), words.address.city(), "US", postal_code=words.address.postal_code()
        )
        people.append(Person(f"person{number}@example.com", name, address, _role(number)))
    return people


def _role(number: int) -> str:
    return "admin" if number == 1 else "support" if number % 100 == 0 else "customer"


def large(name: str, products: int, people: int, orders: int) -> Sample:
    """A shop of any size."""
    return Sample(name, "perf-1", partial(_products, products), products, partial(_people, people), orders)


performance = large("performance", PRODUCTS, PEOPLE, ORDERS)
