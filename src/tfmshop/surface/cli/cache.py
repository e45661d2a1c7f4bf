"""`tfmshop cache`: what the web processes keep, and making it anew."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.platform import Platform
from tfmshop.platform.cache import EVERYTHING, report
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="What the web servers keep of public pages: see, clear and warm it.")

NOBODY = "No web server says anything: none runs, caching is off, or it just started (wait 3 seconds)."


def _reports(context: typer.Context) -> list[report.Report]:
    async def work(platform: Platform) -> list[report.Report]:
        async with platform.db.read() as tx:
            return await report.told(tx)

    found = host_of(context).with_platform(work)
    if not found:
        raise Failure(NOBODY)
    return found


@app.command("stats")
def stats(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how often pages came from memory, Redis or the database, since each web server started.

    Examples: `tfmshop cache stats`, `tfmshop cache stats --json`
    """
    reports = _reports(context)
    if as_json:
        print_json([{name: getattr(one, name) for name in one.__struct_fields__ if name != "keys"} for one in reports])
        return
    print_table(
        ("name", "hits", "misses", "rate", "stale", "redis", "waits", "saved", "made", "ms"),
        [(name, f"{t.hits:,}", f"{t.misses:,}", f"{t.rate:.1%}", t.stale, t.shared, t.waits, t.saved, t.rebuilds,
          f"{1000 * t.seconds / t.rebuilds:.1f}" if t.rebuilds else "") for name, t in report.summed(reports).items()],
    )  # fmt: skip
    for number, one in enumerate(reports, 1):
        hears = "hears of changes" if one.sure else "does not hear of changes: hands out nothing"
        redis = "with Redis" if one.redis else "without Redis"
        typer.echo(
            f"process {number}: {one.entries:,} pages, {one.bytes / (1 << 20):.1f} MiB, {one.evicted:,} evicted; "
            f"{hears}, {redis}"
        )


@app.command("keys")
def keys(
    context: typer.Context,
    pattern: Annotated[str, typer.Option(help="Only keys that have this in them.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the pages that each web server hands out most, of its 200 first.

    Examples: `tfmshop cache keys`, `tfmshop cache keys --pattern /search --json`
    """
    rows = [
        (number, one) for number, told in enumerate(_reports(context), 1) for one in told.keys if pattern in one.key
    ]
    rows = sorted(rows, key=lambda row: -row[1].hits)[:limit]
    if as_json:
        print_json([one for _, one in rows])
    else:
        print_table(
            ("process", "key", "hits", "kB", "fresh for"),
            [(number, one.key, f"{one.hits:,}", f"{one.bytes / 1000:.1f}", f"{one.fresh_seconds:.0f} s")
             for number, one in rows],
        )  # fmt: skip


@app.command("clear")
def clear(
    context: typer.Context,
    tag: Annotated[list[str] | None, typer.Option(help="Only what has this tag, such as list or product:ID.")] = None,
    pattern: Annotated[str | None, typer.Option(help="Only keys that have this in them.")] = None,
) -> None:
    """Make everything stale in every web server, or what has a tag or a pattern.

    Examples: `tfmshop cache clear`, `tfmshop cache clear --tag list`, `tfmshop cache clear --pattern /search`
    """
    tags = [*(tag or []), *([f"~{pattern}"] if pattern else [])] or [EVERYTHING]
    odd = [one for one in tags if "," in one or one.startswith("#") or not one.strip("~ ")]
    if odd:
        raise typer.BadParameter(f"{odd[0]!r} is neither a tag nor a pattern.")

    async def work(platform: Platform) -> int:
        async with platform.db.tx() as tx:
            await report.clear(tx, tags)
            return len(await report.told(tx))

    typer.echo(f"Told {host_of(context).with_platform(work)} web server processes.")


@app.command("warm")
def warm(context: typer.Context) -> None:
    """Have every web server make the pages that were asked for most (CACHE_WARM of them), where it lacks them.

    Example: `tfmshop cache warm`
    """

    async def work(platform: Platform) -> int:
        async with platform.db.tx() as tx:
            await report.warm(tx)
            return len(await report.told(tx))

    typer.echo(f"Told {host_of(context).with_platform(work)} web server processes.")
