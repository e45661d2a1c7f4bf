"""`tfmshop optimize`: what to change, with the figures that speak for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from tfmshop.platform import Platform, codec
from tfmshop.platform.analysis.advice import Advice
from tfmshop.platform.analysis.study import NotMended, Study, mend, study
from tfmshop.platform.cache import advice, report
from tfmshop.platform.observe import blocks, readings
from tfmshop.platform.observe.process import METRICS
from tfmshop.surface.cli import page
from tfmshop.surface.cli.cache import NOBODY
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, out, print_json, progress_bar, sized

app = typer.Typer(invoke_without_command=True, help="What to change, with the figures that speak for it.")


class Whole(msgspec.Struct):
    """Everything that was found. `cache` is None where no web server tells of its cache."""

    database: Study
    cache: list[advice.Advice] | None


@app.callback()
def everything(context: typer.Context, as_json: AsJson = False) -> None:
    """Recommend what to change about the database and the cache; `optimize database --apply` then changes it.

    Examples: `tfmshop optimize`, `tfmshop optimize --json`
    """
    if context.invoked_subcommand is None:
        found = _whole(context)
        if as_json:
            print_json(found)
        else:
            _print(found)


@app.command("database")
def database(
    context: typer.Context,
    apply: Annotated[bool, typer.Option("--apply", help="Change what blocks nobody for more than a second.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at statistics, indexes and the plan of every statement; say what to change, and with --apply change it.

    Exit code 1 when something could not be changed. Examples: `tfmshop optimize database`,
    `tfmshop optimize database --apply`
    """
    failed: dict[str, str] = {}

    async def look(platform: Platform) -> Study:
        with progress_bar() as bar:
            found = await study(platform.db, _reading(platform), bar)
            safe = [one for one in found.advice if one.safe] if apply else []
            for done, one in enumerate(safe, 1):
                try:
                    await mend(platform.db, one)
                except NotMended as error:
                    failed[one.what] = str(error)
                bar("changes", done, len(safe))
        return found

    found = host_of(context).with_platform(look)
    if as_json:
        print_json({"study": found, "applied": apply, "failed": failed})
    else:
        _print_database(found, applied=apply, failed=failed)
    if failed:
        raise typer.Exit(1)


@app.command("cache")
def cache(context: typer.Context, as_json: AsJson = False) -> None:
    """Recommend settings of the cache, from what the web servers say of it since they started.

    Examples: `tfmshop optimize cache`, `tfmshop optimize cache --json`
    """
    found = host_of(context).with_platform(_cache)
    if found is None:
        raise Failure(NOBODY)
    if as_json:
        print_json(found)
    else:
        _print_cache(found)


@app.command("report")
def write_report(
    context: typer.Context,
    form: Annotated[Literal["text", "json", "html"], typer.Option("--format", help="text, json or html.")] = "text",
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
) -> None:
    """Write everything that was found about database and cache as a report; html opens without a network.

    Examples: `tfmshop optimize report`, `tfmshop optimize report --format html --output report.html`
    """
    found = _whole(context)
    if form == "text" and output is None:
        _print(found)
    elif form == "text" and output is not None:
        with out.capture() as captured:
            _print(found)
        output.write_text(captured.get())
    elif form == "json":
        page.write(output, codec.encode_text(found))
    else:
        page.write(output, page.optimizing(found.database, found.cache))
    if output is not None:
        typer.echo(f"Wrote {output}.")


def _whole(context: typer.Context) -> Whole:
    async def look(platform: Platform) -> Whole:
        with progress_bar() as bar:
            return Whole(await study(platform.db, _reading(platform), bar), await _cache(platform))

    return host_of(context).with_platform(look)


def _reading(platform: Platform) -> readings.Reading:
    return readings.summed(blocks.read(platform.config.home / METRICS))


async def _cache(platform: Platform) -> list[advice.Advice] | None:
    from tfmshop.surface.http.app import public_routes

    async with platform.db.read() as tx:
        reports = await report.told(tx)
    if not reports:
        return None
    ages = {route.fresh.name: route.fresh.setting for route in public_routes()}
    return advice.advise(reports, platform.config.number("CACHE_MEMORY"), ages)


def _print(found: Whole) -> None:
    out.print("[bold]Database[/bold]")
    _print_database(found.database, applied=False, failed={})
    out.print("\n[bold]Cache[/bold]")
    if found.cache is None:
        out.print(NOBODY, markup=False)
    else:
        _print_cache(found.cache)


def _print_database(found: Study, *, applied: bool, failed: dict[str, str]) -> None:
    server = found.server
    out.print(
        f"PostgreSQL {server.version}, {sized(server.bytes)}, {server.hit_ratio:.1%} of pages found in memory, "
        f"{server.deadlocks} deadlocks\n", markup=False,
    )  # fmt: skip
    for one in found.advice:
        out.print(f"{one.kind}: {one.what}", markup=False)
        out.print(f"  because  {one.evidence}", markup=False)
        if one.effect:
            out.print(f"  effect   {one.effect}", markup=False)
        for sql in one.sql:
            out.print(f"  {_done(one, applied, failed):8} {sql};", markup=False)
        if one.undo:
            out.print(f"  undo     {one.undo};", markup=False)
        out.print("")
    if not found.advice:
        out.print("Nothing to change.")
    elif not applied and any(one.safe for one in found.advice):
        out.print("`tfmshop optimize database --apply` does what is marked `safe`.")


def _done(one: Advice, applied: bool, failed: dict[str, str]) -> str:
    if one.what in failed:
        return "FAILED"
    return ("done" if applied else "safe") if one.safe else "by hand"


def _print_cache(found: list[advice.Advice]) -> None:
    for one in found:
        out.print(f"{one.name}\n  because  {one.evidence}\n  do       {one.do}\n", markup=False)
    if not found:
        out.print("Nothing to change.")
