"""Making a cart and looking at it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from tfmshop.commerce import pricing, promotions
from tfmshop.commerce.cart.errors import CartNotFound
from tfmshop.commerce.cart.model import Cart, CartLine, Discount, Owner, Remark, ShippingChoice
from tfmshop.commerce.cart.quote import Item, Quote, Reason, Terms, quote
from tfmshop.commerce.cart.store import CREATE, MINE, OPEN, TURN, VIEW
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Row, Tx


async def create(tx: Tx, token_hash: bytes, currency: str, expires_at: datetime) -> UUID:
    """An empty cart for the bearer of a token; its id."""
    id = ids.new()
    await tx.execute(CREATE, id, token_hash, currency, expires_at)
    return id


async def mine(tx: Tx, customer_id: UUID, currency: str | None, otherwise: str, expires_at: datetime) -> UUID:
    """The open cart of a signed-in customer, made when there is none in `currency`, or `otherwise`; its id.

    An empty one is turned into the `currency` that is asked for.
    """
    row = None
    while row is None:
        row = await tx.row(MINE, ids.new(), customer_id, currency or otherwise, expires_at)
    if currency not in (None, row["currency"]):
        await tx.execute(TURN, row["id"], currency)
    return UUID(int=row["id"].int)


async def find_open(tx: Tx, customer_id: UUID) -> Cart | None:
    """A customer's open cart, if there is one."""
    id = await tx.value(OPEN, customer_id)
    return await view(tx, id, Owner(customer_id=customer_id)) if id is not None else None


async def view(tx: Tx, id: UUID, owner: Owner) -> Cart:
    """The cart with live prices, stock and warnings, in one statement. `CartNotFound`."""
    rows = await _rows(tx, id, owner)
    head = rows[0]
    currency = head["currency"]
    there, sums = _quoted(rows)

    def money(amount: int) -> Money:
        return Money(amount, currency)

    return Cart(
        id, head["status"], currency, head["email"], address_of(head), [_line(row, currency) for row in there],
        money(sums.subtotal), money(sums.discount), money(sums.shipping), money(sums.tax), money(sums.tax_included),
        money(sums.total), head["coupon"], [Discount(one.name, one.code, money(one.amount)) for one in sums.discounts],
        sums.method,
        [ShippingChoice(one.method.code, one.method.name, money(one.price)) for one in sums.choices],
        [remark for row in rows if row["line_id"] is not None for remark in _remarks(row)],
        head["expires_at"], head["reserved_until"],
    )  # fmt: skip


async def why(tx: Tx, id: UUID, owner: Owner) -> list[Reason]:
    """Every price rule that was looked at for the cart: applied or not, and why. `CartNotFound`."""
    return _quoted(await _rows(tx, id, owner))[1].reasons


async def _rows(tx: Tx, id: UUID, owner: Owner) -> list[Row]:
    rows = await tx.rows(VIEW, id, owner.token_hash, owner.customer_id)
    if not rows:
        raise CartNotFound
    return rows


def _quoted(rows: list[Row]) -> tuple[list[Row], Quote]:
    """The lines that can be bought, and what they come to."""
    there = [row for row in rows if row["line_id"] is not None and on_sale(row)]
    sums = quote([item_of(row) for row in there], terms_of(rows[0], address_of(rows[0])), clock.now())
    sums.reasons[:0] = [_listed(row) for row in there if row["price"] != row["own_price"]]
    return there, sums


def on_sale(row: Row) -> bool:
    """Whether what is in a line's row can be bought: it is on sale, and has a price in the cart's currency."""
    return row["product_id"] is not None and row["price"] is not None


def _listed(row: Row) -> Reason:
    """Why a line costs something else than the product's own price."""
    own = row["own_price"]
    instead = f"{row['price']} instead of {own}" if own is not None else f"{row['price']}, its price in this currency"
    saved = 0 if own is None else (own - row["price"]) * row["quantity"]
    return Reason("price", row["list_name"], applied=True, why=f"{row['sku']} costs {instead}", amount=saved)


def address_of(row: Row) -> Address | None:
    """The address in a cart's row."""
    return codec.decode_as(row["address"], Address) if row["address"] else None


def terms_of(row: Row, address: Address | None) -> Terms:
    """What holds for the cart of a row."""
    rates, methods = row["rates"], row["methods"]
    return Terms(
        row["currency"], address.country if address else None, address.region if address else None, row["coupon"],
        row["shipping_method"], codec.decode_as(row["offers"], list[promotions.Offer]) if row["offers"] else (),
        pricing.Rules(codec.decode_as(rates, list[pricing.TaxRate]) if rates else [],
                      codec.decode_as(methods, list[pricing.ShippingMethod]) if methods else []),
        row["ships"],
    )  # fmt: skip


def item_of(row: Row) -> Item:
    """What of a line's row matters for its price."""
    return Item(
        row["product_id"],
        row["quantity"],
        row["price"],
        row["categories"] or (),
        row["tax_class"],
        row["weight_g"] or 0,
    )


def _line(row: Row, currency: str) -> CartLine:
    return CartLine(
        row["line_id"], row["product_id"], row["variant_id"], row["sku"], row["slug"],
        full_title(row["title"], row["variant_title"]), row["image"], row["quantity"], Money(row["price"], currency),
        Money(row["price"] * row["quantity"], currency), row["available"],
    )  # fmt: skip


def _remarks(row: Row) -> Iterator[Remark]:
    id, price, added = row["line_id"], row["price"], row["unit_price"]
    if not on_sale(row):
        yield Remark("unavailable", id, "This product is not sold any more; it is not part of the total.")
        return
    if price != added:
        yield Remark("price_changed", id, f"The price was {added} and is now {price}.")
    if row["available"] < row["quantity"]:
        yield Remark("out_of_stock", id, f"Only {row['available']} left.")


def full_title(title: str, variant: str) -> str:
    """A product's title with its variant's, if that has one."""
    return f"{title} ({variant})" if variant else title
