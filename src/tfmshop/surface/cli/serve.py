"""`tfmshop serve` and `tfmshop work`: the web server and the job runner."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tfmshop.platform import Platform, jobs
from tfmshop.platform.checks import Checks
from tfmshop.platform.db import check_server
from tfmshop.platform.observe.metrics import CELLS
from tfmshop.platform.observe.process import METRICS
from tfmshop.surface.cli.host import Failure, Host, host_of
from tfmshop.surface.cli.output import AsJson, out, print_json, print_table
from tfmshop.surface.serving import Supervisor, listening
from tfmshop.surface.serving.forks import forked
from tfmshop.surface.serving.sockets import CONNECTIONS

UntilClosed = Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)]


def serve(
    context: typer.Context,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that answer requests; default: WORKERS.")
    ] = None,
    only: Annotated[str, typer.Option(help="Parts, by commas: storefront, admin; default: SERVE_ONLY.")] = "",
    until_stdin_closes: UntilClosed = False,
    generation: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Serve the shop over HTTP on HOST:PORT until Ctrl-C or SIGTERM; SIGHUP exchanges the workers for those of what is
    installed now, and no request fails (`tfmshop deploy`).

    Examples: `tfmshop serve`, `PORT=8001 tfmshop serve --workers 2`, `tfmshop serve --only storefront`
    """
    from tfmshop.surface.http.app import parts_of
    from tfmshop.surface.http.app import prepare as prepare_all
    from tfmshop.surface.serving.generation import serve as serve_generation

    ourselves = _ourselves()
    host = host_of(context)
    if only:
        os.environ["SERVE_ONLY"] = only
    config = host.read_config()
    host.check(config)
    prepare = partial(prepare_all, parts_of(config))
    if generation:
        alone, pipe, *sockets = map(int, generation.split(","))
        serve_generation(host.serve_target, sockets, pipe, prepare, alone=bool(alone))
        return
    check_port(config.text("HOST"), config.number("PORT"))
    if until_stdin_closes:
        _stop_when_stdin_closes()
    with claimed(config.text("HOST"), config.number("PORT")), host.running(config) as ready:
        asyncio.run(check_server(ready.text("DATABASE_URL")))
        if ready.text("DATABASE_POOL_URL"):
            asyncio.run(check_server(ready.text("DATABASE_POOL_URL"), "DATABASE_POOL_URL"))
        count = workers or ready.number("WORKERS")
        os.environ.update({name: ready.text(name) for name in ("DATABASE_URL", "REDIS_URL", "TFMSHOP_HOME")})
        os.environ["WORKERS"] = str(count)
        raise_file_limit()
        sockets = [one.detach() for one in listening(ready.text("HOST"), ready.number("PORT"), count)]
        with suppress(OSError):
            CELLS.keep_in(ready.home / METRICS, "server")  # what a lone worker counted stays when it is killed
        what = " ".join(["Serving", *ready.words("SERVE_ONLY"), "on"])
        out.print(f"{what} http://{ready.text('HOST')}:{ready.number('PORT')}", markup=False)

        def here(pipe: int, alone: bool) -> int:
            """The first generation is this program itself: it is there at once."""
            return _in_a_group(lambda: serve_generation(host.serve_target, sockets, pipe, prepare, alone=alone))

        def anew(program: str, pipe: int, alone: bool) -> int:
            told = f"--generation={','.join(map(str, [int(alone), pipe, *sockets]))}"
            words = [program, *ourselves[1:], "serve", told]
            return _in_a_group(lambda: os.execv(words[0], words))  # noqa: S606 - ourselves

        def installed() -> str:
            """What the path leads to now: it stays the program of this generation, wherever the path leads later."""
            return os.path.realpath(ourselves[0]) if len(ourselves) == 1 else ourselves[0]

        times = ready.seconds("START_TIME"), ready.seconds("GOODBYE_TIME")
        supervisor = Supervisor(ready.home, ready.number("PORT"), count, *times)
        code = supervisor.run(here, lambda program: partial(anew, program), installed)
    raise typer.Exit(code)


def _ourselves() -> list[str]:
    """How this program was called: by a path that may lead to another release by the time it is called again."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "tfmshop" and os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-m", "tfmshop"]


def _in_a_group(work: Callable[[], object]) -> int:
    """Run `work` in a child that leads a group with its workers: whoever does not end in time is ended with all."""

    def working() -> None:
        os.setpgid(0, 0)
        work()

    return forked(working, lambda error: out.print(f"The workers do not start: {error!r}", markup=False))


def work(
    context: typer.Context,
    queues: Annotated[
        str | None, typer.Option(help="Only jobs of these modules or names, by commas, and nothing by the clock.")
    ] = None,
    names: Annotated[bool, typer.Option("--list", help="Print every job and schedule, and do nothing.")] = False,
    as_json: AsJson = False,
    until_stdin_closes: UntilClosed = False,
) -> None:
    """Run background jobs and schedules until Ctrl-C or SIGTERM.

    Examples: `tfmshop work`, `tfmshop work --queues news,search`, `tfmshop work --list --json`
    """
    host = host_of(context)
    host.schedule(host.read_config())
    if names:
        _list(as_json=as_json)
        return
    try:
        chosen = set(jobs.HANDLERS) if queues is None else jobs.chosen(name.strip() for name in queues.split(","))
    except jobs.NoSuchJob as error:
        raise typer.BadParameter(f"There is no job {str(error)!r}: `tfmshop work --list` names them.") from None
    _run_jobs(host, chosen, until_stdin_closes, by_the_clock=queues is None)


def schedule(context: typer.Context, until_stdin_closes: UntilClosed = False) -> None:
    """Run only what is due by the clock, until Ctrl-C or SIGTERM: what it enqueues is done by `tfmshop work`.

    However many run, each thing is done once when it is due.

    Example: `tfmshop schedule`
    """
    host = host_of(context)
    host.schedule(host.read_config())
    _run_jobs(host, set(), until_stdin_closes, by_the_clock=True)


def _list(*, as_json: bool) -> None:
    by_the_clock = {one.name: one.cron for one in sorted(jobs.SCHEDULES.values(), key=lambda one: one.name)}
    if as_json:
        print_json({"jobs": sorted(jobs.HANDLERS), "schedules": by_the_clock})
    else:
        rows = [(name, "a job") for name in sorted(jobs.HANDLERS)]
        print_table(("name", "when"), rows + list(by_the_clock.items()))


def _run_jobs(host: Host, names: Collection[str], until_stdin_closes: bool, *, by_the_clock: bool) -> None:
    from tfmshop.surface import worker
    from tfmshop.surface.purge import purging

    if until_stdin_closes:
        _stop_when_stdin_closes()
    host.keep_logs(host.read_config())

    async def run(platform: Platform) -> None:
        told = purging(platform.config) if by_the_clock else nullcontext()
        async with host.observed(platform, "jobs" if names else "clock", Checks(platform)), told:
            await worker.work(platform.config.text("DATABASE_URL"), platform.db, names, by_the_clock=by_the_clock)

    host.with_platform(run)


def raise_file_limit() -> None:
    """Let this process and its children open as many sockets as the system allows, up to `CONNECTIONS` and a few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024 if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS + 1024)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_port(address: str, port: int) -> None:
    """Raise `Failure` with a clear sentence when the port cannot be listened on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            raise Failure(f"Port {port} needs more rights: choose one above 1023 with PORT=8000.") from None
        except OSError as error:
            if error.errno == 98:
                raise Failure(f"Port {port} is taken: choose another, as in PORT={port + 1}.") from None
            raise Failure(f"Cannot listen on {address}:{port}: {error.strerror}.") from None


@contextmanager
def claimed(address: str, port: int) -> Iterator[None]:
    """Keep another TFMShop off the port: the web server itself would share it. `Failure` when one is there.

    The claim is a name in Linux's abstract socket namespace, which goes away with the process; elsewhere there is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claim:
        if sys.platform == "linux":
            try:
                claim.bind(f"\0tfmshop {address} {port}")
            except OSError:
                raise Failure(f"Port {port} is taken: choose another, as in PORT={port + 1}.") from None
        yield


def _stop_when_stdin_closes() -> None:
    """End this process when the one that started it is gone, however it went."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
