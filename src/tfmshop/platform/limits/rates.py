"""How often a client may ask, over all processes: counted in Redis, spent here.

A process lets a few requests of a client through by itself and tells Redis within `TELL_SECONDS`, many clients in one
round trip; Redis says what counts now. Near the end of an allowance, and for small ones from the beginning, each
request is asked for first, so that what all processes let through together stays within the allowance. Without a Redis
each process has its part of it, and for a window after Redis is back, too, because that may have forgotten everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import structlog

from tfmshop.platform.cache.redis import Away, Redis
from tfmshop.platform.clock import monotonic
from tfmshop.platform.limits.counted import SLICES, Counted, Tier

log = structlog.get_logger("limits")

TELL_SECONDS: Final = 0.05
AT_ONCE: Final = 100
"""Clients told of in one round trip."""
MOST_CLIENTS: Final = 20_000
"""Clients that a process knows of each tier at most; those who came first are forgotten here, not in Redis."""
NEAR: Final = 8
"""A process never lets more than one of so many that are left through before it tells the others."""

COUNT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local width, slices = tonumber(ARGV[1]), tonumber(ARGV[2])
local slice = math.floor(now / width)
local answer = {}
for n, key in ipairs(KEYS) do
    local most, spent, wanted = tonumber(ARGV[3 * n]), tonumber(ARGV[3 * n + 1]), tonumber(ARGV[3 * n + 2])
    local total, oldest, gone = spent, slice, {}
    local held = redis.call('HGETALL', key)
    for at = 1, #held, 2 do
        local one = tonumber(held[at])
        if one < slice - slices then
            gone[#gone + 1] = held[at]
        else
            total = total + held[at + 1]
            if one < oldest then oldest = one end
        end
    end
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
    local granted = math.max(0, math.min(wanted, most - total))
    if spent + granted > 0 then
        redis.call('HINCRBY', key, slice, spent + granted)
        redis.call('PEXPIRE', key, math.ceil(width * (slices + 2)))
    end
    answer[#answer + 1] = granted
    answer[#answer + 1] = total + granted
    answer[#answer + 1] = math.ceil((oldest + slices + 1) * width - now)
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Slower:
    """A request that is refused: the seconds to wait, and whether it is the first of its kind for a while."""

    seconds: int
    first: bool


class Rates:
    """The allowances of every client of this process. `processes` is how many share them where there is no Redis."""

    def __init__(self, redis: Redis | None, window_seconds: float, processes: int = 1) -> None:
        self.window = window_seconds
        self._redis = redis
        self._script = redis.script(COUNT) if redis is not None else None
        self._believed = redis.breaks if redis is not None else 0
        self._processes = processes
        self._known: dict[str, dict[str, Counted]] = {}
        self._dirty: list[Counted] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._urgent = False
        """Whether somebody waits who was not told of yet."""
        self._alone_until = 0.0

    def spend(self, tier: Tier, who: str, now: float) -> Counted | None:
        """Let a request through at once, where that is sure to be right; None says to `ask`. `now` is of
        `clock.monotonic`.
        """
        clients = self._known.get(tier.name)
        counted = clients.get(who) if clients is not None else None
        if counted is None:
            counted = self._meet(tier, who, now)
        if counted.left <= 0:
            return None
        counted.left -= 1
        counted.spent += 1
        if not counted.dirty:
            self._note(counted)
            self._tell_soon()
        return counted

    async def ask(self, tier: Tier, who: str, now: float) -> tuple[Counted, Slower | None]:
        """Let a request through, or say how long to wait."""
        if (counted := self.spend(tier, who, now)) is not None:
            return counted, None
        counted = self._known[tier.name][who]
        if now >= counted.wait_until:
            turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            counted.waiting.append(turn)
            self._urgent = True
            if not counted.dirty:
                self._note(counted)
            self._tell()
            if await turn:
                return counted, None
            now = monotonic()
        first = counted.refuse(now, self.window)
        return counted, Slower(max(1, ceil(counted.wait_until - now)), first)

    async def close(self) -> None:
        """Tell what was not told yet."""
        while self._dirty or (self._task is not None and not self._task.done()):
            self._tell()
            if self._task is not None:
                await self._task
        if self._timer is not None:
            self._timer.cancel()

    def _meet(self, tier: Tier, who: str, now: float) -> Counted:
        clients = self._known.setdefault(tier.name, {})
        while len(clients) >= MOST_CLIENTS:
            first = clients.pop(next(iter(clients)))
            if first.wait_until > now and len(clients) > MOST_CLIENTS // 2:
                clients[first.who] = first
                first = clients.pop(next(iter(clients)))
        counted = clients[who] = Counted(tier, who, now, tier.credit(self._processes))
        return counted

    def _note(self, counted: Counted) -> None:
        counted.dirty = True
        self._dirty.append(counted)

    def _tell_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dirty and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._tell_all())

    async def _tell_all(self) -> None:
        try:
            left = len(self._dirty)
            while left > 0 or self._urgent:
                if self._urgent:
                    left, self._urgent = len(self._dirty), False
                told, self._dirty = self._dirty[:AT_ONCE], self._dirty[AT_ONCE:]
                left -= len(told)
                await self._tell_of([self._said(counted) for counted in told])
        finally:
            if self._dirty:
                self._tell_soon()

    async def _tell_of(self, batch: Sequence[tuple[Counted, int, int, list[asyncio.Future[bool]]]]) -> None:
        try:
            answer = await self._counted(batch)
            for n, (counted, spent, _, turns) in enumerate(batch):
                heard = answer[3 * n : 3 * n + 3] if answer else None
                live = [turn for turn in turns if not turn.done()]
                granted = self._settle(counted, spent, len(live), heard, monotonic())
                for place, turn in enumerate(live):
                    turn.set_result(place < granted)
        finally:
            for *_, turns in batch:
                for turn in turns:
                    turn.cancel()

    def _said(self, counted: Counted) -> tuple[Counted, int, int, list[asyncio.Future[bool]]]:
        """What is to be told of a client: what was spent, how many to ask for, and who waits for that."""
        spent, turns = counted.spent, counted.waiting
        counted.spent, counted.waiting, counted.dirty = 0, [], False
        wanted, now = sum(not turn.done() for turn in turns), monotonic()
        if now < self._alone_until:
            wanted = min(wanted, max(0, counted.room(self._processes, now, self.window) - spent))
        return counted, spent, wanted, turns

    async def _counted(self, batch: Sequence[tuple[Counted, int, int, object]]) -> list[int] | None:
        """What Redis says of each: granted, what counts, and ms until less does; None while it is away."""
        if self._redis is None or self._script is None:
            return None
        parts: dict[str, list[int]] = {}
        for n, (counted, *_) in enumerate(batch):
            parts.setdefault(self._redis.tag(counted.who), []).append(n)
        answer = [0] * (3 * len(batch))
        try:
            for tag, places in parts.items():
                keys, numbers = [], [self.window * 1000 / SLICES, SLICES]
                for counted, spent, wanted, _ in (batch[n] for n in places):
                    keys.append(f"{tag}:rate:{self.window:g}:{counted.tier.name}:{counted.who}")
                    numbers += counted.tier.most, spent, wanted
                told = await self._redis.run(self._script, keys, numbers)
                for at, n in enumerate(places):
                    answer[3 * n : 3 * n + 3] = told[3 * at : 3 * at + 3]
        except Away:
            self._alone_until = monotonic() + self.window
            return None
        except Exception as error:
            log.error("Redis does not count requests: each process goes by its part", exc_info=error)
            self._alone_until = monotonic() + self.window
            return None
        if self._redis.breaks != self._believed:
            self._believed = self._redis.breaks
            self._alone_until = monotonic() + self.window
        return answer

    def _settle(self, counted: Counted, spent: int, wanted: int, told: Sequence[int] | None, now: float) -> int:
        """Take over what Redis said, or decide alone; how many of those who wait are let through."""
        window = self.window
        counted.count(spent, now, window)
        if told is not None:
            granted, total, soon = told
            counted.heard(total - granted, now)
        else:
            granted, soon = wanted, 0
        left = counted.tier.most - counted.known
        alone = told is None or now < self._alone_until
        if alone:
            left = counted.room(self._processes, now, window)
            granted = min(granted, max(0, left))
        counted.count(granted, now, window)
        counted.known += granted
        left -= granted
        if left <= 0:
            until = counted.leaves(now, window) if alone else now + soon / 1000
            counted.wait_until = max(counted.wait_until, until)
        counted.left = (
            0 if now < counted.wait_until else min(counted.tier.credit(self._processes), left // NEAR) - counted.spent
        )
        return granted
