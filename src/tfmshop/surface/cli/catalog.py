"""`tfmshop catalog`: bringing products in, and what came last."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from tfmshop.commerce import catalog, search, transfer
from tfmshop.platform import Platform
from tfmshop.platform.clock import monotonic
from tfmshop.platform.files.rows import RowFile, UnknownFormat
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, err, money, print_json, print_table, progress_bar

SHOWN = 20
"""How many rejected rows, and how many differences, are named on the screen."""

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

    async def work(platform: Platform) -> transfer.Outcome:
        with progress_bar() as bar:
            currency = platform.config.text("SHOP_CURRENCY")
            job = transfer.Import(platform.db, file, source, how, currency, dry_run=dry_run, progress=bar)
            outcome = await job.run()
        if not dry_run:
            await catalog.keep.add_up_counts(platform.db)
            await search.learn(platform.db)
            await platform.db.vacuum()
        return outcome

    started = monotonic()
    try:
        outcome = host_of(context).with_platform(work, makes=True)
    except KeyboardInterrupt:
        err.print("Stopped. What was committed stays; run the same command again to go on.")
        raise typer.Exit(130) from None
    seconds = monotonic() - started
    if as_json:
        print_json(
            {"id": outcome.run, "created": outcome.created, "updated": outcome.updated, "rejected": outcome.rejected,
             "resumed_after_line": outcome.resumed_after_line, "rejects": outcome.rejects_file,
             "problems": outcome.problems, "unused": outcome.unused, "changes": outcome.changes, "dry_run": dry_run,
             "seconds": round(seconds, 2)}
        )  # fmt: skip
    else:
        _tell(outcome, seconds, dry_run=dry_run)
    if outcome.rejected and not outcome.created and not outcome.updated:
        raise typer.Exit(1)


@app.command("imports")
def list_imports(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the last imports, newest first.

    Examples: `tfmshop catalog imports`, `tfmshop catalog imports --json`
    """

    async def work(platform: Platform) -> list[transfer.Listed]:
        async with platform.db.read() as tx:
            return await transfer.imports(tx, limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        for r in rows:
            state = "undone" if r.undone_at else "done" if r.finished_at else "unfinished"
            typer.echo(f"{r.id}  {state}  added {r.created:,}, updated {r.updated:,}, rejected {r.rejected:,}")
            typer.echo(f"    {r.started_at:%Y-%m-%d %H:%M}  {r.file}")


@app.command("undo")
def undo_import(
    context: typer.Context,
    run: Annotated[UUID, typer.Argument(help="The id of the import (`tfmshop catalog imports`).")],
    force: Annotated[
        bool, typer.Option("--force", help="Also where a product was changed since, or the import broke off.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a whole import back: what it changed is as before, what it added is gone.

    Added products that were sold meanwhile are archived. Nothing is undone when a product was changed since the
    import, or the import did not come to its end, unless `--force`.

    Examples: `tfmshop catalog undo 0197...`, `tfmshop catalog undo 0197... --force --json`
    """

    async def work(platform: Platform) -> transfer.Undone:
        return await platform.db.transact(lambda tx: transfer.undo(tx, run, force=force))

    done = host_of(context).with_platform(work)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"Products put back: {done.restored:,}, taken out: {done.removed:,}, archived: {done.archived:,}.")


@app.command("export")
def export_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file: .csv or .jsonl, plain or with .gz.")],
    as_json: AsJson = False,
) -> None:
    """Write every product to a file that `catalog import` reads back. Memory stays the same for any number.

    Examples: `tfmshop catalog export shop.csv`, `tfmshop catalog export shop.jsonl.gz`
    """
    kinds = [suffix for suffix in file.suffixes if suffix in {".csv", ".jsonl"}]
    if not kinds or file.suffixes[-1] not in {".csv", ".jsonl", ".gz"}:
        raise Failure(f"{file.name}: expected a name like products.csv or products.jsonl.gz.")

    async def work(platform: Platform) -> int:
        total, done = await transfer.count(platform.db), 0
        opened: Any = gzip.open if file.suffix == ".gz" else open
        with opened(file, "xb") as target, progress_bar() as bar:
            async for number, piece in transfer.export(platform.db, kinds[0][1:]):
                target.write(piece)
                done += number
                bar("writing", done, max(total, done))
        return done

    try:
        written = host_of(context).with_platform(work)
    except OSError as error:
        raise Failure(f"Cannot write {file}: {error.strerror}.") from None
    if as_json:
        print_json({"products": written, "file": str(file)})
    else:
        typer.echo(f"{written:,} products in {file}.")


@app.command("tree")
def import_tree(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A JSON list of categories with their paths, plain or with .gz.")],
    as_json: AsJson = False,
) -> None:
    """Add the categories of a file that are not there yet (docs/imports.md).

    Examples: `tfmshop catalog tree categories.json`, `tfmshop catalog tree bestbuy_categories.json.gz --json`
    """

    async def work(platform: Platform) -> transfer.trees.Tree:
        content = transfer.trees.read_tree(file)
        return await platform.db.transact(lambda tx: transfer.trees.bring_in_tree(tx, content))

    tree = host_of(context).with_platform(work)
    if as_json:
        print_json(tree)
    else:
        typer.echo(f"Categories added: {tree.made:,}; entries without a usable path: {tree.skipped:,}.")


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
            return list(await catalog.keep.newest(tx, limit))

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("sku", "title", "status", "price", "stock", "added"),
            [(r.sku, r.title[:60], r.status, money(r.price, r.currency), "yes" if r.in_stock else "no",
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


def _mapping(file: Path | None) -> transfer.Mapping:
    if file is None:
        return transfer.Mapping()
    try:
        return transfer.Mapping.read(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"Cannot read the mapping {file}: {error.strerror}.") from None
    except (UnicodeDecodeError, transfer.BadImport) as error:
        raise Failure(f"Cannot use the mapping {file}: {error}") from None


def _tell(outcome: transfer.Outcome, seconds: float, *, dry_run: bool) -> None:
    if outcome.resumed_after_line:
        typer.echo(f"Went on after line {outcome.resumed_after_line}, where this import had stopped.")
    would = "would be " if dry_run else ""
    typer.echo(
        f"Products {would}added: {outcome.created:,}, {would}updated: {outcome.updated:,}; "
        f"rows rejected: {outcome.rejected:,}; in {seconds:.1f} s."
    )
    for problem in outcome.problems[:SHOWN]:
        typer.echo(f"  line {problem.line}: {problem.reason}")
    if outcome.rejected > SHOWN:
        typer.echo(f"  ... and {outcome.rejected - SHOWN:,} more")
    if outcome.unused:
        typer.echo(f"Columns that are not used: {', '.join(outcome.unused)}")
    for change in outcome.changes[:SHOWN]:
        typer.echo(f"  {change.what} {change.sku} {change.title[:60]}")
        for field in change.fields if change.what == "changed" else []:
            typer.echo(f"      {field.field}: {_short(field.before)} -> {_short(field.after)}")
    if len(outcome.changes) > SHOWN:
        typer.echo(f"  ... and {len(outcome.changes) - SHOWN:,} more (--json names up to 1,000)")
    if outcome.run and (outcome.created or outcome.updated):
        typer.echo(f"To take it back: tfmshop catalog undo {outcome.run}")
    if outcome.rejects_file:
        typer.echo(f"Rejected rows: {outcome.rejects_file}")


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
