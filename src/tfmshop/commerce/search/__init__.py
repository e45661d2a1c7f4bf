"""Finding things: lists, search, facets and suggestions over a projection of its own."""

from tfmshop.commerce.search import cached, meaning
from tfmshop.commerce.search import jobs as jobs
from tfmshop.commerce.search.bulk import bulk
from tfmshop.commerce.search.find import find
from tfmshop.commerce.search.learn import learn
from tfmshop.commerce.search.missed import Missed, missed
from tfmshop.commerce.search.model import Listing, Suggestion, Wanted
from tfmshop.commerce.search.reindex import Reindexed, reindex
from tfmshop.commerce.search.status import Status, status
from tfmshop.commerce.search.suggest import suggest
from tfmshop.commerce.search.synonyms import Synonym, drop_synonym, set_synonym, synonyms

__all__ = [
    "Listing",
    "Missed",
    "Reindexed",
    "Status",
    "Suggestion",
    "Synonym",
    "Wanted",
    "bulk",
    "cached",
    "drop_synonym",
    "find",
    "learn",
    "meaning",
    "missed",
    "reindex",
    "set_synonym",
    "status",
    "suggest",
    "synonyms",
]
