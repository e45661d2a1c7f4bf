"""Where an address leads: to this machine or over a network, and whether somebody could read there."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, urlsplit

_ENCRYPTED: Final = {"require", "verify-ca", "verify-full"}


def is_here(host: str | None) -> bool:
    """Whether a host is this machine: a loopback address, a socket, or none at all."""
    if not host or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_readable(url: str) -> bool:
    """Whether what goes to a server may go over a network as it is: PostgreSQL without an `sslmode` that demands TLS,
    Redis without TLS, mail without TLS or a password (which brings TLS with it, see `SmtpMailer`).
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    hosts = parts.netloc.rpartition("@")[2].split(",") + asked.get("host", [])
    if parts.scheme == "unix" or all(is_here(_without_port(host)) for host in hosts):
        return False
    if parts.scheme.startswith("postgres"):
        return not _ENCRYPTED & set(asked.get("sslmode", []))
    return not parts.scheme.startswith(("rediss", "smtps")) and not (parts.scheme == "smtp" and parts.password)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host
