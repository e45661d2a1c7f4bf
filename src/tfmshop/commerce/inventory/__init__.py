"""How many we have: stock by warehouse, reservations, taking and giving back."""

from tfmshop.commerce.inventory import correct, levels
from tfmshop.commerce.inventory import jobs as jobs
from tfmshop.commerce.inventory.errors import OutOfStock
from tfmshop.commerce.inventory.levels import (
    Level,
    Warehouse,
    add_levels,
    add_warehouse,
    change_levels,
    set_level,
    set_levels,
    set_rules,
    warehouses,
)
from tfmshop.commerce.inventory.measure import measure
from tfmshop.commerce.inventory.take import Taking, give_back, release, release_expired, reserve, take

__all__ = [
    "Level",
    "OutOfStock",
    "Taking",
    "Warehouse",
    "add_levels",
    "add_warehouse",
    "change_levels",
    "correct",
    "give_back",
    "levels",
    "measure",
    "release",
    "release_expired",
    "reserve",
    "set_level",
    "set_levels",
    "set_rules",
    "take",
    "warehouses",
]
