"""`tfmshop orders import`: the orders of another shop."""

from __future__ import annotations

import csv
from dataclasses import asdict
from lzma import LZMAError
from pathlib import Path
from typing import Annotated

import typer

from tfmshop.commerce import orders
from tfmshop.commerce.vocabulary import digits
from tfmshop.platform import Platform
from tfmshop.platform.files.rows import RowFile, UnknownFormat
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.orders import app
from tfmshop.surface.cli.output import AsJson, Bar, print_json, print_table, progress_bar


@app.command("import")
def import_orders(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV or JSON lines, also .gz, .xz or .bz2.", exists=True, dir_okay=False)
    ],
    currency: Annotated[str | None, typer.Option(help="Of the prices; default: the shop's.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected lines go; default: beside the file's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring in the orders of another shop, once: a line each with InvoiceNo, StockCode, Quantity and so on.

    Every line ends in an order, in a return matched to its order, or in the file of rejects with a reason.

    Examples: `tfmshop orders import retail.csv.xz --currency GBP`, `tfmshop orders import retail.csv --json`
    """
    if currency is not None and (len(currency) != 3 or not currency.isascii() or digits(currency.upper()) != 2):
        raise Failure(f"{currency} is not a currency of two decimals, which the amounts of such a file have.")
    target = rejects or Path(f"{file.name}.rejects.csv")
    try:
        source = RowFile(file)
    except UnknownFormat as error:
        raise Failure(str(error)) from None

    async def work(platform: Platform) -> orders.moving.Moved:
        with progress_bar() as bar:
            intake = _gathered(source, bar)
            bar("writing", 0, 1)
            money = (currency or platform.config.text("SHOP_CURRENCY")).upper()
            moved = await platform.db.transact(lambda tx: orders.moving.move_in(tx, intake, money))
            bar("writing", 1, 1)
        _write_rejects(target, intake)
        return moved

    moved = host_of(context).with_platform(work, makes=True)
    if as_json:
        print_json({"reconciles": moved.reconciles, "rejects": str(target), **asdict(moved)})
    else:
        print_table(
            ("", "lines", "value"),
            [(name, f"{part.lines:,}", f"{part.value:,.3f}") for name, part in (
                ("in the file", moved.file), ("in orders", moved.in_orders), ("in returns", moved.in_returns),
                (f"rejected, see {target}", moved.rejected),
            )],
        )  # fmt: skip
        typer.echo(f"{moved.orders} orders came in, {moved.already_there} were there already.")
    if not moved.reconciles:
        raise Failure("The parts are not the whole: please report this.")


def _gathered(source: RowFile, bar: Bar) -> orders.moving.Intake:
    intake = orders.moving.Intake()
    try:
        for line in source.lines():
            intake.add(line.number, line.row, line.problem)
            if intake.lines % 5000 == 0:
                bar("reading", source.position, source.size)
    except (OSError, EOFError, LZMAError) as error:
        raise Failure(f"The file cannot be read to its end: {error}") from None
    missing = sorted(set(orders.moving.COLUMNS) - set(source.columns or orders.moving.COLUMNS))
    if missing:
        raise Failure(f"The file has no column {missing[0]}.")
    bar("reading", source.size, source.size)
    return intake


def _write_rejects(target: Path, intake: orders.moving.Intake) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "why", *orders.moving.COLUMNS])
        for one in sorted(intake.rejected, key=lambda one: one.number):
            writer.writerow([one.number, one.why, *[one.row.get(name, "") for name in orders.moving.COLUMNS]])
