"""`tfmshop catalog`: bringing products in, and what came last."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfmshop.commerce import catalog
from tfmshop.platform import Platform
from tfmshop.platform.clock import monotonic
from tfmshop.platform.files.rows import RowFile, UnknownFormat
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.importing import Import, Outcome
from tfmshop.surface.cli.output import AsJson, err, print_json, print_table, progress_bar

app = typer.Typer(no_args_is_help=True, help="The catalogue: import and list products.")


@app.command("import")
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, plain or with .gz, .xz or .bz2.")],
    mapping: Annotated[Path | None, typer.Option(help="TOML: which columns are what (docs/imports.md).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or update products from a file, in batches, resumable; bad rows go to FILE.rejects.jsonl, good rows in.

    Interrupted, it goes on where it was when the same file and mapping come again. Exit code 1 when the file cannot
    be read, or it has rows and not one could be used.

    Examples: `tfmshop catalog import products.csv`,
    `tfmshop catalog import icecat.jsonl.xz --mapping docs/mappings/icecat.toml`
    """
    source, how = _source(file), _mapping(mapping)

    async def work(platform: Platform) -> Outcome:
        with progress_bar() as bar:
            return await Import(platform, file, source, how, dry_run=dry_run, progress=bar).run()

    started = monotonic()
    try:
        outcome = host_of(context).with_platform(work)
    except KeyboardInterrupt:
        err.print("Stopped. What was committed stays; run the same command again to go on.")
        raise typer.Exit(130) from None
    seconds = monotonic() - started
    if as_json:
        print_json({"created": outcome.created, "updated": outcome.updated, "rejected": outcome.rejected,
                    "resumed_after_line": outcome.resumed_after_line, "rejects": outcome.rejects_file,
                    "problems": outcome.problems, "dry_run": dry_run, "seconds": round(seconds, 2)})  # fmt: skip
    else:
        _tell(outcome, seconds, dry_run=dry_run)
    if outcome.rejected and not outcome.created and not outcome.updated:
        raise typer.Exit(1)


@app.command("list")
def list_products(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the products that were added last, on sale or not.

    Examples: `tfmshop catalog list`, `tfmshop catalog list --limit 1000 --json`
    """

    async def work(platform: Platform) -> list[Any]:
        async with platform.db.read() as tx:
            return list(await catalog.newest(tx, limit))

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("sku", "title", "status", "price", "stock", "added"),
            [(r.sku, r.title[:60], r.status, f"{r.price / 100:,.2f} {r.currency}", "yes" if r.in_stock else "no",
              f"{r.created_at:%Y-%m-%d}") for r in rows],
        )  # fmt: skip


def _source(file: Path) -> RowFile:
    try:
        if file.is_dir():
            raise Failure(f"{file} is a folder.")
        return RowFile(file)
    except OSError as error:
        raise Failure(f"Cannot read {file}: {error.strerror}.") from None
    except UnknownFormat as error:
        raise Failure(str(error)) from None


def _mapping(file: Path | None) -> catalog.Mapping:
    if file is None:
        return catalog.Mapping()
    try:
        return catalog.Mapping.read(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"Cannot read the mapping {file}: {error.strerror}.") from None
    except (UnicodeDecodeError, catalog.BadImport) as error:
        raise Failure(f"Cannot use the mapping {file}: {error}") from None


def _tell(outcome: Outcome, seconds: float, *, dry_run: bool) -> None:
    if outcome.resumed_after_line:
        typer.echo(f"Went on after line {outcome.resumed_after_line}, where this import had stopped.")
    would = "would be " if dry_run else ""
    typer.echo(
        f"Products {would}added: {outcome.created:,}, {would}updated: {outcome.updated:,}; "
        f"rows rejected: {outcome.rejected:,}; in {seconds:.1f} s."
    )
    for problem in outcome.problems:
        typer.echo(f"  line {problem.line}: {problem.reason}")
    if outcome.rejected > len(outcome.problems):
        typer.echo(f"  ... and {outcome.rejected - len(outcome.problems):,} more")
    if outcome.rejects_file:
        typer.echo(f"Rejected rows: {outcome.rejects_file}")
