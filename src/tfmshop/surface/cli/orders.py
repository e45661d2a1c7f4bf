"""`tfmshop orders`: orders for staff."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.commerce import orders
from tfmshop.platform import Platform
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Orders: list them.")


@app.command("list")
def list_orders(
    context: typer.Context,
    status: Annotated[orders.OrderStatus | None, typer.Option(help="Only orders that stand so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first.

    Examples: `tfmshop orders list`, `tfmshop orders list --status paid --json`
    """

    async def work(platform: Platform) -> list[orders.Head]:
        async with platform.db.read() as tx:
            return await orders.listing(tx, status=status, limit=limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("number", "status", "payment", "total", "e-mail", "placed"),
            [(r.number, r.status, r.payment_status, f"{r.total / 100:,.2f} {r.currency}", r.email,
              f"{r.placed_at:%Y-%m-%d %H:%M}") for r in rows],
        )  # fmt: skip
