"""Words that mean the same, by language; staff edit them."""

from __future__ import annotations

from dataclasses import dataclass

from tfmshop.commerce.search.errors import NoSuchLanguage, NoWords
from tfmshop.commerce.search.store import DROP_SYNONYM, HAS_LANGUAGE, LANGUAGE, SET_SYNONYM, SYNONYMS
from tfmshop.platform.db import Tx


@dataclass(frozen=True, slots=True)
class Synonym:
    """Who looks for `term` also looks for each of `means`."""

    language: str
    term: str
    means: list[str]


async def synonyms(tx: Tx) -> list[Synonym]:
    """Every synonym."""
    return [Synonym(*row) for row in await tx.rows(SYNONYMS)]


async def set_synonym(tx: Tx, term: str, means: list[str], language: str | None = None) -> Synonym:
    """Add a synonym or change what its term means; the language is the shop's. `NoSuchLanguage`, `NoWords`."""
    language = language or await tx.value(LANGUAGE)
    if not await tx.value(HAS_LANGUAGE, language):
        raise NoSuchLanguage(str(language))
    term = " ".join(term.lower().split())
    means = [" ".join(one.lower().split()) for one in means]
    if not await tx.execute(SET_SYNONYM, language, term, means):
        raise NoWords
    return Synonym(str(language), term, means)


async def drop_synonym(tx: Tx, term: str, language: str | None = None) -> Synonym | None:
    """Take a synonym out, and give it back; None when it is not there."""
    term = " ".join(term.lower().split())
    row = await tx.row(DROP_SYNONYM, language or await tx.value(LANGUAGE), term)
    return Synonym(*row) if row else None
