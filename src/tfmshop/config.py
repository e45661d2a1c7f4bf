"""Settings: one frozen tree, read once from the environment, checked before anything starts.

Every setting is declared in `SETTINGS` with its own environment name, unit and bounds. `docs/settings.md` has a
row for each (a test compares the two), and `tfmshop config` prints the values in force with secrets hidden.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from email.utils import parseaddr
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

Value = str | int | bool
Check = Callable[[str], str | None]


class ConfigError(Exception):
    """One or more settings are wrong; `str(error)` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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
    waits_for: str = ""
    """The part of the system that will read it, when that part is not built yet."""

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


def _url(*schemes: str) -> Check:
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


def _starting(*words: str) -> Check:
    def check(text: str) -> str | None:
        return None if not text or text.startswith(words) else f"must start with {' or '.join(words)}"

    return check


def _address(text: str) -> str | None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return f"must be an IP address, not {text!r}"
    return None


def _sender(text: str) -> str | None:
    _, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    return None if local and domain and address.isascii() else "must be an address, such as Shop <shop@example.com>"


def _staff(text: str) -> str | None:
    return _sender(text) if text else None


def _secret_text(text: str) -> str | None:
    if text and len(text.encode()) < 32:
        return "must be empty (a secret is then made and kept in TFMSHOP_HOME) or at least 32 bytes long"
    return None


def _currency(text: str) -> str | None:
    return None if len(text) == 3 and text.isascii() and text.isupper() else "must be an ISO 4217 code such as USD"


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("APP_ENV", "development", "What this installation is for.", choices=("development", "test", "production")),
    Setting("HOST", "127.0.0.1", "Address to listen on.", check=_address),
    Setting("PORT", 8000, "TCP port to listen on.", least=1, most=65535),
    Setting("TFMSHOP_HOME", ".tfmshop", "Folder for embedded servers, pictures and generated secrets."),
    Setting(
        "DATABASE_URL",
        "",
        "PostgreSQL 16 or later; empty starts the embedded one.",
        secret=True,
        check=_url("postgresql", "postgres"),
    ),
    Setting(
        "REDIS_URL",
        "",
        "Redis 6.2 or later, or Valkey; empty starts the embedded one.",
        secret=True,
        check=_url("redis", "rediss", "unix"),
    ),
    Setting(
        "MEDIA_URL",
        "",
        "Object store for pictures, such as s3://bucket/folder; empty keeps them in TFMSHOP_HOME.",
        check=_url("s3"),
    ),
    Setting("SEARCH_LANGUAGE", "english", "Language of search: a text search configuration of PostgreSQL."),
    Setting(
        "SEARCH_MEANING",
        "off",
        "What search knows of meaning: local is a small model (the extra 'meaning', and pgvector in PostgreSQL).",
        choices=("off", "local"),
    ),
    Setting("JWT_SECRET", "", "Key that signs access tokens (HS256).", secret=True, check=_secret_text),
    Setting("SEAL_SECRET", "", "Key of sessions, links, second factors, audit.", secret=True, check=_secret_text),
    Setting("SHOP_CURRENCY", "USD", "Currency of prices that name none.", check=_currency),
    Setting("DB_POOL_MIN", 2, "Connections kept open by a process.", least=0, most=1000),
    Setting("DB_POOL_MAX", 6, "Connections a process may open.", least=1, most=1000),
    Setting("DB_ACQUIRE_TIMEOUT", 500, "Longest wait for a free connection, ms.", least=1, most=60_000),
    Setting("DB_CONNECTION_TIMEOUT", 5000, "Longest wait to connect to PostgreSQL, ms.", least=1, most=60_000),
    Setting("DB_QUERY_TIMEOUT", 2000, "Longest time for a web request's statement, ms.", least=1, most=3_600_000),
    Setting(
        "DB_LOCK_TIMEOUT",
        1500,
        "Longest wait for a row lock, ms; above PostgreSQL's deadlock_timeout.",
        least=1,
        most=60_000,
    ),
    Setting("DB_IDLE_TRANSACTION_TIMEOUT", 5000, "Longest idle time inside a transaction, ms.", least=1, most=600_000),
    Setting("REDIS_TIMEOUT", 50, "Longest wait for a Redis answer, ms.", least=1, most=10_000),
    Setting(
        "LOG_LEVEL",
        "info",
        "Least important events that are logged.",
        choices=("error", "warn", "info", "http", "debug"),
    ),
    Setting("LOG_FORMAT", "auto", "auto: text in a terminal, JSON elsewhere.", choices=("auto", "json", "text")),
    Setting("PAYMENT_TIMEOUT", 10_000, "Longest wait for a payment provider, ms.", least=100, most=60_000),
    Setting(
        "STRIPE_SECRET_KEY",
        "",
        "Key of the shop's Stripe account; empty goes without Stripe. Needs the extra 'stripe' and SHOP_URL.",
        secret=True,
        check=_starting("sk_", "rk_"),
    ),
    Setting(
        "STRIPE_WEBHOOK_SECRET",
        "",
        "Signing secret of the webhook that Stripe sends to /api/v1/payments/stripe/webhook.",
        secret=True,
        check=_starting("whsec_"),
    ),
    Setting("IDEMPOTENCY_HOURS", 24, "How long an Idempotency-Key is remembered, hours.", least=1, most=720),
    Setting("CART_DAYS", 30, "How long an untouched cart is kept, days.", least=1, most=365),
    Setting(
        "RESERVE_AT",
        "checkout",
        "What holds units for a cart: checkout (POST /carts/{id}/reservation) or cart (every change of its lines too).",
        choices=("checkout", "cart"),
    ),
    Setting("RESERVATION_MINUTES", 10, "How long units are held for a cart, minutes.", least=1, most=1440),
    Setting("SHOP_NAME", "TFMShop", "What the shop is called in letters."),
    Setting("SHOP_ADDRESS", "", "The seller's postal address on invoices, its lines parted by commas."),
    Setting("SHOP_TAX_ID", "", "The seller's tax number on invoices."),
    Setting("SHOP_URL", "", "Address of the shop's pages, for letters.", check=_url("https", "http")),
    Setting(
        "MAIL_URL",
        "",
        "Mail server: smtp://user:password@host:587 or smtps://host; empty logs letters instead of sending them.",
        secret=True,
        check=_url("smtp", "smtps"),
    ),
    Setting("MAIL_FROM", "shop@localhost", "Who letters come from: an address, or Name <address>.", check=_sender),
    Setting("MAIL_STAFF", "", "Who gets letters about stock that runs low; empty is nobody.", check=_staff),
    Setting(
        "CART_REMINDER_HOURS",
        0,
        "When people are reminded of a cart they left, hours; 0 is never (ask for consent first).",
        least=0,
        most=8760,
    ),
    Setting("WEBHOOKS_PRIVATE", False, "Send webhooks to http and to private networks too; for development."),
    Setting("ENABLE_CACHING", True, "Keep answers and query results in the cache.", waits_for="cache"),
    Setting("ENABLE_COMPRESSION", True, "Compress answers for clients that accept it.", waits_for="cache"),
    Setting("CACHE_TTL_PRODUCTS", 600, "Age of cached products, s.", least=0, most=86_400, waits_for="cache"),
    Setting("CACHE_TTL_CATEGORIES", 1800, "Age of cached categories, s.", least=0, most=86_400, waits_for="cache"),
    Setting("CACHE_TTL_SEARCH", 180, "Age of cached search results, s.", least=0, most=86_400, waits_for="cache"),
    Setting("ENABLE_RATE_LIMIT", True, "Limit how often a client may ask.", waits_for="limits"),
    Setting("RATE_LIMIT_GENERAL", 500, "Requests a window, any route.", least=1, most=1_000_000, waits_for="limits"),
    Setting("RATE_LIMIT_API", 300, "Requests a window, API.", least=1, most=1_000_000, waits_for="limits"),
    Setting("RATE_LIMIT_AUTH", 5, "Attempts a window, sign-in.", least=1, most=1_000_000, waits_for="limits"),
    Setting("ENABLE_FILE_LOGGING", False, "Also write logs/*.log files.", waits_for="log files"),
)

BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Row:
    """A setting in force, safe to print; `given` when it is not the default's."""

    name: str
    value: str
    given: bool
    meaning: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force. Build it with `read`; secrets never show in its repr."""

    values: Mapping[str, Value] = field(repr=False)
    given: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """A text setting."""
        return str(self.values[name])

    def number(self, name: str) -> int:
        """A whole-number setting."""
        return int(self.values[name])

    def flag(self, name: str) -> bool:
        """A setting that is on or off."""
        return bool(self.values[name])

    def seconds(self, name: str) -> float:
        """A setting in milliseconds, as seconds."""
        return self.number(name) / 1000

    @property
    def home(self) -> Path:
        """The folder of embedded servers, pictures and generated secrets."""
        return Path(self.text("TFMSHOP_HOME")).absolute()

    def replace(self, **changes: Value) -> Config:
        """The same settings with some changed."""
        return Config({**self.values, **changes}, self.given | changes.keys())

    def rows(self) -> list[Row]:
        """Every setting as it may be printed: secrets are hidden."""
        return [Row(s.name, self._shown(s), s.name in self.given, s.meaning, s.waits_for) for s in SETTINGS]

    def _shown(self, setting: Setting) -> str:
        value = self.values[setting.name]
        if setting.secret and value:
            return "(hidden)"
        return str(value).lower() if isinstance(value, bool) else str(value)


def read(environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")) -> Config:
    """Read every setting from `environ` (default: the process's) over `env_file`; ConfigError names all mistakes."""
    from_process = os.environ if environ is None else environ
    in_file = _from_file(env_file)
    source = {**in_file, **from_process}
    problems: list[str] = []
    values: dict[str, Value] = {}
    for setting in SETTINGS:
        values[setting.name] = setting.default
        if setting.name in source:
            try:
                values[setting.name] = setting.parse(source[setting.name])
            except ValueError as error:
                problems.append(str(error))
    problems += [f"{name} is not a setting (in {env_file})." for name in in_file if name not in BY_NAME]
    problems += [f"{name} is not a setting: is it {near[0]}?" for name in from_process if (near := _meant(name))]
    problems += _contradictions(values, source)
    if problems:
        raise ConfigError(problems)
    return Config(values, frozenset(name for name in BY_NAME if name in source))


def _from_file(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"Cannot read {path}: {error}."]) from None


def _meant(name: str) -> list[str]:
    """The setting that a name of the environment was probably meant to be: all but a letter or two is the same."""
    return [] if name in BY_NAME or "_" not in name else get_close_matches(name, BY_NAME, n=1, cutoff=0.9)


def _contradictions(values: Mapping[str, Value], source: Mapping[str, str]) -> list[str]:
    problems = []
    if int(values["DB_POOL_MIN"]) > int(values["DB_POOL_MAX"]):
        problems.append("DB_POOL_MIN must not be greater than DB_POOL_MAX.")
    if values["STRIPE_SECRET_KEY"]:
        missing = [name for name in ("STRIPE_WEBHOOK_SECRET", "SHOP_URL") if not values[name]]
        problems += [f"{name} must be set when STRIPE_SECRET_KEY is." for name in missing]
    if values["APP_ENV"] == "production":
        missing = [name for name in ("DATABASE_URL", "REDIS_URL", "JWT_SECRET", "SEAL_SECRET") if not source.get(name)]
        problems += [f"{name} must be set when APP_ENV is production." for name in missing]
    return problems
