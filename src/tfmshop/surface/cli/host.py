"""What commands work with, handed over by the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar, cast

import typer

from tfmshop.platform import Config, Platform
from tfmshop.platform.checks import Checks
from tfmshop.platform.db import check_server, migrate
from tfmshop.platform.observe.alerts.channels import Channel
from tfmshop.surface.cli.output import err

T = TypeVar("T")


class Failure(Exception):
    """The command cannot go on; the text is one clear sentence. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Host:
    """The doors of the composition root: settings, servers, an opened platform, and what to serve."""

    read_config: Callable[[], Config]
    running: Callable[[Config], AbstractContextManager[Config]]
    opened: Callable[[Config], AbstractAsyncContextManager[Platform]]
    serve_target: str
    schedule: Callable[[Config], None]
    observed: Callable[[Platform, str, Checks], AbstractAsyncContextManager[None]]
    """Measures a process that goes on, of a role, where the others of the installation can read it."""
    keep_logs: Callable[[Config], None]
    channels: Callable[[Config], list[Channel]]
    """Who is told of alerts."""
    check: Callable[[Config], None]
    """Raises the settings' error for what they name and is not installed."""

    def with_platform(self, work: Callable[[Platform], Awaitable[T]], *, makes: bool = False) -> T:
        """Run `work` on the migrated shop, with embedded servers where no others are set; with `makes`, a shop is made
        where there is none.
        """
        with self.running(self.settings(makes=makes)) as ready:
            return asyncio.run(self._work(ready, work))

    def settings(self, *, makes: bool = False) -> Config:
        """The settings of the shop that is here; with `makes`, one may be made. `Failure` where there is none."""
        config = self.read_config()
        if not config.text("DATABASE_URL") and not config.home.exists():
            if not makes:
                raise Failure(f"There is no shop in {config.home}: `tfmshop up` makes one; TFMSHOP_HOME names another.")
            err.print(f"Making a new, empty shop in {config.home}.", markup=False)
        return config

    async def _work(self, config: Config, work: Callable[[Platform], Awaitable[T]]) -> T:
        await check_server(config.text("DATABASE_URL"))
        if (await migrate.applied(config.text("DATABASE_URL")) or "") < migrate.newest():
            if config.text("APP_ENV") == "production":
                raise Failure("The database is not at this release's schema: run `tfmshop db migrate` first.")
            await migrate.upgrade(config.text("DATABASE_URL"))
        async with self.opened(config) as platform:
            return await work(platform)


def host_of(context: typer.Context) -> Host:
    """The host of this invocation."""
    return cast("Host", context.obj)


def visible(address: str) -> str:
    """The host to ask for, in an URL, of a server that listens on an address: of all of them, this machine's own."""
    if address in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address
