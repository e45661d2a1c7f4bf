"""Finding things: plain full text over what the catalogue publishes."""

from tfmshop.commerce.search.find import Hits, Suggestion, find, suggest

__all__ = ["Hits", "Suggestion", "find", "suggest"]
