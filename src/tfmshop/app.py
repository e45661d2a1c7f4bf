"""The composition root: settings become a platform, and a platform becomes a server, a command or a job runner."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import structlog

from tfmshop import __version__
from tfmshop import config as settings
from tfmshop.commerce import (
    accounts,
    audit,  # noqa: F401 - its jobs are declared on import
    cart,
    catalog,
    checkout,
    inventory,
    news,
    orders,
    payments,
    pricing,
    promotions,
    reviews,  # noqa: F401 - the same
    search,
    transfer,  # noqa: F401 - the same
)
from tfmshop.commerce.payments import FakeProvider, Provider, Providers
from tfmshop.config import Config, ConfigError
from tfmshop.platform import Platform, db, jobs
from tfmshop.platform.backup import BackupFailed
from tfmshop.platform.cache import Cache, Memory, Redis, Shared
from tfmshop.platform.checks import Checks
from tfmshop.platform.db import migrate
from tfmshop.platform.files import Files
from tfmshop.platform.files.local import LocalFiles
from tfmshop.platform.limits import Rates
from tfmshop.platform.mail import LogMailer, Mailer, SmtpMailer
from tfmshop.platform.meaning import Model
from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alerts.channels import ByLog, ByMail, BySlack, ByWebhook, Channel
from tfmshop.platform.observe.files import FILES, FOLDER, KINDS
from tfmshop.platform.outgoing import Outgoing
from tfmshop.platform.security.access import AccessTokens, secret_kept_in
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals
from tfmshop.surface import backups
from tfmshop.surface.connected import bounds_of, hearing, replicated
from tfmshop.surface.observed import watched
from tfmshop.surface.serving.ready import end_with_parent

if TYPE_CHECKING:
    from tfmshop.surface.http.edge import Edge


log = structlog.get_logger("app")

COLLECT_AFTER = 20_000
"""Objects made before the collector looks: a request makes hundreds that reference counts free, and few cycles. What
was loaded at start is frozen, so that it is never looked through again."""


@asynccontextmanager
async def opened(config: Config, bounds: db.Options) -> AsyncIterator[Platform]:
    """A platform on the servers that `config` names; closed at the end."""
    secret = config.text("JWT_SECRET") or secret_kept_in(config.home / "jwt.secret")
    database = await db.connect(config.text("DATABASE_POOL_URL" if bounds.pooled else "DATABASE_URL"), bounds)
    try:
        name = await database.identity()
    except BaseException:
        await database.close()
        raise
    redis = Redis(config.text("REDIS_URL"), config.seconds("REDIS_TIMEOUT"), name)
    platform = Platform(
        config=config,
        db=database,
        redis=redis,
        cache=Cache(Memory(config.number("CACHE_MEMORY") << 20), Shared(redis, f"{__version__}-{migrate.newest()}")),
        rates=rates_of(config, redis),
        files=files_of(config),
        tokens=AccessTokens(secret),
        passwords=Passwords(config.text("SHOP_NAME")),
        seals=seals_of(config),
        model=model_of(config),
    )
    try:
        yield platform
    finally:
        await platform.close()


def rates_of(config: Config, redis: Redis) -> Rates | None:
    """Who counts the requests of clients; nobody where the settings say so."""
    if not config.flag("ENABLE_RATE_LIMIT"):
        return None
    return Rates(redis, config.number("RATE_LIMIT_WINDOW"), config.number("WORKERS"))


@asynccontextmanager
async def observed(platform: Platform, role: str, checks: Checks) -> AsyncIterator[None]:
    """See a process that goes on, as the settings ask, while the block runs."""
    trace(platform.config)
    async with watched(platform, role, checks, channels_of(platform.config)):
        yield


def seals_of(config: Config) -> Seals:
    """The maker of tokens and seals, with a key of its own: that of access tokens may change more lightly."""
    return Seals(config.text("SEAL_SECRET") or secret_kept_in(config.home / "seal.secret"))


def files_of(config: Config) -> Files:
    """Where pictures are kept: a folder, or the object store that `MEDIA_URL` names."""
    if not config.text("MEDIA_URL"):
        return LocalFiles(config.home / "media")
    from tfmshop.platform.files.objects import ObjectFiles

    return ObjectFiles.at(config.text("MEDIA_URL"))


@cache
def local_model() -> Model:
    """The small model, loaded once a process. `ConfigError` where it is not installed."""
    try:
        from tfmshop.platform.meaning.local import LocalModel
    except ImportError:
        raise ConfigError(["SEARCH_MEANING=local needs the extra: pip install 'tfmshop[meaning]'."]) from None
    return LocalModel()


def model_of(config: Config) -> Model | None:
    """What tells the meaning of words, where the settings ask for it. `ConfigError`."""
    return local_model() if config.text("SEARCH_MEANING") == "local" else None


def mailer_of(config: Config) -> Mailer:
    """Who brings letters: the mail server that `MAIL_URL` names, or the log and, in development, a folder."""
    url = config.text("MAIL_URL")
    if url:
        return SmtpMailer(url, config.text("MAIL_FROM"))
    return LogMailer(config.home / "letters" if config.text("APP_ENV") == "development" else None)


def trace(config: Config) -> None:
    """Make traces from now on, where the settings ask for them: of every verb of the shop, too. `ConfigError`."""
    if not config.text("TRACES"):
        return
    try:
        traces.start(config.text("TRACES"), config.number("TRACES_PERCENT"), config.text("SHOP_NAME"))
    except ImportError:
        raise ConfigError(["TRACES needs the extra: pip install 'tfmshop[traces]'."]) from None
    traces.follow([accounts, cart, catalog, checkout, inventory, orders, payments, pricing, promotions, search])


def channels_of(config: Config) -> list[Channel]:
    """Who is told of alerts."""
    found: list[Channel] = [ByLog()]
    if config.text("ALERT_MAIL"):
        found.append(ByMail(mailer_of(config), config.text("ALERT_MAIL")))
    if config.text("ALERT_WEBHOOK"):
        secret = config.text("ALERT_WEBHOOK_SECRET").encode()
        found.append(ByWebhook(Outgoing(private=True), config.text("ALERT_WEBHOOK"), secret))
    if config.text("ALERT_SLACK"):
        found.append(BySlack(Outgoing(private=True), config.text("ALERT_SLACK")))
    return found


def outgoing_of(config: Config) -> Outgoing:
    """Where webhooks may go."""
    return Outgoing(private=config.flag("WEBHOOKS_PRIVATE"))


def providers(config: Config) -> Providers:
    """The payment companies of this shop: Stripe where the settings have its key and, but in production, the fake one,
    which remembers in a file, for every process of the shop. `ConfigError`.
    """
    known: dict[str, Provider] = {}
    if config.text("STRIPE_SECRET_KEY"):
        known["stripe"] = stripe_of(config)
    if config.text("APP_ENV") != "production":
        known["fake"] = FakeProvider(config.home / "fake-payments.jsonl")
    return Providers(**known)


def stripe_of(config: Config) -> Provider:
    """Stripe, as the settings have it. `ConfigError` where its SDK is not installed."""
    try:
        from tfmshop.commerce.payments.stripe import StripeProvider
    except ImportError:
        raise ConfigError(["STRIPE_SECRET_KEY needs the extra: pip install 'tfmshop[stripe]'."]) from None
    return StripeProvider(
        config.text("STRIPE_SECRET_KEY"), config.text("STRIPE_WEBHOOK_SECRET"), config.text("SHOP_URL")
    )


def http(config: Config) -> Edge:
    """The web application. The framework is imported here: commands do without it."""
    from tfmshop.platform.security.openid import providers_of
    from tfmshop.surface.http.app import build, parts_of
    from tfmshop.surface.http.context import Shop
    from tfmshop.surface.http.edge import Rules

    @asynccontextmanager
    async def open_shop() -> AsyncIterator[Shop]:
        companies = providers(config)
        async with (
            opened(config, bounds_of(config, "tfmshop web")) as platform,
            replicated(platform),
            hearing(platform),
        ):
            elsewhere = providers_of(config.words("OIDC_PROVIDERS"))
            shop = Shop(platform, companies, checkout.Till(platform.db, platform.seals), elsewhere)
            async with observed(platform, "web", shop.checks):
                yield shop
        await companies.close()

    return build(open_shop, Rules.of(config), parts_of(config))


def settings_and_logs() -> Config:
    """The settings in force, with logs set up as they say. `ConfigError` names every mistake."""
    config = settings.read()
    logs.configure(config.text("LOG_LEVEL"), config.text("LOG_FORMAT"))
    return config


def keep_logs(config: Config) -> None:
    """Have a process that goes on write into the log files: security events, and where the settings ask all others."""
    folder = config.home / FOLDER
    try:
        FILES.keep_in(folder, KINDS if config.flag("ENABLE_FILE_LOGGING") else ("security",))
    except OSError as error:
        log.warning("nothing is kept in log files", folder=str(folder), why=error.strerror)
    logs.configure(config.text("LOG_LEVEL"), config.text("LOG_FORMAT"), config.number("ACCESS_LOG_RATE"))
    logs.slow_from(request=config.seconds("SLOW_REQUEST"), query=config.seconds("SLOW_QUERY"),
                   job=config.seconds("SLOW_JOB"))  # fmt: skip


def opened_for_commands(config: Config) -> AbstractAsyncContextManager[Platform]:
    """A platform for commands and jobs: connections for five lanes of jobs and the clock, opened when they are needed,
    and statements that may take minutes.
    """
    bounds = db.Options(
        minimum=1, maximum=16, statement_seconds=600, idle_transaction_seconds=600, name="tfmshop cli", bulk=True
    )
    return opened(config, bounds)


def serve() -> Edge:
    """What the web server's processes call: settings come from the environment."""
    end_with_parent()
    config = settings_and_logs()
    keep_logs(config)
    edge = http(config)
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    return edge


def check(config: Config) -> None:
    """Find out before anything starts whether what the settings name is installed. `ConfigError`."""
    providers(config)
    files_of(config)
    model_of(config)
    try:
        backups.vault_of(config)
    except BackupFailed as error:
        raise ConfigError([str(error)]) from None


def schedule(config: Config) -> None:
    """Declare what runs by the clock, and the jobs that need a setting. `ConfigError`."""
    checkout.schedule_all(providers(config), timedelta(hours=config.number("IDEMPOTENCY_HOURS")))
    hours = config.number("CART_REMINDER_HOURS")
    sender = news.Sender(config.text("SHOP_NAME"), config.text("SHOP_URL"), config.text("MAIL_STAFF"),
                         seals_of(config))  # fmt: skip
    news.schedule_all(mailer_of(config), outgoing_of(config), sender, timedelta(hours=hours) if hours else None)
    search.meaning.keep(model_of(config))
    backups.schedule(config)
    jobs.schedule("platform.truths", "*/10 * * * *")(check_truths)


async def check_truths(database: db.Database) -> None:
    """Look whether anything is false about the data that must never be."""
    async with database.read() as tx:
        for sentence, offenders in (await db.broken(tx)).items():
            log.error("what must never be false is", truth=sentence, offenders=[str(one) for one in offenders[:10]])
