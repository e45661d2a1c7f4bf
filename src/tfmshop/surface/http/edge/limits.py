"""Rate limits at the edge: who counts as one client, what answers say of an allowance, and how one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

from tfmshop.platform.limits import Counted, Rates, Tier
from tfmshop.platform.observe import security
from tfmshop.platform.observe.metrics import Counter
from tfmshop.platform.security.access import AccessTokens
from tfmshop.surface.http import browsers
from tfmshop.surface.http.edge.headers import Headers, lines
from tfmshop.surface.http.edge.sender import household
from tfmshop.surface.http.problems import Problem
from tfmshop.surface.http.tiers import AUTH, FREE

_ACCESS: Final = browsers.ACCESS.encode() + b"="
_MOST_TOKENS, _LONGEST_TOKEN = 10_000, 2048
_REMEMBERED_SECONDS: Final = 30.0
"""How long a token that was checked counts for its owner without another look; it opens nothing by that."""

REFUSED = Counter("tfmshop_limit_refused_total", "Requests that were refused because of a rate limit.", "tier")


class Limits:
    """The allowances of a shop's clients: a person who is signed in, and whoever else comes from an address."""

    def __init__(self, rates: Rates, tiers: Mapping[str, Tier], tokens: AccessTokens) -> None:
        self._rates = rates
        self._tiers = tiers
        self._tokens = tokens
        self._people: dict[bytes, tuple[float, str]] = {}
        self._policies = {
            name: (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (name.encode(), tier.most, rates.window))
            for name, tier in tiers.items()
        }
        self._left = {name: b'"%s";r=%%d;t=%%d' % name.encode() for name in tiers}
        self._lines = {name: lines([self._policies[name], (b"ratelimit", left)]) for name, left in self._left.items()}
        self._whole = ceil(rates.window)

    def at_once(self, tier: str, named: Mapping[bytes, bytes], address: str, now: float) -> bytes | None:
        """Count a request that needs no asking, and the headers that tell of it; None: it must be asked for."""
        counted = self._rates.spend(self._tiers[tier], self._who(tier, named, address, now), now)
        if counted is None:
            return None
        return self._lines[tier] % (counted.remaining(now, self._rates.window), self._whole)

    async def take(
        self, tier: str, named: Mapping[bytes, bytes], address: str, now: float
    ) -> tuple[Headers, Problem | None]:
        """Count a request, and what its answer says of that; or how it is refused."""
        if tier == FREE:
            return [], None
        who = self._who(tier, named, address, now)
        counted, slower = await self._rates.ask(self._tiers[tier], who, now)
        if slower is None:
            return self._told(counted, now), None
        REFUSED.of(tier).add()
        if slower.first:
            security.tell("limited", address=address, key=f"{tier}:{who}", seconds=slower.seconds)
        return self._told(counted, now), Problem(
            429, "rate_limited", "Too many requests",
            f"At most {counted.tier.most} requests in {self._rates.window:g} seconds ({tier}). "
            f"Try again in {slower.seconds} seconds.",
            facts={"retry_after": slower.seconds},
        )  # fmt: skip

    def _told(self, counted: Counted, now: float) -> Headers:
        """The headers `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""
        name, waits = counted.tier.name, counted.wait_until - now
        left = counted.remaining(now, self._rates.window) if waits <= 0 else 0
        seconds = ceil(waits) if waits > 0 else self._whole
        return [self._policies[name], (b"ratelimit", self._left[name] % (left, seconds))]

    def _who(self, tier: str, named: Mapping[bytes, bytes], address: str, now: float) -> str:
        """The person of the token, or who looks at the shop as that one; who signs in counts by address, however many
        accounts they have.
        """
        if tier != AUTH and (b"authorization" in named or b"cookie" in named):
            person = self._person(token_of(named), now)
            if person is not None:
                return person
        return household(address)

    def _person(self, token: bytes, now: float) -> str | None:
        known = self._people.get(token)
        if known is not None and known[0] >= now:
            return known[1]
        viewer = self._tokens.read(token.decode("latin-1")) if 0 < len(token) <= _LONGEST_TOKEN else None
        if viewer is None:
            return None
        if len(self._people) >= _MOST_TOKENS:
            self._people.clear()
        person = (viewer.watched_by or viewer.id).hex
        self._people[token] = (now + _REMEMBERED_SECONDS, person)
        return person


def token_of(named: Mapping[bytes, bytes]) -> bytes:
    """The access token that somebody sends, as a bearer or as a browser does; empty without one."""
    if b"authorization" in named:
        scheme, _, given = named[b"authorization"].partition(b" ")
        return given.strip() if scheme.lower() == b"bearer" else b""
    cookies = [one.strip() for one in named.get(b"cookie", b"").split(b";")]
    return next((one[len(_ACCESS) :].strip(b'"') for one in reversed(cookies) if one.startswith(_ACCESS)), b"")
