"""Words used by three modules or more."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

LARGEST_AMOUNT = 9 * 10**13
"""Minor units; 100 lines of 999 units of it still fit in 64 bits."""

YEARS = range(1970, 9999)
"""Of times that are kept: in any zone they stand for four digits of a year."""
EARLIEST: Final = datetime(YEARS[0], 1, 1, tzinfo=UTC)
LATEST: Final = datetime(YEARS[-1], 1, 1, tzinfo=UTC)

Quantity = Annotated[int, Meta(ge=1, le=999, description="How many, 1 to 999.")]
Line = Annotated[str, Meta(max_length=200)]
Filled = Annotated[str, Meta(max_length=200, pattern=r"\S")]
"""A line with something in it."""


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount: int
    currency: str


_DIGITS: Final = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
     "XPF"), 0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)  # fmt: skip


def digits(currency: str) -> int:
    """How many decimals a currency has (ISO 4217): two, but for some."""
    return _DIGITS.get(currency, 2)


def spelled(money: Money) -> str:
    """An amount as people read it: `1,999.00 EUR`, `500 JPY`."""
    decimals = digits(money.currency)
    return f"{money.amount / 10**decimals:,.{decimals}f} {money.currency}"


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    name: Filled
    line1: Filled
    city: Filled
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)")]
    company: Line | None = None
    line2: Line | None = None
    region: Line | None = None
    postal_code: Annotated[str, Meta(max_length=20)] | None = None
    phone: Annotated[str, Meta(max_length=40)] | None = None


def address_lines(address: Address) -> list[str]:
    """An address as it is written on a letter, line by line."""
    town = " ".join(part for part in (address.postal_code, address.city, address.region) if part)
    lines = (address.company, address.name, address.line1, address.line2, town, address.country)
    return [line for line in lines if line]


_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
Email = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=rf"^(?=[^@]{{1,64}}@){_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})+$(?!\n)",
        extra_json_schema={"format": "email"},
    ),
]
"""An e-mail address by shape: dot-atoms at a domain name (RFC 5321 without quotes, address literals and what is not
ASCII, which few servers take); whether it exists shows when mail arrives.
"""


def is_email(text: str) -> bool:
    """Whether a text has the shape of an e-mail address."""
    try:
        msgspec.convert(text, Email)
    except msgspec.ValidationError:
        return False
    return True


def same_name(name: str) -> str:
    """The form in which names of brands and categories are compared: `  C++ ` and `c++` are one, `C` is another."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


_NOT_WORD = re.compile(r"[^a-z0-9]+")


def slug(text: str, longest: int = 80) -> str:
    """`text` as a part of an address: `HP Pavilion dv7` becomes `hp-pavilion-dv7`; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_WORD.sub("-", plain).strip("-")[:longest].rstrip("-")


def kept(moment: datetime) -> datetime:
    """The moment, or the next one that may be kept: what is asked for may be of any year."""
    return min(max(moment, EARLIEST), LATEST)
