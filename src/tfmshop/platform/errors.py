"""Errors are facts with a stable code; what number they become on the wire is the surface's business."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, dataclass_transform


class Kind(Enum):
    """What sort of failure it is."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too_large"
    PAYMENT = "payment"
    WRONG_TYPE = "wrong_type"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


CODES: dict[str, type[ShopError]] = {}


@dataclass_transform(eq_default=False)
class ShopError(Exception):
    """A failure that a caller can act on.

    A subclass names its `kind`, a stable `code` and, in `says`, a sentence over its fields:
    `class OutOfStock(ShopError, kind=Kind.CONFLICT, code="out_of_stock", says="Only {free} of {sku} left.")`.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    says: ClassVar[str]

    def __init_subclass__(cls, *, kind: Kind, code: str, says: str) -> None:
        cls.kind, cls.code, cls.says = kind, code, says
        if code in CODES and CODES[code].__qualname__ != cls.__qualname__:
            raise TypeError(f"error code {code!r} is taken by {CODES[code].__qualname__}")
        CODES[code] = cls
        dataclass(eq=False)(cls)

    @property
    def facts(self) -> dict[str, object]:
        """The error's fields by name."""
        return {name: getattr(self, name) for name in getattr(self, "__dataclass_fields__", {})}

    def __str__(self) -> str:
        return self.says.format_map(self.facts)


class Busy(ShopError, kind=Kind.UNAVAILABLE, code="busy", says="The shop is busy. Try again in a moment."):
    """No database connection came free in time."""


class DatabaseUnavailable(
    ShopError, kind=Kind.UNAVAILABLE, code="database_unavailable", says="The shop cannot reach its database."
):
    """PostgreSQL did not answer, or the connection broke."""


class TookTooLong(ShopError, kind=Kind.UNAVAILABLE, code="took_too_long", says="The request took too long."):
    """A statement or a lock exceeded its timeout."""
