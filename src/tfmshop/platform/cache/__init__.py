"""What may be handed out again: in the memory of each process, over Redis for all of them."""

from tfmshop.platform.cache import advice, asked, report
from tfmshop.platform.cache.cache import Cache
from tfmshop.platform.cache.entry import EVERY_PAGE, EVERYTHING, Entry, Fresh, Kind, Made
from tfmshop.platform.cache.memory import Memory
from tfmshop.platform.cache.redis import Redis
from tfmshop.platform.cache.shared import Shared
from tfmshop.platform.cache.tally import Tally

__all__ = [
    "EVERYTHING",
    "EVERY_PAGE",
    "Cache",
    "Entry",
    "Fresh",
    "Kind",
    "Made",
    "Memory",
    "Redis",
    "Shared",
    "Tally",
    "advice",
    "asked",
    "report",
]
