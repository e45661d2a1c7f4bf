"""Requests to addresses that somebody else chose: never into our own network, never further than asked.

The name is resolved once, every address it has must be public, and the connection goes to the one that was checked, so
that a name cannot mean something else a moment later. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.observe import traces
from tfmshop.platform.observe.metrics import Counter

TIMEOUT_SECONDS: Final = 10.0
REQUESTS = Counter(
    "tfmshop_outgoing_requests_total",
    "Requests to receivers of webhooks: taken, refused, no_reply, certificate (not to be trusted), not_allowed.",
    "outcome",
)
for outcome in ("taken", "refused", "no_reply", "certificate", "not_allowed"):
    REQUESTS.of(outcome)
MOST_READ: Final = 64 * 1024
"""Bytes of an answer that are read; the rest is of no use to us."""


class NotAllowedThere(
    ShopError, kind=Kind.FORBIDDEN, code="address_not_allowed", says="This address is refused: {why}."
):
    """The address is not one that the shop sends to."""

    why: str


class NoReply(
    ShopError, kind=Kind.UNAVAILABLE, code="receiver_unavailable", says="The receiver did not answer: {why}."
):
    """Nobody answered in time."""

    why: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status, and the beginning of the body."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Sends to public https addresses; with `private`, also to http and to our own network, for development."""

    private: bool = False

    def check(self, url: str) -> None:
        """Refuse an address by its looks. `NotAllowedThere`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise NotAllowedThere(why="it cannot be read") from None
        if parts.scheme != "https" and not (self.private and parts.scheme == "http"):
            raise NotAllowedThere(why="it must begin with https://")
        if not parts.hostname or parts.username or parts.password or parts.fragment or port == 0:
            raise NotAllowedThere(why="it must be a host with a path, without a name or password in it")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a body. `NotAllowedThere`, `NoReply`."""
        outcome, started = "no_reply", monotonic()
        try:
            self.check(url)
            async with asyncio.timeout(TIMEOUT_SECONDS):
                reply = await self._post(httpx.URL(url), body, headers)
            outcome = "taken" if 200 <= reply.status < 300 else "refused"
            return reply
        except NotAllowedThere:
            outcome = "not_allowed"
            raise
        except TimeoutError:
            raise NoReply(why=f"not within {TIMEOUT_SECONDS:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            if _is_about_certificates(error):
                outcome = "certificate"
                raise NoReply(why="its certificate is not to be trusted") from error
            raise NoReply(why=type(error).__name__) from error
        finally:
            REQUESTS.of(outcome).add()
            if traces.on:
                traces.call("POST", monotonic() - started, outcome)

    async def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> Reply:
        address = await self._address(url.host, url.port or (443 if url.scheme == "https" else 80))
        request = httpx.Request(
            "POST", url.copy_with(host=address), content=body,
            headers={**headers, "host": url.netloc.decode(), "user-agent": "TFMShop", "accept-encoding": "identity"},
            extensions={"sni_hostname": url.host, "timeout": httpx.Timeout(TIMEOUT_SECONDS).as_dict()},
        )  # fmt: skip
        async with httpx.AsyncHTTPTransport(trust_env=False) as transport:
            answer = await transport.handle_async_request(request)
            try:
                read = b""
                async for chunk in answer.aiter_raw():
                    read += chunk
                    if len(read) >= MOST_READ:
                        break
            finally:
                await answer.aclose()
        return Reply(answer.status_code, read[:MOST_READ].decode(errors="replace"))

    async def _address(self, host: str, port: int) -> str:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(one[4][0])) for one in found]
        if not self.private and not all(_public(address) for address in addresses):
            raise NotAllowedThere(why="it leads into a private network")
        return str(addresses[0])


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is out in the world; one that wraps another (mapped, 6to4, NAT64) is refused."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address.is_site_local
    ):
        return False
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


_SPECIAL: Final = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24")
)
"""Translation, documentation and relays (IANA special-purpose registries): not all Pythons know them as special."""
