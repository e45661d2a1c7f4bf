"""What a file says nothing of stays, and who else is at work meanwhile loses nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from uuid import UUID

import pytest

from tests.commerce.test_transfer import everything, facts_of
from tfmshop.commerce import catalog, inventory, transfer
from tfmshop.commerce.transfer.run import ImportRun
from tfmshop.platform import ids
from tfmshop.platform.db import Query

LAMP = {"sku": "L", "external_id": "l", "title": "Lamp", "price": 100}
VARIANTS = Query("test.variants_by_sku", "SELECT sku, id, title, options::text FROM catalog.variant ORDER BY sku")
PICTURES = Query("test.pictures", "SELECT id, alt, variant_id FROM catalog.picture ORDER BY position")
WAITING = Query("test.waiting", "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'")  # fmt: skip
DETAILS = Query("test.details", "SELECT description, status, title, sku FROM catalog.product")


@pytest.fixture
def file(tmp_path):
    def file(*rows: dict[str, object] | str, name: str = "products.jsonl"):
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    return file


async def levels(db) -> dict[str, int]:
    async with db.read() as tx:
        return {level.sku: level.available for level in await inventory.levels.listed(tx, 1000, 10)}


async def sell(tx, sku: str, units: int) -> None:
    variants = {row["sku"]: row["id"] for row in await tx.rows(VARIANTS)}
    assert await inventory.take(tx, [inventory.Taking(ids.new(), ids.new(), {variants[sku]: units})]) == {}


async def beside(db, work, change):
    """Do `work` while the transaction of `change(tx)` is open, which ends once somebody waits for it."""
    context, began = copy_context(), asyncio.Event()

    async def after():
        await began.wait()
        return await work()

    async def somebody_waits() -> None:
        async with asyncio.timeout(20):
            while not await _waiting(db):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.01)

    working = asyncio.create_task(after())
    async with db.tx() as tx:
        await change(tx)
        began.set()
        await asyncio.create_task(somebody_waits(), context=context)
    return await working


async def _waiting(db) -> int:
    async with db.read() as tx:
        return await tx.value(WAITING)


async def test_a_price_list_beside_staff_keeps_what_they_change(bring_in, wide_db, file):
    await bring_in(file(LAMP | {"description": "Old."}), into=wide_db)

    async def edit(tx):
        await catalog.edit.change(tx, "lamp", catalog.edit.Changes(description="New.", status="archived"))

    await beside(wide_db, lambda: bring_in(file(LAMP | {"price": 200}, name="prices.jsonl"), into=wide_db), edit)
    async with wide_db.read() as tx:
        row = await tx.row(DETAILS)
    assert (row["description"], row["status"]) == ("New.", "archived")


async def test_an_undo_gives_back_no_unit_that_was_sold_while_the_import_began(bring_in, wide_db, file):
    await bring_in(file(LAMP | {"stock": 10}), into=wide_db)

    async def buy(tx):
        await sell(tx, "L", 3)

    outcome = await beside(wide_db, lambda: bring_in(file(LAMP | {"stock": 20}, name="more.jsonl"), into=wide_db), buy)
    assert await levels(wide_db) == {"L": 20}
    async with wide_db.tx() as tx:
        await transfer.undo(tx, outcome.run)
    assert await levels(wide_db) == {"L": 7}


async def test_an_undo_waits_for_who_buys(bring_in, wide_db, file):
    run = (await bring_in(file(LAMP | {"stock": 5}), into=wide_db)).run

    async def buy(tx):
        await sell(tx, "L", 1)

    undone = await beside(wide_db, lambda: wide_db.transact(lambda tx: transfer.undo(tx, run)), buy)
    assert (undone.removed, undone.archived) == (0, 1)
    assert await levels(wide_db) == {"L": 4}


async def test_variants_keep_what_a_file_does_not_name(bring_in, db, file):
    variants = [{"sku": sku, "price": 100, "stock": 4, "title": sku, "options": {"size": sku},
                 "compare_at_price": 300} for sku in "SM"]  # fmt: skip
    await bring_in(file(LAMP | {"sku": "S", "variants": variants}))
    fewer = [{"sku": "S", "price": 200}, {"sku": "M", "price": 250, "stock": 1, "compare_at_price": 400}]
    await bring_in(file(LAMP | {"sku": "S", "price": 200, "variants": fewer}, name="fewer.jsonl"))
    assert await levels(db) == {"S": 4, "M": 1}
    async with db.read() as tx:
        rows = await tx.rows(VARIANTS)
        seen = await facts_of(tx, "lamp")
    assert [(row["title"], json.loads(row["options"])) for row in rows] == [("M", {"size": "M"}), ("S", {"size": "S"})]
    assert (seen["variants.S.compare_at_price"], seen["variants.M.compare_at_price"]) == (300, 400)


async def test_a_price_list_by_sku_finds_what_has_an_external_id(bring_in, db, file):
    await bring_in(file(LAMP))
    prices = file("sku,title,price", "L,Lamp,250", name="prices.csv")
    assert (await bring_in(prices, dry_run=True)).updated == 1
    outcome = await bring_in(prices)
    assert (outcome.updated, outcome.rejected) == (1, 0)
    async with db.read() as tx:
        seen = await facts_of(tx, "lamp")
    assert (seen["price"], seen["external_id"]) == (250, "l")


async def test_two_rows_that_are_one_product_are_not_both_taken(bring_in, db, file):
    await bring_in(file(LAMP))
    rows = (LAMP | {"sku": "L2"}, {"sku": "L", "title": "Lamp", "price": 300})
    outcome = await bring_in(file(*rows, name="both.jsonl"))
    assert (outcome.updated, outcome.rejected) == (1, 1)
    assert "same product" in outcome.problems[0].reason


async def test_pictures_keep_their_text_and_their_variant(bring_in, db, file):
    row = LAMP | {"pictures": ["https://x.example/1.jpg", "https://x.example/2.jpg"]}
    await bring_in(file(row))
    async with db.tx() as tx:
        (variant,) = await tx.rows(VARIANTS)
        of_variant = await catalog.pictures.add(tx, "lamp", "https://x.example/3.jpg", "From behind", "L")
        before = [tuple(one) for one in await tx.rows(PICTURES)]
    assert before[2] == (of_variant, "From behind", variant["id"])
    more = ["https://x.example/4.jpg", "https://x.example/3.jpg", *row["pictures"]]
    await bring_in(file(row | {"pictures": more}, name="more.jsonl"))
    async with db.read() as tx:
        after = [tuple(one) for one in await tx.rows(PICTURES)]
    assert after[1:] == [before[2], before[0], before[1]]


async def test_a_picture_that_is_named_twice_comes_again(bring_in, db, file):
    row = LAMP | {"pictures": ["https://x.example/1.jpg"] * 2}
    for name in ("one.jsonl", "two.jsonl"):
        outcome = await bring_in(file(row, name=name))
        assert (outcome.created + outcome.updated, outcome.rejected) == (1, 0)


async def test_an_import_that_was_taken_back_does_not_end_well(bring_in, db, file):
    async with db.tx() as tx:
        run = await ImportRun.start(tx, "fingerprint", "lamps.csv")
        await transfer.undo(tx, run.id, force=True)
        with pytest.raises(transfer.errors.TakenOver, match="was taken back"):
            await run.finish(tx)


async def test_an_export_says_which_variant_has_no_former_price(bring_in, db, file, tmp_path):
    variants = [{"sku": "S", "price": 100, "compare_at_price": 300}, {"sku": "M", "price": 100}]
    await bring_in(file(LAMP | {"sku": "S", "variants": variants}))
    before = await everything(db)
    (tmp_path / "out.jsonl").write_bytes(b"".join([part async for _, part in transfer.export(db, "jsonl")]))
    outcome = await bring_in(tmp_path / "out.jsonl", dry_run=True)
    assert outcome.changes == []
    assert await everything(db) == before


async def test_attributes_of_the_category_that_stays_count(bring_in, db, file):
    await bring_in(file(LAMP | {"category": "Disks"}))
    async with db.tx() as tx:
        definition = catalog.attributes.Definition("capacity", "Capacity", "number", "GB")
        await catalog.attributes.define(tx, "disks", definition)
    outcome = await bring_in(file(LAMP | {"specifications": {"capacity": "0.5 TB"}}, name="good.jsonl"))
    assert outcome.rejected == 0
    async with db.read() as tx:
        assert (await facts_of(tx, "lamp"))["specifications.capacity"] == 500
    outcome = await bring_in(file(LAMP | {"specifications": {"capacity": "plenty"}}, name="bad.jsonl"))
    assert outcome.rejected == 1


async def test_shopify_without_a_status_brings_nothing_back_and_renames_nothing(bring_in, db, file):
    head = "Handle,Title,Variant SKU,Variant Price,Variant Inventory Qty"
    await bring_in(file(head, "lamp,Lamp,OWN-1,10,5", name="all.csv"))
    async with db.tx() as tx:
        await catalog.edit.change(tx, "lamp", catalog.edit.Changes(status="archived"))
    await bring_in(file("Handle,Title,Variant Price", "lamp,Lamp,12", name="less.csv"))
    async with db.read() as tx:
        row = await tx.row(DETAILS)
    assert (row["status"], row["sku"]) == ("archived", "OWN-1")
    assert await levels(db) == {"OWN-1": 5}


async def test_every_row_of_a_rejected_shopify_product_is_kept(bring_in, file):
    head = "Handle,Title,Option1 Name,Option1 Value,Variant Price"
    rows = ("lamp,Lamp,Size,S,10", "lamp,,,M,", "lamp,,,L,12")
    outcome = await bring_in(file(head, *rows, name="three.csv"))
    assert (outcome.created, outcome.rejected) == (0, 1)
    assert "Variant Price is missing in 'M'" in outcome.problems[0].reason
    kept = Path(outcome.rejects_file).read_text().splitlines()  # noqa: ASYNC240
    assert [json.loads(line)["line"] for line in kept] == [2, 3, 4]


async def test_an_import_of_a_broken_file_is_taken_back(bring_in, db, file, tmp_path):
    await bring_in(file(LAMP | {"stock": 1}))
    before = await everything(db)
    rows = [{"sku": f"{n}", "title": f"Lamp {n} {ids.new()}", "price": 1, "stock": 1} for n in range(3000)]
    whole = gzip.compress("\n".join(json.dumps(row) for row in rows).encode())
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(transfer.CannotImport, match=r"came before is in; `tfmshop catalog undo \S+ --force`") as why:
        await bring_in(broken)
    run = UUID(str(why.value).partition("catalog undo ")[2].partition(" ")[0])
    with pytest.raises(transfer.CannotUndo, match="did not come to its end"):
        async with db.tx() as tx, tx.savepoint():
            await transfer.undo(tx, run)
    async with db.tx() as tx:
        assert (await transfer.undo(tx, run, force=True)).removed >= 500
    assert await everything(db) == before
    with suppress(transfer.CannotImport):
        await bring_in(broken)
    async with db.read() as tx:
        assert [one.undone_at is None for one in await transfer.imports(tx, 2)] == [True, False]


async def test_a_sku_that_is_renamed_is_that_of_its_level(bring_in, db, file):
    for sku in ("OLD", "NEW"):
        await bring_in(file({"sku": sku, "external_id": "x", "title": "Lamp", "price": 100}))
    assert await levels(db) == {"NEW": 0}
