"""Importing products: good rows in, bad rows named, twice is once, and on after a crash."""

from __future__ import annotations

import asyncio
import gzip
import json
import lzma
from itertools import islice
from pathlib import Path

import pytest

from tests.making import a_product, new_product
from tfmshop.commerce import catalog, inventory, search, transfer
from tfmshop.commerce.transfer import portions
from tfmshop.platform.db import Query, broken
from tfmshop.platform.files.rows import RowFile, UnknownFormat

COUNTS = Query(
    "test.counts", "SELECT count(*)::int, coalesce(sum(price), 0)::bigint, sum(version)::int FROM catalog.product"
)
STAGED = Query("test.staged", "SELECT count(*)::int FROM catalog.staged")
MAPPING = Path(__file__).parents[2] / "docs" / "mappings" / "icecat.toml"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Reject files land in the folder one is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(db):
    async def run(
        path: Path, mapping: str = "", *, dry_run: bool = False, progress=lambda *_: None
    ) -> transfer.Outcome:
        how = transfer.Mapping.read(mapping)
        job = transfer.Import(db, path, RowFile(path), how, "USD", dry_run=dry_run, progress=progress)
        return await job.run()

    return run


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lamp(n: int, **changes: object) -> dict[str, object]:
    plain = {"sku": f"L{n}", "external_id": f"l-{n}", "title": "Lamp", "price": 100 * n, "brand": "B", "stock": n}
    return plain | {"category": "A > B", "specifications": {"watts": 40.0, "ok": True}, "tags": ["x"]} | changes


async def test_good_rows_in_bad_rows_named(run, db, here):
    file = jsonl(
        here / "lamps.jsonl", lamp(1), lamp(2, price="12.5"), lamp(3, title=""), lamp(4), lamp(5, stock=-1),
        lamp(6, currency="dollars"), lamp(7, price=10**16), lamp(8, published_at="yesterday"), lamp(9, sku=["a"]),
        [1, 2], lamp(1, external_id="other"),
    )  # fmt: skip
    with file.open("a") as more:
        more.write('{"sku": broken\n\n')
    outcome = await run(file)
    assert (outcome.created, outcome.updated, outcome.rejected) == (2, 0, 10)
    rejects = [json.loads(line) for line in (here / "lamps.jsonl.rejects.jsonl").read_text().splitlines()]
    assert [reject["line"] for reject in rejects] == [2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    reasons = " / ".join(reject["reason"] for reject in rejects)
    for words in ("minor units", "title is missing", "stock is not", "ISO 4217", "out of range", "ISO 8601",
                  "sku is not text", "not a JSON object", "belongs to another product", "not JSON"):  # fmt: skip
        assert words in reasons
    assert json.loads(rejects[0]["row"])["price"] == "12.5"
    async with db.read() as tx:
        assert tuple(await tx.row(COUNTS)) == (2, 500, 2)
        assert await tx.value(STAGED) == 0
        assert await broken(tx) == {}
        page = await catalog.show(tx, "lamp-l-4")
    assert page.sku == "L4"


async def test_the_same_file_again_updates(run, db, here):
    file = jsonl(here / "lamps.jsonl", *[lamp(n) for n in range(1, 1201)])
    assert (await run(file)).created == 1200
    changed = jsonl(here / "lamps2.jsonl", *[lamp(n, price=1) for n in range(1, 1201)], lamp(1201))
    outcome = await run(changed)
    assert (outcome.created, outcome.updated, outcome.rejected) == (1, 1200, 0)
    async with db.read() as tx:
        assert tuple(await tx.row(COUNTS)) == (1201, 1200 + 120100, 2401)
        assert await broken(tx) == {}


async def test_an_import_goes_on_after_a_crash(run, db, here, monkeypatch):
    file = jsonl(here / "lamps.jsonl", *[lamp(n, price=-1 if n == 3 else n) for n in range(1, 31)])
    monkeypatch.setattr(portions, "BATCH", 10)
    batches = []

    def crash(*_: object) -> None:
        batches.append(1)
        if len(batches) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(file, progress=crash)
    async with db.read() as tx:
        assert (await tx.row(COUNTS))[0] == 19
    outcome = await run(file)
    assert (outcome.resumed_after_line, outcome.created, outcome.updated, outcome.rejected) == (20, 10, 0, 0)
    assert len((here / "lamps.jsonl.rejects.jsonl").read_text().splitlines()) == 1
    async with db.read() as tx:
        assert (await tx.row(COUNTS))[0] == 29
    assert (await run(file)).resumed_after_line == 0


async def test_one_file_imported_twice_at_once_is_imported_once(run, wide_db, here, monkeypatch):
    file = jsonl(here / "lamps.jsonl", *[lamp(n) for n in range(1, 41)])
    monkeypatch.setattr(portions, "BATCH", 10)

    async def one() -> transfer.Outcome:
        job = transfer.Import(
            wide_db, file, RowFile(file), transfer.Mapping.read(""), "USD", dry_run=False, progress=lambda *_: None
        )
        return await job.run()

    outcomes = await asyncio.gather(one(), one(), return_exceptions=True)
    done = [one for one in outcomes if isinstance(one, transfer.Outcome)]
    stopped = [one for one in outcomes if isinstance(one, transfer.errors.TakenOver)]
    assert (len(done), len(stopped)) == (1, 1)
    assert "another command" in str(stopped[0])
    async with wide_db.read() as tx:
        assert tuple(await tx.row(COUNTS)) == (40, 100 * sum(range(1, 41)), 40)
    async with wide_db.tx() as tx:
        assert (await transfer.undo(tx, done[0].run)).removed == 40


async def test_specifications_are_what_their_attributes_say(run, db, here):
    async with db.tx() as tx:
        await catalog.attributes.define(tx, None, catalog.attributes.Definition("watts", "Power", "number", "W"))
    file = jsonl(here / "lamps.jsonl", lamp(1), lamp(2, specifications={"watts": "0.06 kW"}),
                 lamp(3, specifications={"watts": "bright"}))  # fmt: skip
    outcome = await run(file)
    assert (outcome.created, outcome.rejected) == (2, 1)
    assert "expected a number in W, not 'bright'" in outcome.problems[0].reason
    async with db.read() as tx:
        (found,) = (await search.find(tx, search.Wanted(specifications={"watts": "60"}))).items
        assert found.sku == "L2"


async def test_a_dry_run_writes_nothing(run, db, here):
    file = jsonl(here / "lamps.jsonl", *[lamp(n) for n in range(1, 1101)], lamp(0, price="x"))
    outcome = await run(file, dry_run=True)
    assert (outcome.created, outcome.rejected, outcome.rejects_file) == (1100, 1, None)
    assert [path.name for path in here.iterdir()] == ["lamps.jsonl"]
    async with db.read() as tx:
        assert (await tx.row(COUNTS))[0] == 0


async def test_csv_with_a_mapping(run, db, here):
    file = here / "goods.csv.gz"
    text = '\ufeffCode,Name,Cost,Kind,size_cm,"Notes"\n'
    text += 'A-1,"Vase, tall",12.50,Home > Vases,30.5,"two\nlines"\nA-2,Bowl,x,,1,\nA-3,Cup\n'
    file.write_bytes(gzip.compress(text.encode()))
    mapping = """
        [fields]
        sku = "Code"
        title = "Name"
        price = "Cost"
        category = ["Kind"]
        description = "Notes"
        stock = "=7"
        [options]
        price_unit = "major"
        [specifications]
        size_ = "number"
    """
    outcome = await run(file, mapping)
    assert (outcome.created, [(p.line, p.reason) for p in outcome.problems]) == (
        1, [(4, "Cost is not a number: 'x'"), (5, "Cost is missing")],
    )  # fmt: skip
    async with db.read() as tx:
        listed = await search.find(tx, search.Wanted(category="vases"))
    assert (listed.items[0].price.amount, listed.items[0].in_stock) == (1250, True)


@pytest.mark.parametrize(
    "mapping", ["[fields]\nskuu = 'x'", "[options]\nprice_unit = 'cents'", "[specifications]\na_ = 'date'", "nonsense"]
)
def test_mappings_that_make_no_sense(mapping):
    with pytest.raises(transfer.BadImport):
        transfer.Mapping.read(mapping)


async def test_broken_files(run, here):
    with pytest.raises(UnknownFormat):
        RowFile(jsonl(here / "lamps.txt"))
    cut = here / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b"".join(json.dumps(lamp(n)).encode() + b"\n" for n in range(2000)))[:-500])
    with pytest.raises(transfer.CannotImport, match="broken after line"):
        await run(cut)


async def test_control_characters_and_strange_text_are_kept_out_of_the_database(run, db, here):
    file = jsonl(here / "odd.jsonl", lamp(1, title="a\u0000b\u0007c", brand="Ünïcode 株式会社"))
    assert (await run(file)).created == 1
    async with db.read() as tx:
        listed = await search.find(tx, search.Wanted())
    assert (listed.items[0].title, listed.items[0].brand) == ("abc", "Ünïcode 株式会社")


async def test_a_dry_run_tells_what_the_real_one_does(run, db, here):
    rows = [lamp(n) for n in range(1, 601)] + [lamp(601, sku="L1"), lamp(1, price=7)]
    file = jsonl(here / "lamps.jsonl", *rows)
    dry = await run(file, dry_run=True)
    real = await run(file)
    assert (dry.created, dry.updated, dry.rejected) == (real.created, real.updated, real.rejected) == (600, 1, 1)


async def test_text_that_is_not_utf8_is_rejected(run, here):
    (here / "a.csv").write_bytes("sku,title,price\n1,Café,100\n".encode("latin-1") + b"2,Tea,100\n")
    (here / "b.jsonl").write_bytes(json.dumps(lamp(1)).encode() + b'\n{"sku": "x\xff"}\n')
    (here / "c.csv").write_bytes("sku,title,price,Größe\n1,Tea,100,x\n2,Caf\xe9,1,x\n".encode("latin-1"))
    for name, line in (("a.csv", 2), ("b.jsonl", 2), ("c.csv", 3)):
        outcome = await run(here / name)
        assert outcome.created + outcome.updated == 1
        assert [(p.line, p.reason) for p in outcome.problems] == [(line, "not UTF-8 text")]


async def test_a_csv_without_the_needed_columns_says_so(run, here):
    (here / "a.csv").write_text("sku;title;price\n1;Tea;100\n")
    with pytest.raises(transfer.CannotImport, match="no column 'sku'; the columns are: sku;title;price"):
        await run(here / "a.csv")


async def test_dates_beyond_the_calendar_are_rejected(run, here):
    file = jsonl(here / "l.jsonl", lamp(1), lamp(2, published_at="0001-01-01T00:00:00+14:00"),
                 lamp(3, published_at="9999-12-31T23:59:59-14:00"))  # fmt: skip
    outcome = await run(file)
    assert (outcome.created, [p.line for p in outcome.problems]) == (1, [2, 3])


async def test_brands_and_categories_that_share_letters_stay_apart(run, db, here):
    names = ["Ёлка", "索尼", "C", "C++", "c++ "]
    await run(jsonl(here / "l.jsonl", *[lamp(n, brand=name, category=name) for n, name in enumerate(names, 1)]))
    async with db.read() as tx:
        brands = {item.sku: item.brand for item in (await search.find(tx, search.Wanted())).items}
        plus = await search.find(tx, search.Wanted(brand="C++"))
        by_slug = await search.find(tx, search.Wanted(brand="c"))
        tree = await catalog.tree(tx)
    assert brands == {"L1": "Ёлка", "L2": "索尼", "L3": "C", "L4": "C++", "L5": "C++"}
    assert {item.sku for item in plus.items} == {"L4", "L5"}
    assert {item.sku for item in by_slug.items} == {"L3"}
    assert sorted((branch.name, branch.product_count) for branch in tree) == [
        ("C", 1),
        ("C++", 2),
        ("Ёлка", 1),
        ("索尼", 1),
    ]


async def test_importing_while_stock_is_set(wide_db, here):
    async def bring_in(number: int) -> transfer.Outcome:
        file = jsonl(here / f"{number}.jsonl", *[lamp(n, stock=n + number) for n in range(1, 301)])
        how = transfer.Mapping()
        job = transfer.Import(wide_db, file, RowFile(file), how, "USD", dry_run=False, progress=lambda *_: None)
        return await job.run()

    async def set_stock(n: int) -> None:
        await wide_db.transact(lambda tx: inventory.set_level(tx, f"L{n % 300 + 1}", n))

    both = await asyncio.gather(bring_in(0), bring_in(2))
    assert sum(outcome.created for outcome in both) == 300
    await asyncio.gather(bring_in(1), *[set_stock(n) for n in range(0, 900, 7)])
    async with wide_db.read() as tx:
        assert await broken(tx) == {}


async def test_slugs_stay_unique_and_categories_are_shared(db):
    async with db.tx() as tx:
        loader = catalog.Loader()
        first = new_product(title="Same name", category=("A", "Chairs"))
        await loader.load(tx, [first, new_product(title="Same name!", category=("B", "Chairs"))])
        await a_product(tx, title="Same name", category=("A", "Chairs"))
        items = (await search.find(tx, search.Wanted())).items
        tree = await catalog.tree(tx)
    assert len({item.slug for item in items}) == 3
    assert "same-name" in {item.slug for item in items}
    assert {(b.slug, b.product_count, tuple(c.slug for c in b.children)) for b in tree} == {
        ("a", 2, ("chairs",)), ("b", 1, ("b-chairs",)),
    }  # fmt: skip


async def test_the_first_of_icecat(run, db, here, data):

    with lzma.open(data / "icecat_products.jsonl.xz") as source:
        rows = [json.loads(line) for line in islice(source, 1500)]
    file = jsonl(here / "icecat.jsonl", *rows)
    outcome = await run(file, MAPPING.read_text())
    assert (outcome.created, outcome.rejected) == (1500, 0)
    given = sum(key.startswith("attr_") for row in rows for key in row)
    count = Query(
        "test.specifications",
        "SELECT sum((SELECT count(*) FROM jsonb_object_keys(specifications)))::int FROM catalog.product",
    )
    async with db.read() as tx:
        assert await tx.value(count) == given
        found = await search.find(tx, search.Wanted(q="xerox toner"))
        by_attribute = await search.find(tx, search.Wanted(specifications={"printing_colours": "Black"}))
        assert await broken(tx) == {}
    assert found.total > 5
    assert by_attribute.total > 5
