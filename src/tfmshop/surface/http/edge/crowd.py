"""Who finds no place in a crowd is told so at once, for a fraction of what an answer costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tfmshop.platform.clock import monotonic
from tfmshop.platform.limits import Admission, Line, Overloaded
from tfmshop.platform.observe.alike import LONGEST_PATH, Alike
from tfmshop.surface.http.edge import bounds, sharing
from tfmshop.surface.http.edge.body import Scope, Send
from tfmshop.surface.http.edge.headers import API, HTTPS_ONLY, NO_STORE, Headers, date, head
from tfmshop.surface.http.edge.quick import is_plain
from tfmshop.surface.http.edge.sender import Rules, household
from tfmshop.surface.http.problems import of_shop
from tfmshop.surface.http.tiers import CHECKOUT, FREE, PAYMENTS, Table

if TYPE_CHECKING:
    from tfmshop.surface.http.edge.pages import Pages
    from tfmshop.surface.http.edge.ready import Ready
    from tfmshop.surface.http.edge.watch import Watch

_OVERLOADED: Final = of_shop(Overloaded())
MOST_PATHS: Final = 1000
"""Paths that are remembered; longer ones than are told of are not."""
_LINES: Final = {CHECKOUT: Line.FIRST, PAYMENTS: Line.NEWS}
_HEADERS: Final = [(b"content-type", b"application/problem+json"), (b"retry-after", b"1"), NO_STORE, *API]
_HEAD: Final = head(503, _HEADERS)
_BEFORE, _, _AFTER = _OVERLOADED.encode("-").partition(b'"-"')


def line_of(tier: str) -> Line:
    """Where what counts against a tier waits for its place."""
    return _LINES.get(tier, Line.OTHERS)


class Crowd:
    """Turns away who would make work, once `admission` says that there is too much of it."""

    def __init__(
        self, rules: Rules, tiers: Table, watch: Watch, admission: Admission, pages: Pages, ready: Ready
    ) -> None:  # fmt: skip
        self._rules, self._tiers, self._watch, self._admission = rules, tiers, watch, admission
        self._pages, self._ready = pages, ready
        self._known: dict[bytes, Alike] = {}

    def answer(self, target: bytes, headers: Headers, peer: str, write: Callable[[bytes], object]) -> bool:
        """Write 503 to a GET without a body, for a target as it came, if it would make work among the others, for whom
        there is no place; whether that was so.
        """
        now = monotonic()
        named = dict(headers)
        if not is_plain(named) or self._pages.is_near(target, now):
            return False
        alike = self._find(target.partition(b"?")[0])
        if alike is None:
            return False
        given_id, scheme = self._come(headers, named, peer, "http", Line.OTHERS, now)
        id, more = given_id.encode(), b""
        if self._rules.origins or scheme == "https":
            more = sharing.lines_for(named.get(b"origin"), self._rules.origins, scheme)
        length = len(_BEFORE) + len(id) + 2 + len(_AFTER)
        write(
            b'%bcontent-length: %d\r\nx-request-id: %b\r\n%b%b\r\n%b"%b"%b'
            % (_HEAD, length, id, more, date(now), _BEFORE, id, _AFTER)
        )
        self._ready.add(alike, given_id, now, None)
        return True

    async def refuse(self, scope: Scope, send: Send, started: float, tier: str, route: str) -> None:
        """Answer any request with 503: who asks found out that it would make work, and that it finds no place."""
        named = dict(scope["headers"])
        peer = scope["client"][0] if scope["client"] else ""
        id, scheme = self._come(scope["headers"], named, peer, scope["scheme"], line_of(tier), started)
        self._ready.add(Alike(scope["path"], route, 503, scope["method"]), id, started, None)
        body = _OVERLOADED.encode(id)
        headers = [*_HEADERS, (b"content-length", b"%d" % len(body)), (b"x-request-id", id.encode())]
        headers += sharing.headers(named.get(b"origin"), self._rules.origins)
        headers += [HTTPS_ONLY] if scheme == "https" else []
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _find(self, path: bytes) -> Alike | None:
        """What refusals of a path have in common; None where it is not plain, or not for the others."""
        found = self._known.get(path)
        if found is None:
            if not path.startswith(b"/") or not path.isascii() or b"%" in path or b"#" in path:
                return None
            plain = path.decode()
            tier, route = self._tiers.of("GET", plain)
            if tier == FREE or line_of(tier) is not Line.OTHERS:
                return None
            found = Alike(plain, route, 503)
            if len(path) <= LONGEST_PATH:
                if len(self._known) >= MOST_PATHS:
                    self._known.clear()
                self._known[path] = found
        return found

    def _come(
        self, given: Headers, named: dict[bytes, bytes], peer: str, scheme: str, line: Line, now: float
    ) -> tuple[str, str]:  # fmt: skip
        """Count somebody who is turned away; the id of the request, and its scheme."""
        address, scheme = self._rules.sender(peer, scheme, given)
        if self._watch.on:
            self._watch.comes(household(address), now)
        self._admission.turn_away(line)
        return bounds.request_id(named.get(b"x-request-id", b"")), scheme
