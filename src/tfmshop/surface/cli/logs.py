"""`tfmshop logs`: what the shop wrote into its log files, compressed ones too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tfmshop.platform import clock
from tfmshop.platform.observe import told
from tfmshop.platform.observe.files import FOLDER, files
from tfmshop.platform.observe.told import Event
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, out, print_json, print_table, printable
from tfmshop.surface.cli.spans import WrongUsage, span_of

app = typer.Typer(no_args_is_help=True, help="What the shop wrote into its log files (TFMSHOP_HOME/logs).")
_OFF: Final = " (ENABLE_FILE_LOGGING switches all but security events on)"
_RANKS: Final = {"debug": 0, "info": 1, "warning": 2, "warn": 2, "error": 3, "critical": 4}
_OWN = ("@timestamp", "message", "client.address", "log.level", "event.dataset", "error.stack_trace")

Since = Annotated[str, typer.Option(help="How far back: 90s, 15m, 24h or 7d.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most, the newest.")]
Grep = Annotated[str | None, typer.Option(help="Only events in which this regular expression is found.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on, until Ctrl-C.")]
Columns = Sequence[tuple[str, Callable[[Event], Any]]]


@app.command("errors")
def errors(
    context: typer.Context,
    since: Since = "24h",
    grep: Grep = None,
    limit: Limit = 20,
    trace: Annotated[bool, typer.Option(help="With the traceback of the last of each group.")] = False,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Show errors in groups: those that are the same but for numbers and ids, the most frequent first.

    With --follow they are shown one by one, as they come.

    Examples: `tfmshop logs errors`, `tfmshop logs errors --since 1h --trace`, `tfmshop logs errors --follow`
    """
    if follow:
        columns: Columns = (("at", _at), ("message", lambda e: e["message"]), ("because", _reason))
        _show(context, "error", since, grep, limit, columns, follow=True, as_json=as_json)
        return
    folder = _folder(context)
    groups = told.grouped(_wanted(told.events(folder, ["error"], _start(since)), grep))[:limit]
    if as_json:
        print_json(groups)
    elif not groups:
        _nothing(folder, since, "error")
    else:
        rows = [(g.times, g.last[:19], g.fingerprint, g.event["message"], _reason(g.event)) for g in groups]
        print_table(("times", "last", "fingerprint", "message", "because"), rows)
        for group in groups if trace else ():
            out.print(f"\n{group.fingerprint}  {printable(str(group.event['message']))}", markup=False)
            for line in str(group.event.get("error.stack_trace", "(no traceback)")).splitlines():
                out.print(f"  {printable(line)}", markup=False)


@app.command("slow")
def slow(
    context: typer.Context,
    since: Since = "24h",
    grep: Grep = None,
    limit: Limit = 50,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Show what took too long: requests, statements with their plan, and jobs (SLOW_REQUEST, SLOW_QUERY, SLOW_JOB).

    Examples: `tfmshop logs slow`, `tfmshop logs slow --since 15m --grep search --json`
    """
    columns: Columns = (
        ("at", _at), ("what", lambda e: e["message"].removeprefix("slow ")), ("seconds", lambda e: e.get("seconds")),
        ("which", lambda e: e.get("name") or e.get("url.path", "")), ("facts", _facts),
    )  # fmt: skip
    _show(context, "performance", since, grep, limit, columns, follow=follow, as_json=as_json)


@app.command("access")
def access(
    context: typer.Context,
    since: Since = "1h",
    grep: Grep = None,
    status: Annotated[str | None, typer.Option(help="Only this status, or a class of them, as 404 or 5xx.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths that begin so.")] = None,
    slower: Annotated[float, typer.Option(min=0, help="Only what took longer, ms.")] = 0,
    limit: Limit = 50,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Show requests. Under + is how many before each, of any kind, have no line (ACCESS_LOG_RATE).

    Examples: `tfmshop logs access --status 5xx`, `tfmshop logs access --path /api/v1/carts --slower 100 --follow`
    """
    if status is not None and not re.fullmatch(r"[1-5](\d\d|xx)", status):
        raise WrongUsage(f"--status must be such as 404 or 5xx, not {status!r}.")

    def wanted(event: Event) -> bool:
        code = str(event.get("http.response.status_code"))
        return (
            (status is None or code == status or (status.endswith("xx") and code[:1] == status[0]))
            and str(event.get("url.path", "")).startswith(path or "")
            and event.get("event.duration", 0) >= 1e6 * slower
        )

    columns: Columns = (
        ("at", _at), ("status", lambda e: e.get("http.response.status_code")),
        ("ms", lambda e: f"{e.get('event.duration', 0) / 1e6:.1f}"), ("method", lambda e: e.get("http.request.method")),
        ("path", lambda e: e.get("url.path")), ("id", lambda e: e.get("http.request.id")),
        ("+", lambda e: e.get("tfmshop.unlogged", "")),
    )  # fmt: skip
    _show(context, "access", since, grep, limit, columns, wanted, follow=follow, as_json=as_json)


@app.command("security")
def security(
    context: typer.Context,
    since: Since = "24h",
    address: Annotated[str | None, typer.Option(help="Only events of this address.")] = None,
    grep: Grep = None,
    limit: Limit = 50,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Show refused sign-ins, what made addresses suspicious, and blocks.

    Examples: `tfmshop logs security`, `tfmshop logs security --since 15m --address 192.0.2.1 --json`
    """
    columns: Columns = (
        ("at", _at), ("event", lambda e: e["message"]), ("address", lambda e: e.get("client.address", "")),
        ("facts", _facts),
    )  # fmt: skip
    _show(context, "security", since, grep, limit, columns,
          lambda e: address in (None, e.get("client.address")), follow=follow, as_json=as_json)  # fmt: skip


@app.command("app")
def everything(
    context: typer.Context,
    since: Since = "1h",
    grep: Grep = None,
    level: Annotated[str | None, typer.Option(help="This level and worse: error, warn, info or debug.")] = None,
    limit: Limit = 50,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Show what is no request: what the shop did, what went wrong, and security events too.

    Examples: `tfmshop logs app --level warn`, `tfmshop logs app --grep redis --follow`
    """
    if level is not None and level not in _RANKS:
        raise WrongUsage(f"--level must be error, warn, info or debug, not {level!r}.")
    least = _RANKS[level] if level is not None else 0
    columns: Columns = (
        ("at", _at), ("level", lambda e: e.get("log.level")), ("message", lambda e: e["message"]), ("facts", _facts),
    )  # fmt: skip
    _show(context, "app", since, grep, limit, columns,
          lambda e: _RANKS.get(e.get("log.level", ""), 0) >= least, follow=follow, as_json=as_json)  # fmt: skip


def _show(
    context: typer.Context, kind: str, since: str, grep: str | None, limit: int, columns: Columns,
    only: Callable[[Event], bool] = lambda _: True, *, follow: bool, as_json: bool,
) -> None:  # fmt: skip
    folder = _folder(context)
    start, fresh = _start(since), told.Follower(folder, [kind])
    events = [event for event in _wanted(told.events(folder, [kind], start), grep) if only(event)][-limit:]
    if as_json and not follow:
        print_json(events)
    elif as_json:
        for event in events:
            print_json(event)
    elif not events:
        _nothing(folder, since, kind, follow=follow)
    else:
        print_table([name for name, _ in columns], [[cell(event) for _, cell in columns] for event in events])
    if follow:
        for event in _wanted(fresh, grep):
            if only(event) and as_json:
                print_json(event)
            elif only(event):
                out.print(printable("  ".join(str(cell(event)) for _, cell in columns)), markup=False)


def _folder(context: typer.Context) -> Path:
    return host_of(context).read_config().home / FOLDER


def _start(since: str) -> datetime:
    return clock.now() - span_of(since, "--since")


def _wanted(events: Iterable[Event], grep: str | None) -> Iterable[Event]:
    if grep is None:
        return events
    try:
        pattern = re.compile(grep)
    except re.error as error:
        raise WrongUsage(f"--grep is no regular expression: {error}.") from None
    return (event for event in events if pattern.search(" ".join(map(str, event.values()))))


def _nothing(folder: Path, since: str, kind: str, *, follow: bool = False) -> None:
    why = "" if kind == "security" or "app" in {there for _, there, _ in files(folder)} else _OFF
    typer.echo(f"Nothing like that in the last {since} in {folder}{why}.", err=follow)


def _at(event: Event) -> str:
    return str(event["@timestamp"])[:19]


def _reason(event: Event) -> str:
    return str(event.get("error.stack_trace", "")).rstrip().rpartition("\n")[2]


def _facts(event: Event) -> str:
    return ", ".join(f"{name}={value}" for name, value in event.items() if name not in _OWN)
