"""What all processes share in Redis, and never hand out once a change made it stale.

Redis keeps a clock that moves with each invalidation, to the present moment at least so that no ticket of another Redis
is ahead of it, and when each tag was last made stale. Who finds nothing gets
the clock's time as a ticket before it makes the value; the value is kept and handed out only while nothing that it was
made of became stale after the ticket. So a value that was read before a change and arrives after it is refused,
whichever process is slow. Everything is decided inside Redis, in one round trip each.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import zlib
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from tfmshop.platform.cache.entry import EVERYTHING, Kind, Made
from tfmshop.platform.cache.redis import Away, Redis
from tfmshop.platform.clock import monotonic

MOST_TAGS: Final = 20_000
"""Tags that Redis remembers as stale; when there are more, everything is."""
COMPRESS_FROM: Final = 1024
"""Bytes from which values are compressed."""
TELL_AGAIN: Final = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds after which Redis is told again what is stale, before all that it has is not believed any more."""
TOLD: Final = timedelta(minutes=1)
"""How long after the first telling of news others may come with the same."""
LOCK: Final = timedelta(seconds=5)
"""How long one process may make a value before another tries, too."""
_POLL_SECONDS: Final = 0.01
_LONGEST_WAIT: Final = 2.0
_WAIT_FOR_TELLING: Final = 0.1

_STATE = """
local clock = redis.call('HGET', KEYS[1], 'clock')
if not clock then
    local t = redis.call('TIME')
    clock = string.format('%d', t[1] * 1000000 + t[2])
    redis.call('HSET', KEYS[1], 'clock', clock, 'floor', clock)
end
local function holds(ticket, tags)
    local asked = {'floor'}
    for tag in string.gmatch(tags, '[^,]+') do asked[#asked + 1] = 's:' .. tag end
    for _, at in ipairs(redis.call('HMGET', KEYS[1], unpack(asked))) do
        if at and tonumber(at) > tonumber(ticket) then return false end
    end
    return true
end
"""
LOOK = (
    _STATE
    + """
local e = redis.call('HMGET', KEYS[2], 'value', 'tags', 'ticket', 'made', 'fresh', 'seconds')
if e[1] and holds(e[3], e[2]) then
    local t = redis.call('TIME')
    local age = t[1] + t[2] / 1000000 - tonumber(e[4])
    if ARGV[2] == '' or age < tonumber(ARGV[2]) - 0.005 then return {1, e[1], e[2], tostring(age), e[5], e[6]} end
end
if redis.call('SET', KEYS[3], ARGV[3], 'NX', 'PX', ARGV[1]) then return {2, clock} end
return {3, clock}
"""
)
PUT = (
    _STATE
    + """
if redis.call('GET', KEYS[3]) == ARGV[7] then redis.call('DEL', KEYS[3]) end
if ARGV[1] == '' or not holds(ARGV[3], ARGV[2]) then return 0 end
local t = redis.call('TIME')
redis.call('HSET', KEYS[2], 'value', ARGV[1], 'tags', ARGV[2], 'ticket', ARGV[3],
    'made', string.format('%.6f', t[1] + t[2] / 1000000), 'fresh', ARGV[4], 'seconds', ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
"""
)
STALE = (
    _STATE
    + """
if ARGV[2] ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then return clock end
local t = redis.call('TIME')
clock = string.format('%d', math.max(tonumber(clock) + 1, t[1] * 1000000 + t[2]))
redis.call('HSET', KEYS[1], 'clock', clock)
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'clock', clock, 'floor', clock)
end
for n = 3, #ARGV do
    redis.call('HSET', KEYS[1], ARGV[n] == '*' and 'floor' or 's:' .. ARGV[n], clock)
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], 1, 'PX', ARGV[2]) end
return clock
"""
)


@dataclass(frozen=True, slots=True)
class Found:
    """A value of another process, how old it is and how long it took, in seconds."""

    made: Made[Any]
    age: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Ticket:
    """What lets a process put a value that it makes now; without `time` nothing can be put. Its `owner` may have the
    turn to make it even then: Redis may have given it, and the answer been lost.
    """

    time: str = ""
    owner: str = ""


class Shared:
    """The level above memory; away, it answers as if it were empty. `release` is part of every key."""

    def __init__(self, redis: Redis, release: str) -> None:
        self._redis = redis
        self._release = release
        self._look, self._put, self._stale = (redis.script(source) for source in (LOOK, PUT, STALE))
        self._failed = 0
        self._believed = (redis.breaks, 0)
        self._believing = asyncio.Lock()
        self._tellings: set[asyncio.Future[None]] = set()

    async def look(self, kind: Kind[Any], key: str, age: float | None = None) -> Found | Ticket | None:
        """A value that holds, or the ticket to make it; what another process makes is waited for. With an `age` in
        seconds only a younger value counts, and None is the answer while another process makes one.
        """
        before = set(self._tellings)
        if before and self._redis.usable:
            await asyncio.wait(before, timeout=_WAIT_FOR_TELLING)
        owner = f"{random.getrandbits(64):x}"
        until = monotonic() + _LONGEST_WAIT
        while self._redis.usable and not before & self._tellings and monotonic() < until:
            try:
                await self._believe()
                younger = "" if age is None else f"{age:.3f}"
                lock = int(LOCK.total_seconds() * 1000)
                answer = await self._redis.run(self._look, self._keys(kind, key), [lock, younger, owner])
            except Away:
                break
            if not self._is_believed:
                if answer[0] == 2:
                    break
                continue
            if answer[0] == 1:
                return _found(kind, answer)
            if answer[0] == 2:
                return Ticket(answer[1].decode(), owner)
            if age is not None:
                return None
            await asyncio.sleep(_POLL_SECONDS)
        return Ticket(owner=owner)

    async def put(self, kind: Kind[Any], key: str, made: Made[Any] | None, ticket: Ticket, seconds: float) -> None:
        """Share a value; None, or a ticket without time, gives the turn to make it to somebody else."""
        if not ticket.owner or kind.pack is None:
            return
        if not ticket.time:
            made = None
        fresh = made.fresh or kind.fresh if made else kind.fresh
        args = [
            _packed(kind.pack(made.value)) if made else b"", ",".join(sorted(made.tags)) if made else "", ticket.time,
            fresh.total_seconds(), int((fresh + kind.stale).total_seconds() * 1000) or 1, f"{seconds:.4f}",
            ticket.owner,
        ]  # fmt: skip
        with suppress(Away):
            await self._redis.run(self._put, self._keys(kind, key), args)

    def stale(self, tags: Sequence[str], news: str = "") -> Coroutine[Any, Any, None]:
        """Make everything with one of these tags stale; what Redis cannot be told makes all stale when it is back.

        From this call on, and not only when it is awaited, who begins to look waits until Redis was told. `news` is
        what other processes tell, too: it counts when it is told first, a second time would undo what was made since.
        """
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tellings.add(told)
        return self._tell(tags, news, told)

    async def _tell(self, tags: Sequence[str], news: str, told: asyncio.Future[None]) -> None:
        try:
            for pause in (*TELL_AGAIN, 0):
                with suppress(Away):
                    await self._make_stale(tags, news)
                    return
                await asyncio.sleep(pause)
            self._failed += 1
        finally:
            self._tellings.discard(told)
            told.set_result(None)

    async def _make_stale(self, tags: Sequence[str], news: str = "") -> None:
        told = f":{self._release}:told:{hashlib.blake2b(news.encode(), digest_size=16).hexdigest()}"
        args = [MOST_TAGS, int(TOLD.total_seconds() * 1000) if news else "", *tags]
        each = [self._redis.run(self._stale, [self._state(tag), tag + told], args) for tag in self._redis.tags]
        await (asyncio.gather(*each) if len(each) > 1 else each[0])

    async def _believe(self) -> None:
        """After a time without Redis, or where another may be in its place, make all stale that it has from before."""
        if self._is_believed:
            return
        async with self._believing:
            at = (self._redis.breaks, self._failed)
            if at != self._believed:
                await self._make_stale([EVERYTHING])
                self._believed = at

    @property
    def _is_believed(self) -> bool:
        return self._believed == (self._redis.breaks, self._failed)

    def _state(self, tag: str) -> str:
        return f"{tag}:{self._release}:state"

    def _keys(self, kind: Kind[Any], key: str) -> list[str]:
        tag = self._redis.tag(key)
        name = f"{tag}:{self._release}:{kind.name}:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"
        return [self._state(tag), name, name + ":lock"]


def _packed(value: bytes) -> bytes:
    return b"z" + zlib.compress(value, 1) if len(value) >= COMPRESS_FROM else b"p" + value


def _found(kind: Kind[Any], answer: list[bytes]) -> Found:
    packed = answer[1]
    assert kind.unpack is not None  # noqa: S101 - what is not packed is not looked up
    value = kind.unpack(zlib.decompress(packed[1:]) if packed[:1] == b"z" else packed[1:])
    tags = frozenset(answer[2].decode().split(",")) if answer[2] else frozenset()
    return Found(Made(value, tags, timedelta(seconds=float(answer[4]))), float(answer[3]), float(answer[5]))
