"""Who sends a request, by which scheme, and to whom: as told by the connection, and by proxies that are trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from tfmshop.platform import Config

Headers = Iterable[tuple[bytes, bytes]]
Network = IPv4Network | IPv6Network
_V6_OF_ONE: Final = 64
"""Bits of an IPv6 address that one household or server has; the rest it chooses itself."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the edge must know of the installation."""

    proxies: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    origins: frozenset[bytes] = frozenset()
    deadline_seconds: float = 30.0
    suspicion: str = "off"
    compresses: bool = True

    @classmethod
    def of(cls, config: Config) -> Rules:
        """The rules that the settings ask for."""
        return cls(
            tuple(ip_network(one) for one in config.words("TRUSTED_PROXIES") if one != "none"),
            frozenset(config.words("ALLOWED_HOSTS")),
            frozenset(one.encode() for one in config.words("CORS_ORIGINS")),
            config.seconds("REQUEST_TIMEOUT"),
            config.text("SUSPICION"),
            config.flag("ENABLE_COMPRESSION"),
        )

    def trusts(self, address: str) -> bool:
        """Whether an address is a proxy of ours."""
        return bool(self.proxies) and is_in(address, self.proxies)

    def allows_host(self, host: str) -> bool:
        """Whether requests may name that host; its port does not matter."""
        if not self.hosts:
            return True
        name = host.lower().rpartition("]")[0] + "]" if host.startswith("[") else host.lower().partition(":")[0]
        parents = (name[at:] for at, letter in enumerate(name) if letter == "." and at)
        return name in self.hosts or any(parent in self.hosts for parent in parents)

    def sender(self, peer: str, scheme: str, headers: Headers) -> tuple[str, str]:
        """The address and scheme of whoever asks: the right-most address that is no proxy of ours.

        What somebody else writes into the headers of proxies is not read at all.
        """
        if not self.trusts(peer):
            return peer, scheme
        forwarded: list[str] = []
        for name, value in headers:
            if name == b"x-forwarded-for":
                forwarded += value.decode("latin-1").split(",")
            elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
                scheme = value.decode()
        for one in reversed(forwarded):
            address = _plain(one)
            if address is None:
                break
            peer = address
            if not self.trusts(peer):
                break
        return peer, scheme


@lru_cache(maxsize=1024)
def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address belongs to one of these networks."""
    try:
        found = _unmapped(ip_address(address))
    except ValueError:
        return False
    return any(found in network for network in networks)


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that came as an IPv6 one, as itself."""
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _plain(text: str) -> str | None:
    """An address without its port; None when it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(_unmapped(ip_address(text)))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def household(address: str) -> str:
    """What stands for everybody behind an address: itself, or the /64 of an IPv6 address."""
    try:
        found = _unmapped(ip_address(address))
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ip_network((found, _V6_OF_ONE), strict=False))
