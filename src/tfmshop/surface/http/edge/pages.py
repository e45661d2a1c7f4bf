"""Pages that anyone may have: found by what was asked for, and nothing else, in the cache or made by their routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from tfmshop.platform import ids
from tfmshop.platform.cache import EVERY_PAGE, Entry, Fresh, Kind, Made, asked
from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import Kind as ErrorKind
from tfmshop.platform.errors import ShopError
from tfmshop.platform.limits import Admission, Line
from tfmshop.platform.observe.alike import Alike
from tfmshop.surface.http.answers import Public, Refused
from tfmshop.surface.http.edge.body import Scope
from tfmshop.surface.http.edge.page import Page
from tfmshop.surface.http.paths import Paths, parts_of

if TYPE_CHECKING:
    from tfmshop.surface.http.context import Shop

MISSING: Final = timedelta(seconds=30)
"""How long it holds that something is not there; the tag `missing` ends it sooner."""
_UNKEPT: Final = timedelta(0)
_MOST_NAMES: Final = 20_000
_LONGEST_NAME: Final = 512
"""How many ways of writing an address are remembered, and up to how many characters."""
FIRST: Final = ("/api/v1/products", "/api/v1/categories/tree", "/api/v1/categories", "/api/v1/products/featured")
"""What every shop front asks for."""
MOST_AGAIN: Final = 50
"""Pages that are made anew after one change without anybody asking."""
MOST_WAITING: Final = 500
"""Pages that wait for that; one more is made when somebody asks."""
Make = Callable[["Shop", list[str], bytes, str], Awaitable[Public | Refused]]


class Route:
    """A path whose answers are public, how long they hold, the parameters that count, the tier of requests, and what
    makes the answers.
    """

    __slots__ = ("fresh", "limit", "make", "names", "open_names", "path")

    def __init__(self, path: str, fresh: Fresh, names: Iterable[str], limit: str, make: Make) -> None:
        self.path = path
        self.make = make
        self.fresh = fresh
        self.limit = limit
        self.names = frozenset(names)
        self.open_names = tuple(name for name in self.names if name.endswith("["))

    def counts(self, name: str) -> bool:
        """Whether a parameter changes the answer."""
        return name in self.names or name.startswith(self.open_names)


class Known:
    """An address that was asked for before: its route, the key of its page, and what its answers have in common."""

    __slots__ = ("alike", "key", "path", "route")

    def __init__(self, route: Route, key: str, path: str) -> None:
        self.route, self.key, self.path = route, key, path
        self.alike: dict[int, Alike] = {}

    def of(self, status: int) -> Alike:
        """What the answers with a status have in common."""
        found = self.alike.get(status)
        if found is None:
            found = self.alike[status] = Alike(self.path, self.route.path, status)
        return found


class Pages:
    """The public answers of an application, by way of a cache."""

    def __init__(self, routes: Iterable[Route], shop: Shop, admission: Admission) -> None:
        self.cache = shop.platform.cache
        self._admission = admission
        self._shop = shop
        self._keeps = shop.platform.config.flag("ENABLE_CACHING")
        self.cdn = shop.platform.config.number("CDN_TTL")
        self._routes: Paths[Route] = Paths()
        self._kinds: dict[str, Kind[Page]] = {}
        for route in routes:
            self._routes.add(route.path, route)
            name, seconds = route.fresh.name, shop.platform.config.number(route.fresh.setting)
            self._kinds[name] = Kind(name, timedelta(seconds=seconds), Page.pack, Page.unpack, lambda page: page.size)
        self._names: dict[bytes, Known] = {}
        """By path and query as they came."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, None] = {}
        self._filling = False
        self.cache.often_gone, self.cache.warm = self._again, self.warm

    def route_of(self, scope: Scope) -> tuple[Route, str] | None:
        """The route of a request, and the key of what it asks for; None when it is no public page."""
        target = target_of(scope)
        known = self._names.get(target)
        if known is None:
            path = scope["path"]
            parts = parts_of(path)
            route = self._routes.find(parts)
            if route is None:
                return None
            known = Known(route, _key(route, parts, scope["query_string"]), path)
            if len(target) <= _LONGEST_NAME:
                if len(self._names) >= _MOST_NAMES:
                    self._names.clear()
                self._names[target] = known
        return known.route, known.key

    def find(self, target: bytes, now: float) -> tuple[Entry, Known] | None:
        """A page that memory has, asked for as before, for `hand_out`; None where it must be made, and for problems."""
        known = self._names.get(target)
        if known is None:
            return None
        entry = self.cache.look(known.key, now)
        return None if entry is None or entry.value.problem is not None else (entry, known)

    def hand_out(self, entry: Entry, route: Route, now: float) -> None:
        """Count a page as handed out; it is made anew in the background when it is time."""
        self.cache.count(entry)
        self.cache.asked.add(entry.key)
        if self.cache.due(entry, now):
            self.cache.refresh(entry, partial(self._made, route, entry.key, ids.request_id()))

    def is_near(self, target: bytes, now: float) -> bool:
        """Whether a page is in memory or being made, so that who asks for it makes no work."""
        known = self._names.get(target)
        return known is not None and self.cache.is_near(known.key, now)

    async def page(self, route: Route, key: str, request_id: str) -> Page:
        """The page, from memory, from another process or made now, for which there must be a place. `ShopError` when
        the shop cannot answer.
        """
        make = partial(self._made, route, key, request_id)
        if not self._keeps:
            async with self._admission.place(Line.OTHERS):
                return (await make()).value
        kind = self._kinds[route.fresh.name]
        if self.cache.is_near(key, monotonic()):
            page = await self.cache.get(kind, key, make)
        else:
            async with self._admission.place(Line.OTHERS):
                page = await self.cache.get(kind, key, make)
        if page.problem is None and self.cache.is_near(key, monotonic()):  # what is not kept is not made beforehand
            self.cache.asked.add(key)
        return page

    def warm(self) -> None:
        """Make what was asked for most of late, in the background, before somebody asks."""
        self._start(self._warm())

    async def close(self) -> None:
        """Make no more."""
        self.cache.often_gone = self.cache.warm = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _warm(self) -> None:
        platform = self._shop.platform
        self.cache.warming += 1
        try:
            async with platform.db.read() as tx:
                known = [key for key, _ in await asked.most_asked(tx, platform.config.number("CACHE_WARM"))]
            for key in dict.fromkeys([*FIRST, *known]):
                await self._fill(key)
        except ShopError:
            return
        finally:
            self.cache.warming -= 1

    def _again(self, gone: list[Entry]) -> None:
        """What was asked for often is made anew before somebody asks, one page after another."""
        pages = (entry for entry in gone if entry.kind.name in self._kinds)
        for entry in nlargest(MOST_AGAIN, pages, key=lambda entry: entry.hits):
            if len(self._waiting) < MOST_WAITING:
                self._waiting[entry.key] = None
        if not self._filling:
            self._filling = True
            self._start(self._fill_waiting())

    async def _fill_waiting(self) -> None:
        try:
            while self._waiting:
                key = next(iter(self._waiting))
                del self._waiting[key]
                await self._fill(key)
        finally:
            self._filling = False

    async def _fill(self, key: str) -> None:
        """Make a page that is not there, if there is room beside what people ask for."""
        route = self._routes.find(parts_of(key.partition("?")[0]))
        if route is not None and self._admission.has_room() and not self.cache.is_near(key, monotonic()):
            made = partial(self._made, route, key, ids.request_id())
            with suppress(ShopError):
                async with self._admission.place(Line.OTHERS):
                    await self.cache.fill(self._kinds[route.fresh.name], key, made)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _made(self, route: Route, key: str, request_id: str) -> Made[Page]:
        """A page, made from its key alone: nothing else of any request has a part in it."""
        path, _, query = key.partition("?")
        answer = await route.make(self._shop, parts_of(unquote(path)), query.encode(), request_id)
        if isinstance(answer, Refused):
            if isinstance(answer.error, ShopError) and answer.error.kind is ErrorKind.UNAVAILABLE:
                raise answer.error
            problem = answer.problem
            holds = MISSING if problem.status == 404 else _UNKEPT
            return Made(Page(problem.status, [], b"", problem), frozenset({"missing"}), holds)
        if not answer.tags:
            return Made(Page(answer.status, answer.headers, answer.body), frozenset(), _UNKEPT)
        extra = answer.headers
        if self.cdn and self.cache.sure:
            extra = [
                *extra, (b"cdn-cache-control", b"max-age=%d, stale-while-revalidate=60" % self.cdn),
                (b"surrogate-key", " ".join([*sorted(answer.tags), EVERY_PAGE]).encode()),
            ]  # fmt: skip
        fresh = MISSING if answer.status == 301 else None
        return Made(Page(answer.status, extra, answer.body), answer.tags, fresh)


def target_of(scope: Scope) -> bytes:
    """Path and query as they came."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return b"%b?%b" % (path, query) if query else path


def _key(route: Route, parts: list[str], query: bytes) -> str:
    """What is asked for, the same however it is written."""
    pairs = parse_qsl(query.decode(errors="replace"), keep_blank_values=True) if query else ()
    counted = sorted((pair for pair in pairs if route.counts(pair[0])), key=lambda pair: pair[0])
    path = quote("/" + "/".join(parts))
    return f"{path}?{urlencode(counted)}" if counted else path
