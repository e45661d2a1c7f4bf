"""The edge: who asks, bounds of a request, security headers, ETag and 304, and one access event, in one pass.

It is a plain ASGI callable around the framework, so that what it does costs microseconds and applies to every
response, the framework's own errors included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Final

import structlog

from tfmshop.platform import clock, measures
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.pool import PoolStatistics
from tfmshop.platform.errors import ShopError
from tfmshop.platform.limits import Admission, Line, Overloaded
from tfmshop.platform.observe import logs, security
from tfmshop.surface.http.edge import body as bodies
from tfmshop.surface.http.edge import bounds, measure, sharing, signs
from tfmshop.surface.http.edge.body import App, Receive, Scope, Send
from tfmshop.surface.http.edge.crowd import Crowd, line_of
from tfmshop.surface.http.edge.deadlines import Deadlines
from tfmshop.surface.http.edge.encodings import IDENTITY, chosen
from tfmshop.surface.http.edge.exit import Exit, without_body
from tfmshop.surface.http.edge.farewell import Farewell, with_goodbye
from tfmshop.surface.http.edge.headers import Headers
from tfmshop.surface.http.edge.limits import Limits, token_of
from tfmshop.surface.http.edge.pages import Pages, Route, target_of
from tfmshop.surface.http.edge.quick import Quick
from tfmshop.surface.http.edge.ready import Ready
from tfmshop.surface.http.edge.sender import Rules, household
from tfmshop.surface.http.edge.watch import Watch
from tfmshop.surface.http.problems import HTTP_CODES, Problem, of_shop
from tfmshop.surface.http.tiers import FREE, UPLOAD, Table, tiers_of

if TYPE_CHECKING:
    from tfmshop.surface.http.context import Shop

OpenShop = Callable[[], AbstractAsyncContextManager["Shop"]]

_SIGN_IN: Final = {"/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/logout"}
"""What has limits of its own."""
OPERATIONS: Final = ("/health", "/metrics")
"""What probes ask for, by whatever name of the machine."""
_NONE: Final[list[tuple[bytes, bytes]]] = []
_WITH_BODY: Final = {"POST", "PUT", "PATCH", "DELETE"}
NUL: Final = Problem(422, "invalid_text", "Invalid request", "Text must not contain the NUL character.")

NO_TIERS: Final = Table(())

log = structlog.get_logger("http")


class Edge:
    """Wraps the framework's ASGI application."""

    def __init__(
        self, app: App, open_shop: OpenShop, rules: Rules, routes: Sequence[Route] = (), tiers: Table = NO_TIERS
    ) -> None:
        """`routes` are those whose answers are public; `tiers` tells what each route counts against."""
        self._app = app
        self._routes = routes
        self._tiers = tiers
        self._pages: Pages | None = None
        self._limits: Limits | None = None
        self._admission = Admission(PoolStatistics())
        self._open_shop = open_shop
        self._rules = rules
        self.watch = Watch(rules.suspicion)
        self.shop: Shop | None = None
        self._farewell = Farewell()
        self._quick: Quick | None = None
        self._crowd: Crowd | None = None
        self._deadlines = Deadlines()

    def at_once(self, target: bytes, headers: Headers, peer: str, write: Callable[[bytes], object]) -> bool:
        """Write the answer to a GET without a body, where that is in memory or there is too much to do; False: it must
        be called for.
        """
        quick, crowd = self._quick, self._crowd
        if quick is None or crowd is None or self._farewell.begun:
            return False
        return quick.answer(target, headers, peer, write) or (
            self._admission.hopeless(Line.OTHERS) and crowd.answer(target, headers, peer, write)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or open the shop at the start of the server and close it at its end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        started = monotonic()
        send = with_goodbye(send) if self._farewell.begun else send
        tier, route = self._tiers.of(scope["method"], scope["path"])
        crowd = self._crowd
        if crowd and self._admission.hopeless(line_of(tier)) and self._makes_work(scope, tier, started):
            await crowd.refuse(scope, send, started, tier, route)
            return
        bodiless = scope["method"] == "HEAD"
        if bodiless:
            scope, send = {**scope, "method": "GET"}, without_body(send)
        named, peer = dict(scope["headers"]), scope["client"]
        address, scope["scheme"] = self._rules.sender(peer[0] if peer else "", scope["scheme"], scope["headers"])
        scope["client"] = (address, peer[1] if peer else 0)
        security.asking.set(address)
        id, parent = bounds.request_id(named.get(b"x-request-id", b"")), named.get(b"traceparent")
        method, path = "HEAD" if bodiless else scope["method"], scope["path"]
        span, trace = measure.begin(method, route, id, parent)

        def ended(status: int) -> None:
            measure.answered(method, path, route, status, id, monotonic() - started, trace)

        shared = sharing.headers(named.get(b"origin"), self._rules.origins)
        exit = Exit(scope, send, id, shared, self._deadlines.of(self._rules.deadline_seconds), ended)
        scope.setdefault("state", {}).update(request_id=exit.request_id, shop=self.shop, head=bodiless)
        measure.ACTIVE.of().add(1)
        try:
            with exit.until:
                await self._answer(scope, receive, exit, named, tier)
        except bodies.Gone:
            exit.status = measure.GONE
        except asyncio.CancelledError:
            exit.status = measure.GONE
            raise
        except TimeoutError:
            await exit.refuse(Problem(503, "took_too_long", "Unavailable", "The request took too long."))
        except Exception as error:
            log.error("unhandled error", path=scope["path"], request_id=exit.request_id, exc_info=error)
            await exit.refuse(Problem(500, *HTTP_CODES[500], "Something went wrong on our side; it was logged."))
        finally:
            measure.ACTIVE.of().add(-1)
            if span is not None:
                span.end(exit.status)
            exit.end()

    def _makes_work(self, scope: Scope, tier: str, now: float) -> bool:
        """Whether a request needs a place: not a browser that asks beforehand, nor who asks whether the shop lives."""
        if tier == FREE or scope["method"] == "OPTIONS":
            return False
        pages = self._pages if scope["method"] in ("GET", "HEAD") else None
        return pages is None or not pages.is_near(target_of(scope), now)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The ASGI lifespan protocol: the shop is open between the two messages that the server sends."""
        await receive()
        moment = "startup"
        try:
            async with self._open_shop() as self.shop:
                platform = self.shop.platform
                self._admission = Admission(platform.db.pool.statistics)
                unmeasured = measures.of_admission(self._admission)
                self._pages = Pages(self._routes, self.shop, self._admission)
                if platform.rates is not None:
                    self._limits = Limits(platform.rates, tiers_of(platform.config), platform.tokens)
                await self.watch.works_with(platform.db)
                ready = Ready()
                self._quick = Quick(self._rules, self.watch, self._pages, self._limits, ready)
                self._crowd = Crowd(self._rules, self._tiers, self.watch, self._admission, self._pages, ready)
                self._pages.warm()
                await self._farewell.wait(self.shop)
                await send({"type": "lifespan.startup.complete"})
                moment = "shutdown"
                await receive()
                self._quick = None
                ready.close()
                unmeasured()
                self._farewell.end()
                await self.watch.works_with(None)
                await self._pages.close()
        except Exception as error:
            log.error("the shop does not open" if moment == "startup" else "the shop does not close", exc_info=error)
            await send({"type": f"lifespan.{moment}.failed", "message": str(error)})
            return
        finally:
            logs.flush()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, exit: Exit, named: dict[bytes, bytes], tier: str) -> None:
        problem = bounds.unbounded(scope) or self._misdirected(scope, named) or bounds.ambiguous(scope, named)
        if problem is None and self.watch.on:
            problem = await self._watched(scope, named)
        if problem is None and self._limits is not None:
            exit.told, problem = await self._limits.take(tier, named, scope["client"][0], monotonic())
        if problem is not None:
            await exit.refuse(problem)
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in named:
            await exit.agree(sharing.beforehand() if named.get(b"origin") in self._rules.origins else [])
        elif bodies.has_nul(scope, b""):
            await exit.refuse(NUL)
            self._judge(scope, exit.status, named, b"")
        elif scope["method"] == "GET" and (pages := self._pages) and (found := pages.route_of(scope)):
            await self._show(pages, *found, scope, exit, named)
        elif scope["method"] not in _WITH_BODY:
            await self._pass(scope, receive, exit, named, b"", tier)
        else:
            body = await bodies.read(receive, large=tier == UPLOAD and self._is_known(named))
            if isinstance(body, Problem):
                await exit.refuse(body)
            else:
                await self._pass(scope, bodies.replay(body, receive), exit, named, body, tier)

    async def _show(
        self, pages: Pages, route: Route, key: str, scope: Scope, exit: Exit, named: dict[bytes, bytes]
    ) -> None:
        """A public page, from memory where that has it."""
        try:
            page = await pages.page(route, key, exit.request_id)
        except ShopError as error:
            await exit.refuse(of_shop(error))
            return
        if page.problem is not None:
            await exit.refuse(page.problem)
            self._judge(scope, exit.status, named, b"")
        else:
            if pages.cdn:
                exit.told = _NONE
                page = page if pages.cache.sure else page.without_cdn()
            encoding = chosen(named.get(b"accept-encoding", b"")) if self._rules.compresses else IDENTITY
            await exit.show(page.form(encoding), page.status, named.get(b"if-none-match"))

    async def _pass(
        self, scope: Scope, receive: Receive, exit: Exit, named: dict[bytes, bytes], body: bytes, tier: str
    ) -> None:
        text = b"" if tier == UPLOAD or named.get(b"content-type", b"").startswith(b"image/") else body
        if bodies.has_nul(scope, text):
            await exit.refuse(NUL)
        elif tier == FREE:
            await self._app(scope, receive, exit.send)
        else:
            try:
                async with self._admission.place(line_of(tier)):
                    await self._app(scope, receive, exit.send)
            except Overloaded as error:
                await exit.refuse(of_shop(error))
        self._judge(scope, exit.status, named, text)

    def _judge(self, scope: Scope, status: int, named: dict[bytes, bytes], body: bytes) -> None:
        """Look at what was refused for signs of somebody who looks for holes."""
        if self.watch.on and 400 <= status < 500:
            path = scope["path"].encode(errors="replace")
            forged = status == 401 and b"authorization" in named
            self._note(scope, named, signs.of_answer(status, path, scope["query_string"], body, forged=forged))

    async def _watched(self, scope: Scope, named: dict[bytes, bytes]) -> Problem | None:
        """Look at who comes: refuse who is kept out, have who is suspicious wait."""
        if scope["path"].startswith(OPERATIONS):
            return None
        who = household(scope["client"][0])
        self.watch.comes(who, monotonic())
        until = self.watch.blocked_until(who)
        if until is not None and not self._may_still(scope, named):
            return _kept_out(until)
        path = scope.get("raw_path") or scope["path"].encode(errors="replace")
        self._note(scope, named, signs.of_request(path, named.get(b"user-agent", b"")))
        return None if await self.watch.delay(who) else _kept_out(clock.now())

    def _note(self, scope: Scope, named: dict[bytes, bytes], found: list[str]) -> None:
        if named.get(b"sec-fetch-site") == b"cross-site":
            found = signs.of_somebody_elses_page(found)
        if found:
            address = scope["client"][0]
            self.watch.note(household(address), found, address=address, path=scope["path"][:300])

    def _may_still(self, scope: Scope, named: dict[bytes, bytes]) -> bool:
        """Whether somebody behind a blocked address is let through: to sign in, which has limits of its own, or because
        they are signed in.
        """
        return scope["path"] in _SIGN_IN or self._is_known(named)

    def _is_known(self, named: dict[bytes, bytes]) -> bool:
        """Whether somebody sends an access token of the shop, as a bearer or as a browser does."""
        given = token_of(named)
        shop = self.shop
        return bool(given and shop and shop.platform.tokens.read(given.decode("latin-1")) is not None)

    def _misdirected(self, scope: Scope, named: dict[bytes, bytes]) -> Problem | None:
        if scope["path"].startswith(OPERATIONS) or self._rules.allows_host(named.get(b"host", b"").decode("latin-1")):
            return None
        return Problem(421, "host_not_allowed", "Not served here", "This server has no such host.")


def _kept_out(until: datetime) -> Problem:
    seconds = max(1, ceil((until - clock.now()).total_seconds()))
    return Problem(
        429, "blocked", "Too many requests", f"This address is kept out for {seconds} seconds.",
        facts={"retry_after": seconds},
    )  # fmt: skip
