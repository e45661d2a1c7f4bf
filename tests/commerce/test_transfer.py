"""Shopify's files, the difference, undo; exports that can be imported again; category trees."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from tests.making import new_product, some_products
from tfmshop.commerce import catalog, inventory, search, transfer
from tfmshop.platform.db import Query, broken

TABLES = ("product", "variant", "picture", "category", "brand", "former_price", "former_slug", "attribute", "related")
EVERYTHING = Query(
    "test.everything",
    " UNION ALL ".join(
        f"SELECT '{name}', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM catalog.{name} AS t"
        for name in TABLES
    )
    + " UNION ALL SELECT 'stock', md5(string_agg(sku || available, '|' ORDER BY sku)) FROM inventory.stock"
    + " UNION ALL SELECT 'entry', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM search.entry AS t",
)
SELL = Query(
    "test.sell",
    """
INSERT INTO inventory.movement (variant_id, delta, reason, order_id)
SELECT id, -1, 'sold', gen_random_uuid() FROM catalog.variant WHERE sku = $1
""",
)

TAX_CLASS = Query("test.tax_class_of", "SELECT tax_class FROM catalog.product")


async def everything(db) -> dict[str, str]:
    async with db.tx() as tx:
        return dict(await tx.rows(EVERYTHING))


async def facts_of(tx, slug: str) -> dict[str, object]:
    taken = await catalog.snapshot.take(tx, [await catalog.keep.on_sale(tx, slug)])
    return catalog.snapshot.facts(taken.popitem()[1])


def changed(path: Path, to: Path) -> Path:
    """The same file after a busy day: dearer, renamed, restocked, retagged, one variant more."""
    with path.open(newline="", encoding="utf-8-sig") as source:
        rows = list(csv.DictReader(source))
    for number, row in enumerate(rows):
        if row["Variant Price"]:
            row["Variant Price"] = f"{float(row['Variant Price']) + 1:.2f}"
            row["Variant Inventory Qty"] = str(number)
        if row["Title"] and number % 3 == 0:
            row["Title"] += " (new)"
            row["Tags"] = "fresh, " + row["Tags"]
    extra = dict.fromkeys(rows[0], "") | {
        "Handle": "brand-new", "Title": "Brand new", "Vendor": "Newcomer", "Type": "Novelties", "Variant Price": "5",
        "Published": "true", "Variant Inventory Qty": "3",
    }  # fmt: skip
    target = to / f"changed-{path.name}"
    with target.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, list(rows[0]))
        writer.writeheader()
        writer.writerows([*rows, extra])
    return target


@pytest.mark.parametrize("name", ["apparel", "home-and-garden", "jewelery"])
async def test_shopify_in_changed_applied_undone(bring_in, db, data, tmp_path, name):
    source = data / "shopify_csv" / f"{name}.csv"
    first = await bring_in(source)
    assert first.created > 10
    assert first.rejected == 0
    before = await everything(db)
    new = changed(source, tmp_path)
    tried = await bring_in(new, dry_run=True)
    assert await everything(db) == before
    assert (tried.created, tried.updated, tried.rejected) == (1, first.created, 0)
    added = [change for change in tried.changes if change.what == "added"]
    assert [change.external_id for change in added] == ["brand-new"]
    for change in tried.changes:
        fields = {field.field for field in change.fields}
        assert any(name.endswith(".price") for name in fields)
    applied = await bring_in(new)
    assert (applied.created, applied.updated) == (1, first.created)
    after = await everything(db)
    assert after["product"] != before["product"]
    async with db.tx() as tx:
        assert await broken(tx) == {}
        assert (await search.find(tx, search.Wanted(q="brand new"))).items[0].external_id == "brand-new"
        undone = await transfer.undo(tx, applied.run)
    assert (undone.restored, undone.removed, undone.archived) == (first.created, 1, 0)
    assert await everything(db) == before
    async with db.tx() as tx:
        assert await broken(tx) == {}
        with pytest.raises(transfer.CannotUndo):
            await transfer.undo(tx, applied.run)


async def test_a_shopify_product_has_its_variants_options_stock_and_pictures(bring_in, db, data):
    await bring_in(data / "shopify_csv" / "home-and-garden.csv")
    async with db.tx() as tx:
        page = await catalog.show(tx, "clay-plant-pot")
        variants = json.loads(bytes(page.variants))
        assert (page.brand, page.tags, page.options) == (
            "Company 123",
            ["Pot", "Plants"],
            {"Size": ["Regular", "Large"]},
        )
        assert [(v["sku"], v["price"]["amount"], v["available"]) for v in variants] == [
            ("clay-plant-pot-regular", 999, 1), ("clay-plant-pot-large", 1599, 3),
        ]  # fmt: skip
        assert page.description == "Classic blown clay pot for plants"
        assert len(json.loads(bytes(page.pictures))) == 2


async def test_what_was_sold_is_archived_and_what_was_changed_stops_an_undo(bring_in, db, tmp_path):
    file = tmp_path / "two.jsonl"
    file.write_text('{"sku": "A", "title": "A", "price": 1, "stock": 5}\n{"sku": "B", "title": "B", "price": 1}\n')
    run = (await bring_in(file)).run
    async with db.tx() as tx:
        await catalog.edit.change(tx, "a", catalog.edit.Changes(title="Mine"))
        with pytest.raises(transfer.CannotUndo):
            await transfer.undo(tx, run)
        await tx.execute(SELL, "B")
        undone = await transfer.undo(tx, run, force=True)
        assert (undone.restored, undone.removed, undone.archived) == (0, 1, 1)
        assert (await search.find(tx, search.Wanted())).items == []
        with pytest.raises(transfer.ImportNotFound):
            await transfer.undo(tx, new_id())


def new_id():
    from tfmshop.platform import ids

    return ids.new()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_what_is_exported_comes_back_the_same(bring_in, db, tmp_path, kind):
    async with db.tx() as tx:
        await some_products(
            tx,
            new_product(title="=HYPERLINK(1)", description="- a\n+ b", tags=["@x", "y"], model="-1"),
            new_product(title="'quoted", specifications={"watts": 4.5, "ok": True, "text": 'a,b"c'},
                        compare_at_price=9000),
            new_product(title="Shirt", variants=[
                catalog.NewVariant(sku="S", title="S", options={"size": "S"}, price=100, stock=2, weight_g=50,
                                   barcode="123"),
                catalog.NewVariant(sku="M", title="M", options={"size": "M"}, price=200, stock=0)], sku="S", price=100),
        )  # fmt: skip
    before = await everything(db)
    content = b"".join([piece async for _, piece in transfer.export(db, kind)])
    if kind == "csv":
        cells = [cell for row in csv.reader(io.StringIO(content.decode())) for cell in row]
        assert not [cell for cell in cells if cell[:1] in {"=", "+", "@"} or (cell[:1] == "-" and len(cell) > 1)]
    file = tmp_path / f"out.{kind}"
    file.write_bytes(content)
    tried = await bring_in(file, dry_run=True)
    assert (tried.created, tried.updated, tried.rejected, tried.changes) == (0, 3, 0, [])
    assert await everything(db) == before


async def test_a_real_tree_of_categories(db, data):
    content = gzip.decompress((data / "bestbuy_categories.json.gz").read_bytes())
    async with db.tx() as tx:
        tree = await transfer.trees.bring_in_tree(tx, content)
        assert tree.made > 4000
        assert tree.skipped < 10
        assert (await transfer.trees.bring_in_tree(tx, content)).made == 0
        assert await broken(tx) == {}
        assert len(await catalog.tree(tx)) > 5
        for wrong in (b"{}", b"[1]", b'[{"path": []}]', b'[{"path": [""]}]', b"[", b'[{"path": [{"id": 1}]}]'):
            with pytest.raises(transfer.CannotImport):
                await transfer.trees.bring_in_tree(tx, wrong)


async def test_stock_of_variants_is_set_again(bring_in, db, tmp_path):
    row = {"sku": "S", "external_id": "x", "title": "Shirt", "price": 100,
           "variants": [{"sku": "S", "price": 100, "stock": 2}, {"sku": "M", "price": 100, "stock": 3}]}  # fmt: skip
    for stock in (2, 7):
        row["variants"][1]["stock"] = stock
        file = tmp_path / f"{stock}.jsonl"
        file.write_text(json.dumps(row))
        await bring_in(file)
    async with db.tx() as tx:
        levels = {level.sku: level.available for level in await inventory.levels.listed(tx, 100, 10)}
    assert levels == {"S": 2, "M": 7}


async def test_undo_gives_back_no_stock_that_was_sold_and_keeps_sold_variants(bring_in, db, tmp_path):
    row = {"sku": "S", "external_id": "x", "title": "Shirt", "price": 100, "stock": 10}
    variants = [{"sku": "S", "price": 100, "stock": 10}, {"sku": "M", "price": 100, "stock": 3}]
    for name, changes in (("one", {}), ("two", {"title": "Shirt!"}), ("three", {"stock": None, "variants": variants})):
        file = tmp_path / f"{name}.jsonl"
        file.write_text(json.dumps(row | changes))
        run = (await bring_in(file)).run
        if name == "two":
            second = run
    async with db.tx() as tx:
        with pytest.raises(transfer.CannotUndo):
            await transfer.undo(tx, second)
        await inventory.set_level(tx, "S", 4)
        await tx.execute(SELL, "M")
        await tx.execute(Query("test.sold_m", "UPDATE inventory.stock SET available = 2 WHERE sku = 'M'"))
        await transfer.undo(tx, run)
        levels = {level.sku: level.available for level in await inventory.levels.listed(tx, 100, 10)}
        assert levels == {"S": 4, "M": 0}
        assert await broken(tx) == {}


async def test_pictures_have_an_address_and_no_script(bring_in, db, tmp_path):
    rows = [
        {"sku": f"S{n}", "title": "Lamp", "price": 1, "pictures": url}
        for n, url in enumerate(("https://x.example/a.jpg", "javascript:alert(1)", "data:text/html,x", "/a.jpg"))
    ]
    path = tmp_path / "products.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    outcome = await bring_in(path)
    assert (outcome.created, outcome.rejected) == (2, 2)
    assert all("picture" in problem.reason for problem in outcome.problems)


async def test_slugs_that_are_taken_twice_over_do_not_stop_an_import(bring_in, tmp_path, db):
    async with db.tx() as tx:
        await some_products(tx, new_product(title="Lamp"), new_product(title="Lamp 2"))
    file = tmp_path / "a.jsonl"
    file.write_text('{"sku": "2", "title": "Lamp", "price": 1}')
    assert (await bring_in(file)).created == 1


async def test_an_import_keeps_the_date_and_the_codes_of_what_it_does_not_name(bring_in, tmp_path, db):
    rows = [{"sku": "AB-1", "external_id": "x", "title": "Kit", "price": 1, "published_at": "2020-01-01T00:00:00Z",
             "variants": [{"sku": "AB-1", "price": 1, "barcode": "4006381333931"}, {"sku": "AB-2", "price": 1}]},
            {"sku": "AB-1", "external_id": "x", "title": "Kit", "price": 1}]  # fmt: skip
    for number, row in enumerate(rows):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(json.dumps(row))
        await bring_in(file)
    async with db.tx() as tx:
        page = await catalog.show(tx, "kit")
        assert page.published_at.year == 2020
        for code in ("AB-2", "4006381333931"):
            assert (await search.find(tx, search.Wanted(q=code))).total == 1


async def test_a_branch_that_moved_during_an_import_stays_whole(db):
    async with db.tx() as tx:
        loader = catalog.Loader()
        await loader.load(tx, [new_product(category=("A", "B")), new_product(category=("C",))])
        await catalog.arrange.move(tx, "a", "c")
        await loader.load(tx, [new_product(category=("C", "A", "B", "D"))])
        assert await broken(tx) == {}
        assert (await catalog.show_category(tx, "c")).product_count == 3


async def test_an_undo_waits_for_an_edit_and_then_sees_it(bring_in, wide_db, tmp_path):
    row = {"sku": "E", "external_id": "e", "title": "Easel", "price": 100}
    for title in ("Easel", "Easel of oak"):
        (tmp_path / "easel.jsonl").write_text(json.dumps(row | {"title": title}))
        run = (await bring_in(tmp_path / "easel.jsonl", into=wide_db)).run
    began = asyncio.Event()

    async def undo():
        await began.wait()
        await wide_db.transact(lambda tx: transfer.undo(tx, run))

    undoing = asyncio.create_task(undo())
    async with wide_db.tx() as tx:
        await catalog.edit.change(tx, "easel", catalog.edit.Changes(title="Easel of a member of staff"))
        began.set()
        await asyncio.sleep(0.2)
    with pytest.raises(transfer.CannotUndo, match="was changed since"):
        await undoing
    async with wide_db.read() as tx:
        assert [entry.title for entry in await catalog.keep.newest(tx, 5)] == ["Easel of a member of staff"]


async def test_undo_gives_back_the_stock_of_a_product_that_stood_twice_in_the_file(bring_in, db, tmp_path):
    row = {"sku": "T", "external_id": "t", "title": "Tea", "price": 100}
    (tmp_path / "old.jsonl").write_text(json.dumps(row | {"stock": 5}))
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row | {"stock": n}) + "\n" for n in (10, 20)))
    await bring_in(tmp_path / "old.jsonl")
    before = await everything(db)
    run = (await bring_in(tmp_path / "new.jsonl")).run
    async with db.tx() as tx:
        await transfer.undo(tx, run)
        assert [level.available for level in await inventory.levels.listed(tx, 100, 10)] == [5]
    assert (await everything(db))["stock"] == before["stock"]


async def test_what_another_product_has_now_stops_an_undo_with_a_reason(bring_in, db, tmp_path):
    def file(name: str, *rows: dict[str, object]) -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"price": 100, **row}) + "\n" for row in rows))
        return path

    await bring_in(file("one", {"sku": "OLD", "external_id": "a", "title": "A"}))
    run = (await bring_in(file("two", {"sku": "NEW", "external_id": "a", "title": "A"}))).run
    await bring_in(file("three", {"sku": "OLD", "external_id": "b", "title": "B"}))
    before = await everything(db)
    with pytest.raises(transfer.CannotUndo, match="SKU"):
        async with db.tx() as tx, tx.savepoint():
            await transfer.undo(tx, run, force=True)
    assert await everything(db) == before


async def test_a_price_list_changes_prices_and_nothing_else(bring_in, db, tmp_path):
    whole = {"sku": "W", "external_id": "w", "title": "Whole", "price": 100, "brand": "Brand", "category": "Home > All",
             "description": "Long.", "model": "W-1", "tags": ["a"], "pictures": ["https://example.com/w.jpg"],
             "specifications": {"depth": 3}, "compare_at_price": 500, "badge": "New", "stock": 4}  # fmt: skip
    (tmp_path / "whole.jsonl").write_text(json.dumps(whole))
    await bring_in(tmp_path / "whole.jsonl")
    prices = tmp_path / "prices.csv"
    prices.write_text("external_id,sku,title,price\nw,W,Whole,250\n")
    outcome = await bring_in(prices, dry_run=True)
    assert {field.field for product in outcome.changes for field in product.fields} == {"price", "variants.W.price"}
    await bring_in(prices)
    async with db.read() as tx:
        kept = await facts_of(tx, "whole")
        assert await broken(tx) == {}
    assert (kept["price"], kept["compare_at_price"]) == (250, 500)
    assert (kept["brand"], kept["category"]) == ("Brand", "Home > All")
    assert (kept["description"], kept["model"], kept["tags"], kept["badge"]) == ("Long.", "W-1", ["a"], "New")
    assert (kept["pictures"], kept["specifications.depth"]) == (["https://example.com/w.jpg"], 3)
    emptied = tmp_path / "emptied.csv"
    emptied.write_text("external_id,sku,title,price,brand,tags\nw,W,Whole,250,,\n")
    await bring_in(emptied)
    async with db.read() as tx:
        kept = await facts_of(tx, "whole")
    assert (kept["brand"], kept["tags"], kept["model"]) == (None, [], "W-1")


async def test_only_the_row_that_cannot_be_kept_is_left_out(bring_in, db, tmp_path):
    def variant(**changes: object) -> dict[str, object]:
        return {"variants": [{"sku": "V", "price": 1} | changes]}

    bad = [variant(sku=""), variant(sku="S" * 5000), variant(weight_g=-5), variant(weight_g=10**12),
           variant(compare_at_price=10**25), variant(stock=10**19), variant(barcode="9" * 9000),
           {"variants": [{"sku": "V", "price": 1}, {"sku": "V", "price": 2}]}, {"price": "1e999999"},
           {"price": "sNaN"}, {"published_at": "0001-01-01T00:00:00Z"},
           {"specifications": {"words": " ".join(f"word{n}" for n in range(200_000))}}]  # fmt: skip
    rows = [
        {"sku": f"R{n}", "external_id": f"r{n}", "title": f"Row {n}", "price": 100} | row for n, row in enumerate(bad)
    ]
    good = [{"sku": f"G{n}", "external_id": f"g{n}", "title": f"Good {n}", "price": 100} for n in range(20)]
    good[3]["variants"] = [{"sku": "N\0UL", "price": 100, "title": "a\0b", "barcode": "1\0", "options": {"a\0": "b\0"}}]
    mixed = [row for n in range(20) for row in (rows[n : n + 1] + good[n : n + 1])]
    (tmp_path / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mixed))
    tried = await bring_in(tmp_path / "mixed.jsonl", dry_run=True)
    outcome = await bring_in(tmp_path / "mixed.jsonl")
    for one in (tried, outcome):
        assert (one.created, one.rejected) == (len(good), len(bad)), one.problems
    async with db.read() as tx:
        assert len(await catalog.keep.newest(tx, 100)) == len(good)
        assert await broken(tx) == {}


async def test_a_tax_class_comes_in_goes_out_and_stays_where_nothing_is_said(bring_in, db, tmp_path):
    async def bring(**more: object) -> None:
        file = tmp_path / "books.jsonl"
        file.write_text(json.dumps({"sku": "BOOK", "external_id": "b", "title": "Book", "price": 900} | more))
        assert (await bring_in(file)).rejected == 0

    async def there() -> object:
        async with db.read() as tx:
            return await tx.value(TAX_CLASS)

    await bring()
    assert await there() == "standard"
    await bring(tax_class="books")
    assert await there() == "books"
    await bring(title="The book")
    assert await there() == "books"
    exported = b"".join([part async for _, part in transfer.export(db, "jsonl")])
    assert json.loads(exported)["tax_class"] == "books"


def test_a_file_of_categories_unpacks_to_no_more_than_is_said(tmp_path):
    file = tmp_path / "tree.json.gz"
    with gzip.open(file, "wb", compresslevel=9) as target:
        for _ in range(65):
            target.write(bytes(1 << 20))
    assert file.stat().st_size < 100_000
    with pytest.raises(transfer.CannotImport, match="more than 64 MiB"):
        transfer.trees.read_tree(file)
    for content in (b"no gzip", file.read_bytes()[:1000]):
        (tmp_path / "broken.gz").write_bytes(content)
        with pytest.raises(transfer.CannotImport, match="Cannot read"):
            transfer.trees.read_tree(tmp_path / "broken.gz")
    with pytest.raises(transfer.CannotImport, match="Cannot read"):
        transfer.trees.read_tree(tmp_path / "nowhere.json")
