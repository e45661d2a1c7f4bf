"""Quantities with units: `1 TB` is 1000 GB, `15.6 inch` is 39.624 cm."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SCALES: Final[tuple[dict[str, str], ...]] = (
    {"b": "1", "kb": "1e3", "mb": "1e6", "gb": "1e9", "tb": "1e12"},
    {"mm": "1", "cm": "10", "in": "25.4", "m": "1000", "ft": "304.8", "km": "1e6"},
    {"mg": "1", "g": "1e3", "oz": "28349.523125", "lb": "453592.37", "kg": "1e6"},
    {"hz": "1", "khz": "1e3", "mhz": "1e6", "ghz": "1e9"},
    {"mw": "1", "w": "1e3", "kw": "1e6"},
    {"ml": "1", "cl": "10", "l": "1000"},
    {"mah": "1", "ah": "1000"},
    {"s": "1", "min": "60", "h": "3600"},
)
"""Units of a kind and their size in the smallest; inch, foot, ounce and pound by the agreement of 1959."""
_NAMES: Final = {
    '"': "in", "″": "in", "inch": "in", "inches": "in", "gram": "g", "grams": "g", "watt": "w", "watts": "w",
    "liter": "l", "litre": "l", "litres": "l", "hour": "h", "hours": "h", "minutes": "min",
}  # fmt: skip
_QUANTITY: Final = re.compile(r"\s*(-?\d+(?:[.,]\d+)?)\s*([^\d\s]*)\s*")
_THOUSANDS: Final = re.compile(r"^(-?\d+),(\d{3})$")
"""As search reads them: `1,000 mm` is a thousand, `1,5 mm` is one and a half."""


def in_unit(text: str, unit: str | None) -> int | float | None:
    """The number that `text` gives in `unit`; None when it is no quantity of that kind.

    A number alone is taken to be in `unit` already.
    """
    found = _QUANTITY.fullmatch(text) if len(text) <= 60 else None
    if found is None:
        return None
    number = Decimal(_THOUSANDS.sub(r"\1\2", found[1]).replace(",", "."))
    given = _name(found[2])
    if given and given != _name(unit or ""):
        scale = next((scale for scale in _SCALES if given in scale and _name(unit or "") in scale), None)
        if scale is None:
            return None
        number = number * Decimal(scale[given]) / Decimal(scale[_name(unit or "")])
    return int(number) if number == number.to_integral_value() else float(number)


def _name(unit: str) -> str:
    lower = unit.lower()
    return _NAMES.get(lower, lower)
