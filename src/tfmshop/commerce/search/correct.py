"""Typing errors: words that the catalogue does not have become the nearest that it has."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

from tfmshop.commerce.search.store import CORRECT
from tfmshop.platform.db import Tx

_WORD: Final = re.compile(r'"[^"]*"|\S+')
_PLAIN: Final = re.compile(r"[^\W\d_]{3,40}")


async def corrected(tx: Tx, words: str) -> str | None:
    """`words` with every unknown word replaced, or None when nothing better is known.

    Unknown words become a word of the catalogue at most two letters away, or are split or joined where that gives
    words of the catalogue: `labtop` -> `laptop`, `harddrive` -> `hard drive`, `note book` -> `notebook`. Phrases,
    exclusions and words with digits stay.
    """
    parts = _WORD.findall(words)
    plain = [part.lower() if _PLAIN.fullmatch(part) else "" for part in parts]
    pairs = [a + b if a and b else "" for a, b in zip_longest(plain, plain[1:], fillvalue="")]
    typed = sorted({word for word in [*plain, *pairs] if word})
    if not typed:
        return None
    found = {row["typed"]: row for row in await tx.rows(CORRECT, typed, [word for word in typed if word in plain])}
    better: list[str] = []
    joined = False
    for part, word, pair in zip(parts, plain, pairs, strict=True):
        if joined:
            joined = False
        elif pair and found[pair]["known"]:
            better.append(pair)
            joined = True
        elif word and not found[word]["known"] and found[word]["better"]:
            better.append(found[word]["better"])
        else:
            better.append(part)
    text = " ".join(better)
    return text if text.lower() != " ".join(parts).lower() else None
