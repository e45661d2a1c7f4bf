"""What one setting is, and the checks that its text must pass."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from tfmshop.config.hosts import is_here

Value = str | int | bool
Check = Callable[[str], str | None]
"""Says in words what is wrong with a text, or None."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its environment name, default, meaning, and what is allowed."""

    name: str
    default: Value
    meaning: str
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    check: Check | None = None

    def parse(self, text: str) -> Value:
        """The value of `text`, or ValueError with a sentence that names the setting."""
        kind = type(self.default)
        if kind is bool:
            return self._flag(text)
        if kind is int:
            return self._whole_number(text)
        if self.choices and text not in self.choices:
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}, not {text!r}.")
        if self.check and (problem := self.check(text)):
            raise ValueError(f"{self.name} {problem}.")
        return text

    def _flag(self, text: str) -> bool:
        word = text.strip().lower()
        if word in {"true", "1", "yes", "on"}:
            return True
        if word in {"false", "0", "no", "off"}:
            return False
        raise ValueError(f"{self.name} must be true or false, not {text!r}.")

    def _whole_number(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"{self.name} must be a whole number, not {text!r}.") from None
        if self.least is not None and number < self.least:
            raise ValueError(f"{self.name} must be at least {self.least}, not {number}.")
        if self.most is not None and number > self.most:
            raise ValueError(f"{self.name} must be at most {self.most}, not {number}.")
        return number


def url(*schemes: str) -> Check:
    """An address with one of some schemes, or nothing."""

    def check(text: str) -> str | None:
        if not text:
            return None
        try:
            parts = urlsplit(text)
            wrong = parts.scheme not in schemes or parts.port == 0
        except ValueError:
            return "is not an address that can be read"
        return f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}" if wrong else None

    return check


@dataclass(frozen=True, slots=True)
class Servers:
    """Several Redis servers at one address: Sentinels and what they call the master, or those of a Cluster."""

    kind: str
    tls: bool
    user: str
    password: str
    places: tuple[tuple[str, int], ...]
    name: str
    number: int

    @classmethod
    def of(cls, text: str) -> Servers:
        """The servers that an address names. ValueError says what is wrong, without quoting any of it."""
        scheme, _, rest = text.partition("://")
        base, _, kind = scheme.partition("+")
        who, _, where = rest.rpartition("@")
        hosts, _, path = where.partition("/")
        places = tuple((host, int(port or 0)) for host, _, port in (one.rpartition(":") for one in hosts.split(",")))
        if base not in {"redis", "rediss"} or not all(_NAME_OF_HOST.fullmatch(h) and 0 < p < 65536 for h, p in places):
            raise ValueError("must list hosts with their ports, such as redis+sentinel://one:26379,two:26379/shop")
        found = _NAME_AND_NUMBER.fullmatch(path)
        if kind == "sentinel" and not found:
            raise ValueError(
                "must end in what the Sentinels call it, and perhaps a number: redis+sentinel://a:26379/shop/0"
            )
        if kind == "cluster" and path:
            raise ValueError("must end after the hosts: a Cluster has no numbered databases")
        user, _, password = who.partition(":")
        name, number = (found[1], int(found[2] or 0)) if found else ("", 0)
        return cls(kind, base == "rediss", unquote(user), unquote(password), places, name, number)


def redis_url(text: str) -> str | None:
    """The address of a Redis, of some Sentinels and what they call it, or of some servers of a Cluster; or nothing."""
    if not text.partition("://")[0].endswith(("+sentinel", "+cluster")):
        return _one_redis(text)
    try:
        Servers.of(text)
    except ValueError as error:
        said = str(error)
        return said if said.startswith("must") else "must list hosts with their ports, and quote signs in a password"
    return None


def _one_redis(text: str) -> str | None:
    if problem := url("redis", "rediss", "unix")(text):
        return (
            f"{problem}, or name several servers: redis+sentinel://, redis+cluster://" if "://" in problem else problem
        )
    parts = urlsplit(text)
    numbers = parse_qs(parts.query).get("db", []) + ([parts.path[1:]] if parts.scheme != "unix" else [])
    if not all(number.isdecimal() for number in numbers if number):
        return "must name its database by a number"
    return "must name a socket" if parts.scheme == "unix" and not parts.path else None


def one_of(*words: str) -> Check:
    """One of some words."""

    def check(text: str) -> str | None:
        return None if text in words else f"must be one of {', '.join(words)}, not {text!r}"

    return check


def starting(*words: str) -> Check:
    """Text that starts with one of some words, or nothing."""

    def check(text: str) -> str | None:
        return None if not text or text.startswith(words) else f"must start with {' or '.join(words)}"

    return check


def address(text: str) -> str | None:
    """An IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return f"must be an IP address, not {text!r}"
    return None


def sender(text: str) -> str | None:
    """Who a letter comes from."""
    _, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    return None if local and domain and address.isascii() else "must be an address, such as Shop <shop@example.com>"


def sender_or_nobody(text: str) -> str | None:
    """Who a letter goes to, or nothing."""
    return sender(text) if text else None


def secret_text(text: str) -> str | None:
    """A key of 32 bytes at least, or nothing."""
    if text and len(text.encode()) < 32:
        return "must be empty or at least 32 bytes long"
    return None


def header(text: str) -> str | None:
    """A header of a request, as `Name: value`, or nothing."""
    fits = not text or re.fullmatch(r"[A-Za-z0-9-]+: ?[!-~]([ -~]*[!-~])?", text)
    return None if fits else "must be empty or a header such as Fastly-Key: ..."


def cron(text: str) -> str | None:
    """When something happens, as five fields of cron, or nothing."""
    if not text:
        return None
    from croniter import croniter  # the reader of schedules that the job queue has; most processes need none

    fits = len(text.split()) == 5 and croniter.is_valid(text)
    return None if fits else "must be a line of cron, such as 30 3 * * *"


def traces_to(text: str) -> str | None:
    """An address of a collector, or `console`."""
    return None if text == "console" else url("https", "http")(text)


def currency(text: str) -> str | None:
    """A code of ISO 4217."""
    return None if len(text) == 3 and text.isascii() and text.isupper() else "must be an ISO 4217 code such as USD"


def each(check: Check) -> Check:
    """A list parted by commas, each of which passes; or nothing."""

    def all_of(text: str) -> str | None:
        return next((problem for one in listed(text) if (problem := check(one))), None)

    return all_of


def listed(text: str) -> list[str]:
    """The parts of a list, which are parted by commas."""
    return [part for one in text.split(",") if (part := one.strip())]


def network(text: str) -> str | None:
    """A network in CIDR form, one address, or `none`."""
    if text == "none":
        return None
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return f"must list networks such as 10.0.0.0/8 or 192.0.2.1, not {text!r}"
    return None


def host_name(text: str) -> str | None:
    """A host as browsers send it, without a port; `.example.com` for every one below example.com."""
    return None if _HOST.fullmatch(text) else f"must list hosts such as shop.example.com, not {text!r}"


def origin(text: str) -> str | None:
    """A web origin: scheme, host and perhaps a port, nothing behind them."""
    return None if _ORIGIN.fullmatch(text) else f"must list origins such as https://shop.example.com, not {text!r}"


def sign_in_provider(text: str) -> str | None:
    """A provider of OpenID Connect and who the shop is there, parted by bars."""
    parts = text.split("|")
    if len(parts) != 4 or not all(parts) or not parts[0].isidentifier():
        return "must list providers as name|issuer|client id|client secret"
    at = urlsplit(parts[1])
    if at.scheme != "https" and not is_here(at.hostname):
        return "must name issuers by https"
    return None


_NAME: Final = r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
_NAME_OF_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")
_NAME_AND_NUMBER: Final = re.compile(r"([A-Za-z0-9._-]+)(?:/([0-9]{1,4}))?")
_HOST: Final = re.compile(rf"\.?{_NAME}")
_ORIGIN: Final = re.compile(rf"https?://{_NAME}(?::[0-9]{{1,5}})?")
