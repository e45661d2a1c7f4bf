"""How many requests of one client count now, as one process knows it.

Time is cut into slices, `SLICES` of which make a window. A slice counts until it is out of the window as a whole, so
that no span of a window's length ever has more than the allowance, and a steady client has 60 of 61 parts of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from typing import Final

SLICES: Final = 60
PROMPT: Final = 25
"""All processes together may let one of so many of an allowance through before they say so."""
SMALL: Final = 100
"""Allowances below this are asked for one by one."""
PATIENCE: Final = 1.5
"""So many times its allowance a client may ask in vain in a window; then it does not heed what it is told."""
LONGEST_WAIT: Final = 3600.0
MOST_STRIKES: Final = 12
"""Times that a wait doubles; the last brings it to the longest."""


@dataclass(frozen=True, slots=True)
class Tier:
    """An allowance that routes share: its name, and how many requests a window."""

    name: str
    most: int

    def credit(self, processes: int) -> int:
        """Requests that a process lets through before it tells the others: of small allowances, none."""
        return self.most // (PROMPT * processes) if self.most >= SMALL else 0


class Counted:
    """One client and one tier. `left` requests may be let through at once."""

    __slots__ = (
        "_heard", "_others", "_slices", "_strikes", "_struck", "_told", "_vain", "_vain_since", "dirty", "known",
        "left", "own", "spent", "tier", "wait_until", "waiting", "who",
    )  # fmt: skip

    def __init__(self, tier: Tier, who: str, now: float, credit: int = 0) -> None:
        self.tier = tier
        self.who = who
        self.left = credit
        self.spent = 0
        """Let through, and not yet told."""
        self.waiting: list[asyncio.Future[bool]] = []
        self.dirty = False
        self.known = self.own = 0
        """What counts now of everybody, as far as this process knows, and of this process."""
        self.wait_until = now
        self._others, self._heard = 0, now
        self._vain = self._strikes = 0
        self._vain_since = self._struck = now
        self._told = -inf
        self._slices: list[tuple[int, int]] = []

    def remaining(self, now: float, window: float) -> int:
        """Requests that are left, as far as this process knows."""
        left = self.tier.most - self.spent - (self.known if now - self._heard < window else 0)
        return max(0, left)

    def count(self, number: int, now: float, window: float) -> None:
        """Count requests of this process, and forget those that are out of the window."""
        at = int(now * SLICES / window)
        slices = self._slices
        while slices and slices[0][0] < at - SLICES:
            self.own -= slices.pop(0)[1]
        if number:
            self.own += number
            if slices and slices[-1][0] == at:
                number += slices.pop()[1]
            slices.append((at, number))

    def heard(self, total: int, now: float) -> None:
        """What counts of everybody now."""
        self.known = max(total, self.own)
        self._others, self._heard = self.known - self.own, now

    def room(self, processes: int, now: float, window: float) -> int:
        """What this process may let through without asking the others: its part, less what is known of them."""
        self.count(0, now, window)
        others = int(self._others * max(0.0, 1 - (now - self._heard) / window))
        self.known = self.own + others
        return min(max(1, self.tier.most // processes) - self.own, self.tier.most - self.known)

    def leaves(self, now: float, window: float) -> float:
        """When the oldest of what counts of this process counts no more."""
        return (self._slices[0][0] + SLICES + 1) * window / SLICES if self._slices else now + window / SLICES

    def refuse(self, now: float, window: float) -> bool:
        """Count a request in vain; whether that is news: the first of a window, or the wait grew. Who goes on asking
        waits 1 s, 2 s, 4 s ... 1 h; each window after that without it forgives one of these times.
        """
        if now - self._vain_since >= window:
            self._vain_since, self._vain = now, 0
        calm = int((now - self._struck) / window)
        if calm > 0:
            self._strikes = max(0, self._strikes - calm)
            self._struck += calm * window
        self._vain += 1
        grew = False
        if self._vain > PATIENCE * self.tier.most:
            self._vain_since, self._vain = now, 1
            self.wait_until = max(self.wait_until, now + min(LONGEST_WAIT, 2.0**self._strikes))
            grew = self._strikes < MOST_STRIKES
            self._strikes, self._struck = min(self._strikes + 1, MOST_STRIKES), self.wait_until
        if tells := grew or now - self._told >= window:
            self._told = now
        return tells
