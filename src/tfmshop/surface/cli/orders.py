"""`tfmshop orders`: orders for staff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from tfmshop.commerce import checkout, orders
from tfmshop.commerce.vocabulary import address_lines, is_email, spelled
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, money, print_json, print_table
from tfmshop.surface.seller import seller_of

T = TypeVar("T")
app = typer.Typer(
    no_args_is_help=True, help="Orders: list, show, edit, pack, ship, deliver, cancel, refund, invoice, bring in."
)


@app.command("list")
def list_orders(
    context: typer.Context,
    status: Annotated[orders.OrderStatus | None, typer.Option(help="Only orders that stand so.")] = None,
    find: Annotated[str, typer.Option(help="A number, an e-mail address or the id of an account, whole.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first.

    Examples: `tfmshop orders list`, `tfmshop orders list --find ada@example.com --json`
    """

    async def work(platform: Platform) -> list[orders.staff.Head]:
        async with platform.db.read() as tx:
            return (await orders.staff.listing(tx, orders.staff.Wanted(status, find), limit=limit)).items

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("number", "status", "payment", "total", "e-mail", "placed"),
            [(r.number, r.status, r.payment_status, money(r.total, r.currency), r.email,
              f"{r.placed_at:%Y-%m-%d %H:%M}") for r in rows],
        )  # fmt: skip


@app.command("cancel")
def cancel_order(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Its number.")],
    why: Annotated[str, typer.Option(help="For its history.")] = "cancelled by staff",
) -> None:
    """Cancel an order that was not sent: stock, coupons and money go back.

    Example: `tfmshop orders cancel 4F7QK-2M9XA --why "ordered twice"`
    """
    _changed(context, number, lambda tx, order: checkout.cancel(tx, order, who="staff", why=why))
    typer.echo(f"{number} is cancelled.")


@app.command("cancel-rest")
def cancel_rest(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Its number.")],
    amount: Annotated[int | None, typer.Option(min=0, help="Minor units; default: what the rest cost.")] = None,
    why: Annotated[str, typer.Option(help="For its history.")] = "the rest is not sent",
) -> None:
    """Leave a partly shipped order at what was sent: the rest goes back to the shelf, its money to the buyer.

    Examples: `tfmshop orders cancel-rest 4F7QK-2M9XA --why "sold out"`,
    `tfmshop orders cancel-rest 4F7QK-2M9XA --amount 0` where its money went back before
    """
    back = _changed(
        context, number, lambda tx, order: checkout.cancel_rest(tx, order, who="staff", why=why, amount=amount)
    )
    typer.echo(f"No more of {number} is sent{f'; {spelled(back)} goes back to its buyer' if back.amount else ''}.")


@app.command("refund")
def refund_order(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Its number.")],
    amount: Annotated[int | None, typer.Option(min=1, help="Minor units; default: all that is left.")] = None,
    why: Annotated[str, typer.Option(help="For its history.")] = "refunded by staff",
) -> None:
    """Give money of an order back; the job runner tells the payment company.

    Example: `tfmshop orders refund 4F7QK-2M9XA --amount 500 --why "scratched"`
    """
    given = _changed(context, number, lambda tx, order: checkout.ask_refund(tx, order, amount, who="staff", why=why))
    typer.echo(f"{spelled(given)} goes back to the buyer of {number}.")


@app.command("refund-again")
def give_again(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="The order's number.")],
    refund_id: Annotated[UUID, typer.Argument(help="The refund that failed: its id, from `orders show --json`.")],
    given: Annotated[
        str | None, typer.Option(help="How it was given otherwise; the payment company is not asked.")
    ] = None,
) -> None:
    """Give back again what the company refused or the buyer's bank sent back, or note how it was given otherwise.

    Example: `tfmshop orders refund-again 4F7QK-2M9XA 0197c0de-0000-7000-8000-000000000000 --given "transfer 42"`
    """
    if given is not None and not given.strip():
        raise Failure("--given is empty: say how the money was given, or leave it out to have the company asked again.")

    _changed(context, number, lambda tx, order: checkout.refund_again(tx, order, refund_id, who="staff", given=given))
    typer.echo(f"The refund {'is noted as given' if given else 'goes to the payment company again'}.")


@app.command("edit")
def edit_order(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Its number.")],
    units: Annotated[list[str] | None, typer.Argument(help="SKU=UNITS, fewer than there are; 0 is none.")] = None,
    email: Annotated[str | None, typer.Option(help="Where its letters go from now on.")] = None,
    why: Annotated[str, typer.Option(help="For its history.")] = "changed by staff",
) -> None:
    """Change an order that was not sent: what goes off it goes back to the shelf, and its money to the buyer.

    Examples: `tfmshop orders edit 4F7QK-2M9XA LAMP=1`, `tfmshop orders edit 4F7QK-2M9XA --email ada@example.com`
    """
    if not units and email is None:
        raise typer.BadParameter("say what shall be otherwise: SKU=UNITS, or --email")
    if email is not None and not is_email(email):
        raise Failure(f"{email} is not an e-mail address.")
    wanted = orders.editing.Edit(email=email, units=_units(units, least=0) if units else None)

    back = _changed(context, number, lambda tx, order: checkout.edit(tx, order, wanted, who="staff", why=why))
    typer.echo(f"{number} is changed{f'; {spelled(back)} goes back to its buyer' if back.amount else ''}.")


@app.command("invoice")
def write_invoice(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Its number.")],
    file: Annotated[Path, typer.Argument(help="Where it goes: a name that ends in .pdf or .html.", dir_okay=False)],
) -> None:
    """Write the invoice of a paid order into a file. It gets its number the first time, and never changes.

    Examples: `tfmshop orders invoice 4F7QK-2M9XA invoice.pdf`, `tfmshop orders invoice 4F7QK-2M9XA invoice.html`
    """
    if file.suffix not in (".pdf", ".html"):
        raise Failure(f"{file} ends neither in .pdf nor in .html.")

    async def work(platform: Platform) -> orders.invoices.Invoice:
        async def find(tx: Tx) -> orders.invoices.Invoice:
            return await orders.invoices.issue(
                tx, await orders.browse.id_of(tx, number), seller_of(platform.config), by_staff=True
            )

        return await platform.db.transact(find)

    try:
        with file.open("ab"):
            pass
        invoice = host_of(context).with_platform(work)
        if file.suffix == ".pdf":
            file.write_bytes(orders.invoices.printed(invoice))
        else:
            file.write_text(orders.invoices.page(invoice), encoding="utf-8")
    except OSError as error:
        raise Failure(f"Cannot write {file}: {error.strerror}.") from None
    typer.echo(f"Invoice {invoice.number} is in {file}.")


@app.command("show")
def show_order(
    context: typer.Context, number: Annotated[str, typer.Argument(help="Its number.")], as_json: AsJson = False
) -> None:
    """Show an order: its lines, what was sent of them, and its history.

    Examples: `tfmshop orders show 4F7QK-2M9XA`, `tfmshop orders show 4F7QK-2M9XA --json`
    """

    async def work(platform: Platform) -> orders.Order:
        async with platform.db.read() as tx:
            return (await orders.load(tx, await orders.browse.id_of(tx, number)))[0]

    order = host_of(context).with_platform(work)
    if as_json:
        print_json(order)
        return
    total = money(order.total.amount, order.total.currency)
    typer.echo(f"{order.number}  {order.status}, payment {order.payment_status}  {order.email}  {total}")
    print_table(
        ("sku", "title", "units", "sent", "total"),
        [
            (line.sku, line.title, str(line.quantity), str(line.shipped), money(line.total.amount, line.total.currency))
            for line in order.lines
        ],
    )
    sums = [("goods", order.subtotal), ("discount", order.discount), ("shipping", order.shipping), ("tax", order.tax)]
    typer.echo(", ".join(f"{name} {spelled(amount)}" for name, amount in sums if amount.amount))
    typer.echo(f"to {', '.join(address_lines(order.addresses.shipping))}")
    for at, what in sorted(_told(order), key=itemgetter(0)):
        typer.echo(f"{at:%Y-%m-%d %H:%M}  {what}".rstrip())


def _told(order: orders.Order) -> Iterator[tuple[datetime, str]]:
    """What happened to an order, and when."""
    for step in order.history:
        yield step.at, f"{step.status}  {step.who}  {step.why}"
    for parcel in order.shipments:
        held = ", ".join(f"{line.quantity} x {line.sku}" for line in parcel.lines)
        yield parcel.at, f"sent {held} {parcel.carrier} {parcel.tracking}"
    for back in order.refunds:
        state = "gave back" if back.done_at else "gives back"
        yield back.asked_at, f"{state} {spelled(back.amount)}  {back.why}"
        if back.failed:
            yield back.asked_at, f"that failed ({back.failed}): tfmshop orders refund-again {order.number} {back.id}"


@app.command("ship")
def ship_order(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="Its number.")],
    units: Annotated[list[str] | None, typer.Argument(help="SKU=UNITS, as often as needed; default: the rest.")] = None,
    carrier: Annotated[str, typer.Option(help="Who carries it.")] = "",
    tracking: Annotated[str, typer.Option(help="How it is followed.")] = "",
) -> None:
    """Send all that is left of an order, or some of it.

    Examples: `tfmshop orders ship 4F7QK-2M9XA --carrier DHL --tracking 00340434`,
    `tfmshop orders ship 4F7QK-2M9XA LAMP=1`
    """
    wanted = _units(units) if units else None

    async def change(tx: Tx, id: UUID) -> orders.Order:
        await orders.fulfil.ship(tx, id, wanted, carrier=carrier, tracking=tracking, who="staff")
        return (await orders.load(tx, id))[0]

    order = _changed(context, number, change)
    sent = ", ".join(f"{line.quantity} x {line.sku}" for line in order.shipments[-1].lines)
    typer.echo(f"{sent} sent; {number} is {order.status.replace('_', ' ')}.")


def _units(texts: list[str], least: int = 1) -> dict[str, int]:
    units: dict[str, int] = {}
    for text in texts:
        sku, _, count = text.rpartition("=")
        if not sku or not count.isdecimal() or not least <= int(count[:9]) <= 999:
            raise Failure(f"{text} is not SKU=UNITS with {least} to 999 units.")
        if least == 0 and sku in units:
            raise Failure(f"{sku} is named twice.")
        units[sku] = units.get(sku, 0) + int(count)
    return units


@app.command("pack")
def pack_order(context: typer.Context, number: Annotated[str, typer.Argument(help="Its number.")]) -> None:
    """Note that a paid order is packed: its buyer cannot cancel it any more.

    Example: `tfmshop orders pack 4F7QK-2M9XA`
    """
    _changed(context, number, lambda tx, order: orders.fulfil.pack(tx, order, "staff"))
    typer.echo(f"{number} is packed.")


@app.command("deliver")
def deliver_order(context: typer.Context, number: Annotated[str, typer.Argument(help="Its number.")]) -> None:
    """Note that everything that was sent has arrived.

    Example: `tfmshop orders deliver 4F7QK-2M9XA`
    """
    _changed(context, number, lambda tx, order: orders.fulfil.deliver(tx, order, "staff"))
    typer.echo(f"{number} is delivered.")


def _changed(context: typer.Context, number: str, change: Callable[[Tx, UUID], Awaitable[T]]) -> T:
    """What changing the order with a number gives."""

    async def work(platform: Platform) -> T:
        async def found(tx: Tx) -> T:
            return await change(tx, await orders.browse.id_of(tx, number))

        return await platform.db.transact(found)

    return host_of(context).with_platform(work)
