"""`tfmshop deploy`: a release takes the place of the one that serves, and no request fails."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from typing import Annotated, Final

import typer

from tfmshop.platform import Platform
from tfmshop.platform.cache import report
from tfmshop.platform.db import migrate
from tfmshop.surface import backups, readiness
from tfmshop.surface.cli.db import migrate_command
from tfmshop.surface.cli.deployment import Deployment
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, out, print_json
from tfmshop.surface.cli.plan import refuse_long, rehearsed, schema_of
from tfmshop.surface.cli.production import show, tried, worst
from tfmshop.surface.connected import TELL_SECONDS
from tfmshop.surface.readiness import BEFORE
from tfmshop.surface.serving import Status, is_alive, read_status

app = typer.Typer(invoke_without_command=True)
VERIFIED: Final = ("health", "security of answers")
"""The boxes that a release must pass once it serves."""
NOT_YET: Final = ("migrations", "indexes", "age of backups")
"""Boxes that a deployment itself mends, and one that must not keep a mend from being deployed."""
LONGER_SECONDS: Final = 90.0
"""What an exchange takes at most, besides the start of the new workers and the goodbye of the old ones."""
WARM_SECONDS: Final = 15.0
ALL_TOLD_SECONDS: Final = 2 * TELL_SECONDS + 0.5
"""Within these, every web server has told of its cache, one too that could not the first time."""
LockTimeout = Annotated[
    float, typer.Option(min=0.001, max=3600, help="Longest wait for a lock on a table, in seconds.")
]


@app.callback()
def deploy(
    context: typer.Context,
    lock_timeout: LockTimeout = 3.0,
    backup: Annotated[bool, typer.Option(help="Make a backup before the schema is changed.")] = True,
    plan: Annotated[bool, typer.Option(help="Try migrations on a copy first, as `tfmshop db plan` does.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check, back up, plan, migrate, exchange the workers, warm the cache, and verify, with the release installed now.

    Whatever fails, the release that serves goes on: migrations that would close a table for longer than requests wait
    are not begun, one that fails leaves nothing behind, workers that cannot work never get a request, and a release
    that does not pass makes way for the one before. Exit code 1 then.

    Examples: `tfmshop deploy`, `tfmshop deploy --no-plan --json`
    """
    if context.invoked_subcommand is not None:
        return
    deployment = Deployment(as_json=as_json)
    try:
        _ready(context, deployment)
        _migrate(context, deployment, lock_timeout, backup=backup, plan=plan)
        deployment.step("exchange the workers")
        deployment.say(_exchange(context))
        if host_of(context).read_config().flag("ENABLE_CACHING"):
            deployment.step("warm the cache")
            deployment.say(_warmed(*_warm(context)))
        _verify(context, deployment)
    except Exception as error:
        deployment.end(str(error))
        raise
    deployment.end(None)
    if not as_json:
        out.print("Deployed.")


def _ready(context: typer.Context, deployment: Deployment) -> None:
    deployment.step("check")
    found = tried(context, [one for one in readiness.BOXES if one.when == BEFORE and one.name not in NOT_YET])
    failed = [one for one in found if one.result.state == "fail"]
    if failed:
        deployment.show(failed)
        raise Failure("Nothing was changed: the installation is not fit for it. See `tfmshop deploy check`.")


def _migrate(context: typer.Context, deployment: Deployment, lock_timeout: float, *, backup: bool, plan: bool) -> None:
    host = host_of(context)
    with host.running(host.settings()) as config:
        has, name = schema_of(config), ""
        if backup:
            deployment.step("backup")
            made, _ = asyncio.run(backups.make(config, "dump"))
            deployment.say(made.name)
            key = backups.vault_of(config).key
            name = (
                made.name if key is None or key.identity is not None else ""
            )  # what is closed for good is copied anew
        if plan and has is not None and has != migrate.newest():
            deployment.step("plan")
            steps = asyncio.run(rehearsed(config, name))
            refuse_long(steps, config.number("DB_LOCK_TIMEOUT"))
            deployment.say(f"{len(steps)} migrations take {sum(one.seconds for one in steps):.1f} s on a copy")
        deployment.step("migrate")
        for one in asyncio.run(migrate.upgrade(config.text("DATABASE_URL"), lock_timeout_seconds=lock_timeout)):
            deployment.say(f"applied {one}")


def _verify(context: typer.Context, deployment: Deployment) -> None:
    deployment.step("verify")
    verified = tried(context, [one for one in readiness.BOXES if one.name in VERIFIED])
    if worst(verified):
        deployment.show(verified)
        deployment.step("go back")
        program = _back(context)
        raise Failure(f"The release does not pass, and {program} serves again: have the path lead there, too.")


@app.command("check")
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Try every box that can be tried before a release serves.

    Exit code 1 when one fails. Examples: `tfmshop deploy check`, `tfmshop deploy check --json`
    """
    found = tried(context, [one for one in readiness.BOXES if one.when == BEFORE])
    show(found, as_json=as_json)
    raise typer.Exit(worst(found))


app.command("migrate")(migrate_command)


@app.command("cache-warmup")
def cache_warmup(context: typer.Context, as_json: AsJson = False) -> None:
    """Have the web servers make the pages that were asked for most, and wait until they have.

    Exit code 1 where none has any after 15 seconds. Example: `tfmshop deploy cache-warmup`
    """
    servers, pages = _warm(context)
    if as_json:
        print_json({"processes": servers, "pages": pages})
    if not pages:
        raise Failure(_warmed(servers, pages))
    if not as_json:
        out.print(_warmed(servers, pages), markup=False)


@app.command("reload")
def reload(context: typer.Context, as_json: AsJson = False) -> None:
    """Exchange the workers of the web server on this machine for those of the release that is installed now.

    Exit code 1 where the new ones cannot work: those before go on. Example: `tfmshop deploy reload`
    """
    said = _exchange(context)
    if as_json:
        config = host_of(context).read_config()
        print_json(read_status(config.home, config.number("PORT")))
    else:
        out.print(said, markup=False)


def _back(context: typer.Context) -> str:
    """Have the release serve that did before; its program."""
    config = host_of(context).read_config()
    now = read_status(config.home, config.number("PORT"))
    if now is None or not now.before:
        raise Failure("The release serves, and does not pass; there is none to go back to: what served before is gone.")
    _exchange(context, signal.SIGUSR2)
    return now.before


def _exchange(context: typer.Context, by: signal.Signals = signal.SIGHUP) -> str:
    """Have the workers exchanged, and wait for it; what came of it."""
    config = host_of(context).read_config()
    before = read_status(config.home, config.number("PORT"))
    if before is None or not is_alive(before.pid):
        raise Failure(f"No web server with port {config.number('PORT')} runs in {config.home}: start `tfmshop serve`.")
    os.kill(before.pid, by)
    longest = config.seconds("START_TIME") + config.seconds("GOODBYE_TIME") + LONGER_SECONDS
    over = time.monotonic() + longest
    while time.monotonic() < over:
        now = read_status(config.home, config.number("PORT"))
        if now is not None and now.generation > before.generation and now.state != "starting":
            return _told(now)
        time.sleep(0.1)
    raise Failure(f"The web server said nothing for {longest:.0f} s: see its log.")


def _told(now: Status) -> str:
    if now.state != "serving":
        raise Failure(f"The new workers cannot work ({now.why}): those before go on. The log says more.")
    return f"generation {now.generation} serves"


def _warm(context: typer.Context) -> tuple[int, int]:
    """Have pages made until every process that tells of its cache has none to make; how many processes there are, and
    pages in their memory. `Failure` without a process.
    """

    async def work(platform: Platform) -> tuple[int, int]:
        async with platform.db.tx() as tx:
            await report.warm(tx)
        began = time.monotonic()
        await asyncio.sleep(ALL_TOLD_SECONDS)
        while True:
            async with platform.db.read() as tx:
                told = await report.told(tx, timedelta(seconds=ALL_TOLD_SECONDS))
            if report.are_warm(told) or time.monotonic() - began > WARM_SECONDS:
                return len(told), sum(one.entries for one in told)
            await asyncio.sleep(0.5)

    servers, pages = host_of(context).with_platform(work)
    if not servers:
        raise Failure("No web server tells of its cache: start `tfmshop serve`, with ENABLE_CACHING=true.")
    return servers, pages


def _warmed(servers: int, pages: int) -> str:
    if not pages:
        return f"no page in the memory of {servers} processes"
    return f"{pages:,} pages in the memory of {servers} processes"
