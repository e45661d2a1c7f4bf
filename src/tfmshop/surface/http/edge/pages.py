"""Pages that anyone may have: found by what was asked for, and nothing else, in the cache or made by the framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from tfmshop.platform.cache import Cache, Entry, Fresh, Kind, Made
from tfmshop.platform.errors import Kind as ErrorKind
from tfmshop.platform.errors import ShopError
from tfmshop.surface.http.edge.body import App, Message, Scope
from tfmshop.surface.http.edge.headers import Headers
from tfmshop.surface.http.edge.page import Page

MISSING: Final = timedelta(seconds=30)
"""How long it holds that something is not there; the tag `missing` ends it sooner."""
_UNKEPT: Final = timedelta(0)
_MOST_NAMES: Final = 20_000
_OF_THE_SENDER: Final = {b"content-length", b"cache-control"}
_HOST: Final = [(b"host", b"shop")]


class Route:
    """A path whose answers are public: its parts, with None for each that differs, and the parameters that count."""

    __slots__ = ("fresh", "names", "open_names", "parts")

    def __init__(self, path: str, fresh: Fresh, names: Iterable[str]) -> None:
        self.parts = [None if part.startswith("{") else part for part in path.strip("/").split("/")]
        self.fresh = fresh
        self.names = frozenset(names)
        self.open_names = tuple(name for name in self.names if name.endswith("["))

    def fits(self, parts: list[str]) -> bool:
        """Whether a path is one of these."""
        return all(wanted in (None, part) for wanted, part in zip(self.parts, parts, strict=True))

    def counts(self, name: str) -> bool:
        """Whether a parameter changes the answer."""
        return name in self.names or name.startswith(self.open_names)


class Pages:
    """The public answers of an application, by way of a cache."""

    def __init__(self, app: App, routes: Iterable[Route], cache: Cache, seconds: Callable[[str], float]) -> None:
        """`seconds` is the value of a setting."""
        self.cache = cache
        self._app = app
        self._routes: dict[int, list[Route]] = {}
        self._kinds: dict[str, Kind[Page]] = {}
        for route in sorted(routes, key=lambda one: one.parts.count(None)):
            self._routes.setdefault(len(route.parts), []).append(route)
            self._kinds[route.fresh.name] = Kind(
                route.fresh.name, timedelta(seconds=seconds(route.fresh.setting)), Page.pack, Page.unpack,
                lambda page: page.size,
            )  # fmt: skip
        self._names: dict[tuple[str, bytes], tuple[Route, str]] = {}

    def route_of(self, scope: Scope) -> tuple[Route, str] | None:
        """The route of a request, and the key of what it asks for; None when it is no public page."""
        path, query = scope["path"], scope["query_string"]
        known = self._names.get((path, query))
        if known is None:
            parts = path.strip("/").split("/")
            route = next((one for one in self._routes.get(len(parts), ()) if one.fits(parts)), None)
            if route is None:
                return None
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            known = self._names[path, query] = (route, _key(route, parts, query))
        return known

    def peek(self, key: str) -> Entry | None:
        """What memory has for a key, counted as handed out."""
        entry = self.cache.peek(key)
        if entry is not None:
            self.cache.tally(entry.kind).hits += 1
        return entry

    async def page(self, route: Route, key: str, scope: Scope) -> Page:
        """The page, from another process or made now. `ShopError` when the shop cannot answer."""
        return await self.cache.get(self._kinds[route.fresh.name], key, partial(self._made, key, scope))

    def refresh(self, entry: Entry, scope: Scope) -> None:
        """Make a page anew in the background."""
        self.cache.refresh(entry, partial(self._made, entry.key, scope))

    async def _made(self, key: str, scope: Scope) -> Made[Page]:
        """A page, made from its key alone: nothing else of the request reaches the framework."""
        status, headers, body = 500, [], b""

        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                body += message.get("body", b"")

        path, _, query = key.partition("?")
        state: dict[str, Any] = {"request_id": scope["state"]["request_id"], "shop": scope["state"]["shop"]}
        asked = {
            **scope, "path": path, "raw_path": quote(path).encode(), "query_string": query.encode(), "headers": _HOST,
            "state": state,
        }  # fmt: skip
        await self._app(asked, _nothing, keep)
        return _made_of(status, headers, body, state)


def _made_of(status: int, headers: Headers, body: bytes, state: Mapping[str, Any]) -> Made[Page]:
    error, problem, tags = state.get("error"), state.get("problem"), state.get("tags")
    if isinstance(error, ShopError) and error.kind is ErrorKind.UNAVAILABLE:
        raise error
    if problem is not None:
        fresh = MISSING if status == 404 else _UNKEPT
        return Made(Page(status, [], b"", problem), frozenset({"missing"}), fresh)
    extra = [pair for pair in headers if pair[0] not in _OF_THE_SENDER]
    if tags is None:
        return Made(Page(status, extra, body), frozenset(), _UNKEPT)
    return Made(Page(status, extra, body), tags)


def _key(route: Route, parts: list[str], query: bytes) -> str:
    """What is asked for, the same however it is written."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=200) if query else ()
    counted = sorted(pair for pair in pairs if route.counts(pair[0]))
    path = "/" + "/".join(parts)
    return f"{path}?{urlencode(counted)}" if counted else path


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
