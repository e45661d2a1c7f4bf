"""How many we have: stock, taking and giving back."""

from tfmshop.commerce.inventory import jobs as jobs
from tfmshop.commerce.inventory.errors import OutOfStock
from tfmshop.commerce.inventory.levels import Level, Listed, change_levels, low, set_level, set_levels
from tfmshop.commerce.inventory.take import give_back, take

__all__ = ["Level", "Listed", "OutOfStock", "change_levels", "give_back", "low", "set_level", "set_levels", "take"]
