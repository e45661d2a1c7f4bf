"""Settings: one frozen tree, read once from the environment, checked before anything starts.

Every setting is declared in `declared.SETTINGS` with its own environment name, unit and bounds. `docs/settings.md` has
a row for each (a test compares the two), and `tfmshop config` prints the values in force with secrets hidden.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from tfmshop.config.declared import SETTINGS
from tfmshop.config.hosts import is_readable
from tfmshop.config.setting import Setting, Value, listed


class ConfigError(Exception):
    """One or more settings are wrong; `str(error)` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


NEEDED_IN_PRODUCTION: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "JWT_SECRET",
    "SEAL_SECRET",
    "ALLOWED_HOSTS",
    "TRUSTED_PROXIES",
)
BEFORE_AND_AFTER_PAYING: Final = 15_000
"""What a checkout may need besides the payment, ms: its body, locks, and tries again."""
BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Row:
    """A setting in force, safe to print; `given` when it is not the default's."""

    name: str
    value: str
    given: bool
    meaning: str


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

    def words(self, name: str) -> list[str]:
        """A setting that is a list."""
        return listed(self.text(name))

    def seconds(self, name: str) -> float:
        """A setting in milliseconds, as seconds."""
        return self.number(name) / 1000

    @property
    def readable(self) -> list[str]:
        """The settings that name a server whose traffic may be read on its way there."""
        servers = {name: [self.text(name)] for name in ("DATABASE_URL", "DATABASE_POOL_URL", "REDIS_URL", "MAIL_URL")}
        servers["DATABASE_REPLICA_URLS"] = self.words("DATABASE_REPLICA_URLS")
        return [name for name, urls in servers.items() if any(map(is_readable, urls))]

    @property
    def home(self) -> Path:
        """The folder of embedded servers, pictures and generated secrets."""
        return Path(self.text("TFMSHOP_HOME")).absolute()

    def replace(self, **changes: Value) -> Config:
        """The same settings with some changed."""
        return Config({**self.values, **changes}, self.given | changes.keys())

    def rows(self) -> list[Row]:
        """Every setting as it may be printed: secrets are hidden."""
        return [Row(s.name, self._shown(s), s.name in self.given, s.meaning) for s in SETTINGS]

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
    problems += [
        f"{name} is not a setting (in {env_file})" + (f": is it {near[0]}?" if (near := _meant(name)) else ".")
        for name in in_file if name not in BY_NAME
    ]  # fmt: skip
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
    if values["OIDC_PROVIDERS"] and not values["SHOP_URL"]:
        problems.append("SHOP_URL must be set when OIDC_PROVIDERS is.")
    if values["ALERT_WEBHOOK"] and not values["ALERT_WEBHOOK_SECRET"]:
        problems.append("ALERT_WEBHOOK_SECRET must be set when ALERT_WEBHOOK is.")
    if int(values["REQUEST_TIMEOUT"]) < int(values["PAYMENT_TIMEOUT"]) + BEFORE_AND_AFTER_PAYING:
        problems.append(f"REQUEST_TIMEOUT must be {BEFORE_AND_AFTER_PAYING} ms above PAYMENT_TIMEOUT.")
    if values["APP_ENV"] == "production":
        missing = [name for name in NEEDED_IN_PRODUCTION if not source.get(name)]
        problems += [f"{name} must be set when APP_ENV is production." for name in missing]
    return problems
