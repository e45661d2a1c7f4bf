"""The orders of a shop that moves in: every line in one place, every penny counted, and only once."""

from __future__ import annotations

import csv
import json
import lzma
from decimal import Decimal
from pathlib import Path

import pytest

from tests.processes import tfmshop
from tests.surface.test_commands import settings_of  # noqa: F401 - a fixture
from tfmshop.commerce.orders.intake import Intake
from tfmshop.commerce.orders.moving import COLUMNS, move_in
from tfmshop.platform.db import Query, broken

BOOKS = Query("test.moved_books", """
SELECT md5(string_agg(t, '|' ORDER BY t)) FROM (
    SELECT o::text AS t FROM orders.placed AS o UNION ALL SELECT l::text FROM orders.line AS l
    UNION ALL SELECT r::text FROM orders.returned AS r
) AS b
""")  # fmt: skip
SUMS = Query("test.moved_sums", "SELECT sum(total)::bigint, (SELECT sum(amount)::bigint FROM orders.returned), "
             "(SELECT count(*) FROM orders.line), count(*) FROM orders.placed")  # fmt: skip
RETURNS = Query("test.moved_returns", "SELECT o.number, r.position, r.quantity, r.amount, o.payment_status "
                "FROM orders.returned AS r JOIN orders.placed AS o ON o.id = r.order_id ORDER BY 1, 2")  # fmt: skip
HEAD = Query("test.moved_head", "SELECT subtotal, shipping, total FROM orders.placed WHERE number = $1")


def gathered(*lines: str) -> Intake:
    intake = Intake()
    for number, line in enumerate(lines, 2):
        intake.add(number, dict(zip(COLUMNS, line.split(","), strict=True)))
    return intake


def line(invoice: str, sku: str, quantity: int, price: str, *, day: int = 1, customer: str = "7.0") -> str:
    return f"{invoice},{sku},Thing,{quantity},2010-12-{day:02} 10:00:00,{price},{customer},France"


async def test_orders_returns_and_carriage(tx):
    intake = gathered(
        line("1", "A", 5, "2.50"), line("1", "B", 1, "10"), line("1", "POST", 1, "18"),
        line("2", "A", 5, "2.00", day=3), line("3", "POST", 1, "18", day=4), line("C4", "A", -6, "2.00", day=5),
        line("C5", "A", -9, "2.00", day=6), line("C6", "B", -1, "10.01", day=6),
        line("C7", "B", -1, "10", day=6, customer=""), line("C8", "B", -1, "10", day=6),
        line("C8", "A", -1, "2.00", day=1),
    )  # fmt: skip
    moved = await move_in(tx, intake, "GBP")
    assert moved.reconciles
    assert (moved.orders, moved.in_orders.lines, moved.in_returns.lines) == (3, 5, 3)
    assert [(one.number, one.why) for one in sorted(intake.rejected, key=lambda one: one.number)] == [
        (8, "a cancellation that fits no order"), (9, "a cancellation that fits no order"),
        (10, "a cancellation of nobody"),
    ]  # fmt: skip
    assert [tuple(row) for row in await tx.rows(RETURNS)] == [
        ("1", 1, 1, 200, "partially_refunded"), ("1", 1, 1, 200, "partially_refunded"),
        ("1", 2, 1, 1000, "partially_refunded"), ("2", 1, 5, 1000, "refunded"),
    ]  # fmt: skip
    assert tuple(await tx.row(HEAD, "1")) == (2250, 1800, 4050)
    assert tuple(await tx.row(HEAD, "3")) == (1800, 0, 1800)
    assert await broken(tx) == {}
    before = await tx.value(BOOKS)
    again = gathered(line("1", "A", 5, "2.50"), line("C4", "A", -6, "2.00", day=5))
    second = await move_in(tx, again, "GBP")
    assert (second.reconciles, second.orders, second.already_there, second.in_returns.lines) == (True, 0, 1, 1)
    assert await tx.value(BOOKS) == before


@pytest.mark.parametrize(("wrong", "why"), [
    (line("", "A", 1, "1"), "no invoice number"), (line("1", "A", 1, "x"), "not a number"),
    (line("1", "A", 1, "NaN"), "not a number"), (line("1", "A", 1, "0.001"), "parts of a penny"),
    (line("1", "A", 0, "1"), "no units"), (line("C1", "A", 1, "1"), "less than nothing"),
    (line("1", "A", -1, "1"), "written off"), (line("1", "A", 1, "0", customer=""), "no price and no customer"),
    (line("1", "A", 1, "-5"), "a negative price"), (line("1", "A", 2**40, "1"), "beyond all measure"),
    (line("1", "A", 1, "1", day=99), "the date"),
])  # fmt: skip
async def test_lines_that_are_in_no_order(wrong, why):
    intake = gathered(wrong)
    assert [why in one.why for one in intake.rejected] == [True]
    assert not intake.orders
    assert not intake.cancellations


def part_of(file: Path, target: Path, nth: int) -> tuple[int, Decimal]:
    """Write the lines of every so many customers, and of those without one every so many; their number and value."""
    lines, value = 0, Decimal(0)
    with lzma.open(file, "rt", newline="") as source, lzma.open(target, "wt", newline="", preset=0) as part:
        reader = csv.DictReader(source)
        writer = csv.DictWriter(part, reader.fieldnames)
        writer.writeheader()
        for number, row in enumerate(reader):
            if int(float(row["CustomerID"] or number)) % nth == 0:
                writer.writerow(row)
                lines += 1
                value += int(row["Quantity"]) * Decimal(row["UnitPrice"])
    return lines, value


@pytest.mark.parametrize("nth", [10, pytest.param(1, marks=pytest.mark.whole)])
async def test_a_real_shop_moves_in_to_the_penny(data, settings_of, wide_db, tmp_path: Path, nth):  # noqa: F811
    lines, value = part_of(data / "uci_online_retail_2010-12_2011-06.csv.xz", tmp_path / "part.csv.xz", nth)
    assert nth > 1 or (lines, value) == (245_903, Decimal("4397950.761"))

    def run() -> dict:
        done = tfmshop("orders", "import", "part.csv.xz", "--currency", "GBP", "--json", cwd=tmp_path, **settings_of)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout, parse_float=Decimal)

    first = run()
    assert first["reconciles"] is True
    assert first["file"] == {"lines": lines, "value": value}
    parts = [first[name] for name in ("in_orders", "in_returns", "rejected")]
    assert sum(part["lines"] for part in parts) == lines
    assert sum(part["value"] for part in parts) == value
    with (tmp_path / first["rejects"]).open(newline="") as rejects:
        rows = list(csv.DictReader(rejects))
    assert len(rows) == first["rejected"]["lines"]
    assert all(row["why"] for row in rows)
    async with wide_db.read() as tx:
        placed, returned, _, orders = await tx.row(SUMS)
        assert placed == first["in_orders"]["value"] * 100
        assert -returned == first["in_returns"]["value"] * 100
        assert orders == first["orders"]
        assert await broken(tx) == {}
        before = await tx.value(BOOKS)
    second = run()
    assert (second["orders"], second["already_there"]) == (0, first["orders"])
    assert {name: second[name] for name in ("in_orders", "in_returns", "rejected")} == {
        name: first[name] for name in ("in_orders", "in_returns", "rejected")
    }
    async with wide_db.read() as tx:
        assert await tx.value(BOOKS) == before
    print(f"\n{first}")  # noqa: T201 - the figures are the point
