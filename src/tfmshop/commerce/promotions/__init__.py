"""Coupons and automatic offers."""

from tfmshop.commerce.promotions import offers
from tfmshop.commerce.promotions.errors import CouponExhausted, CouponInvalid
from tfmshop.commerce.promotions.model import WHOLE, Kind, Offer, Outcome, Verdict, apply
from tfmshop.commerce.promotions.offers import Use, add, end, give_back, redeem, running

__all__ = [
    "WHOLE",
    "CouponExhausted",
    "CouponInvalid",
    "Kind",
    "Offer",
    "Outcome",
    "Use",
    "Verdict",
    "add",
    "apply",
    "end",
    "give_back",
    "offers",
    "redeem",
    "running",
]
