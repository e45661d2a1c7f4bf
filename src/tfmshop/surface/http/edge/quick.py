"""A page that is in memory, written to the connection at once: no scope, no task, no framework, no wait.

It is for who has no record and asks for what was asked for before; everything else goes the long way, which decides by
the same rules (`door`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from tfmshop.platform.clock import monotonic
from tfmshop.surface.http.edge import bounds, sharing, signs
from tfmshop.surface.http.edge.encodings import IDENTITY, chosen
from tfmshop.surface.http.edge.exit import has_it
from tfmshop.surface.http.edge.headers import Headers, date
from tfmshop.surface.http.edge.sender import Rules, household

if TYPE_CHECKING:
    from tfmshop.surface.http.edge.limits import Limits
    from tfmshop.surface.http.edge.pages import Pages
    from tfmshop.surface.http.edge.ready import Ready
    from tfmshop.surface.http.edge.watch import Watch

FEW_HEADERS: Final = 40
"""More than a browser sends: who sends more is answered the long way."""
_MORE: Final = {b"content-length", b"transfer-encoding", b"upgrade", b"expect"}


def is_plain(named: Mapping[bytes, bytes]) -> bool:
    """Whether a request has no body and wants no other protocol."""
    return _MORE.isdisjoint(named) or (_MORE & named.keys() == {b"content-length"} and named[b"content-length"] == b"0")


class Quick:
    """What answers at once, while the shop is open."""

    __slots__ = ("_limits", "_pages", "_ready", "_rules", "_watch")

    def __init__(self, rules: Rules, watch: Watch, pages: Pages, limits: Limits | None, ready: Ready) -> None:
        self._rules, self._watch, self._pages, self._limits, self._ready = rules, watch, pages, limits, ready

    def answer(self, target: bytes, headers: Headers, peer: str, write: Callable[[bytes], object]) -> bool:
        """Answer a GET for a target, path and query as they came; False for all that this does not know."""
        now = monotonic()
        pages = self._pages
        found = pages.find(target, now)
        if found is None:
            return False
        entry, asked = found
        route = asked.route
        named = dict(headers)
        if not len(named) == len(headers) <= FEW_HEADERS or not is_plain(named):
            return False
        rules, watch = self._rules, self._watch
        scheme = "http"
        if rules.proxies:
            peer, scheme = rules.sender(peer, scheme, headers)
        if rules.hosts and not rules.allows_host(named.get(b"host", b"").decode("latin-1")):
            return False
        who = household(peer)
        if watch.on and (signs.is_scanner(named.get(b"user-agent", b"")) or not watch.trusts(who)):
            return False
        extra = b"" if self._limits is None else self._limits.at_once(route.limit, named, peer, now)
        if extra is None:
            return False
        if watch.on:
            watch.comes(who, now)
        pages.hand_out(entry, route, now)
        form = entry.value.form(chosen(named.get(b"accept-encoding", b"")) if rules.compresses else IDENTITY)
        id = bounds.request_id(named.get(b"x-request-id", b""))
        if pages.cdn:
            extra = b""
        if rules.origins or scheme == "https":
            extra += sharing.lines_for(named.get(b"origin"), rules.origins, scheme)
        status, body = form.status, form.body
        if b"if-none-match" in named and status == 200 and has_it(form, named[b"if-none-match"]):
            status, body = 304, b""
        head = form.head(status)
        write(b"%b%bx-request-id: %b\r\n%b\r\n%b" % (head, date(now), id.encode(), extra, body))
        self._ready.add(asked.of(status), id, now, named.get(b"traceparent"))
        return True
