"""What goods cost and for whom, and what is added: price lists, sales, taxes, shipping."""

from tfmshop.commerce.pricing import jobs as jobs
from tfmshop.commerce.pricing import lists, sales
from tfmshop.commerce.pricing.errors import BadMethod, MethodNotFound, NotDeliverable
from tfmshop.commerce.pricing.model import (
    STANDARD,
    Choice,
    Rules,
    ShippingMethod,
    Step,
    TaxRate,
    choices,
    rate_for,
    tax_of,
)
from tfmshop.commerce.pricing.rules import drop_method, drop_rate, rules, set_method, set_rate

__all__ = [
    "STANDARD",
    "BadMethod",
    "Choice",
    "MethodNotFound",
    "NotDeliverable",
    "Rules",
    "ShippingMethod",
    "Step",
    "TaxRate",
    "choices",
    "drop_method",
    "drop_rate",
    "lists",
    "rate_for",
    "rules",
    "sales",
    "set_method",
    "set_rate",
    "tax_of",
]
