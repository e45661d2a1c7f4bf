"""Files of products over HTTP: tried, looked at, applied, taken back; and the catalogue as a stream."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import json
from uuid import UUID

import pytest

from tests.commerce.test_transfer import everything
from tests.journeys.test_money import work_off
from tests.making import a_product
from tests.surface.test_backoffice import staff
from tfmshop.commerce import transfer
from tfmshop.commerce.transfer import jobs
from tfmshop.commerce.transfer.bring_in import Import
from tfmshop.commerce.transfer.run import ImportRun
from tfmshop.platform import codec
from tfmshop.platform.db import Query, broken
from tfmshop.platform.jobs import queue

CSV = {"Content-Type": "text/csv"}
TWO = b"sku,title,price,stock\nA,Lamp,1000,5\nB,Shade,500,7\nC,,1,1\n"
RUNS = Query("test.runs", "SELECT count(*) FROM transfer.import_run")
AGAIN = Query("test.again", "UPDATE transfer.staged SET state = 'applying' WHERE id = $1")
OLD = Query("test.old_files", "UPDATE transfer.staged SET changed_at = now() - interval '8 days'")


async def send(shop, content: bytes, name: str = "products.csv", **query: str):
    headers = staff("catalog_manager") | CSV
    return await shop.post("admin/imports", params={"file": name} | query, content=content, headers=headers)


async def after(shop, db, id: str, step: str = "", **query: str):
    """The import after a step, whose jobs ran twice."""
    if step:
        answer = await shop.post(f"admin/imports/{id}/{step}", params=query, headers=staff())
        assert answer.status_code == 202, answer.text
    await work_off(db)
    return (await shop.get(f"admin/imports/{id}", headers=staff())).json()


async def test_a_file_is_tried_applied_and_taken_back(shop, db):
    before = await everything(db)
    answer = await send(shop, TWO)
    assert (answer.status_code, answer.json()["state"], answer.json()["size"]) == (202, "trying", len(TWO))
    id = answer.json()["id"]
    for step in ("apply", "undo"):
        early = await shop.post(f"admin/imports/{id}/{step}", headers=staff())
        assert (early.status_code, early.json()["code"]) == (409, "import_not_ready")
        assert "trying" in early.json()["detail"]
    found = await after(shop, db, id)
    assert (found["state"], found["done"], found["why"]) == ("tried", len(TWO), None)
    tried = found["tried"]
    assert (tried["created"], tried["updated"], tried["rejected"]) == (2, 0, 1)
    assert [problem["line"] for problem in tried["problems"]] == [4]
    assert {change["sku"]: change["what"] for change in tried["changes"]} == {"A": "added", "B": "added"}
    assert await everything(db) == before

    applied = await after(shop, db, id, "apply")
    assert (applied["state"], applied["created"], applied["rejected"]) == ("applied", 2, 1)
    assert {item["title"] for item in (await shop.get("products")).json()["items"]} == {"Lamp", "Shade"}
    twice = await shop.post(f"admin/imports/{id}/apply", headers=staff())
    assert (twice.status_code, twice.json()["code"]) == (409, "import_not_ready")

    undone = await after(shop, db, id, "undo")
    assert (undone["state"], undone["undone"]) == ("undone", {"restored": 0, "removed": 2, "archived": 0})
    now = await everything(db)
    assert now["product"] == before["product"]
    async with db.tx() as tx:
        assert await broken(tx) == {}
    listed = (await shop.get("admin/imports", headers=staff())).json()
    assert [(one["id"], one["state"]) for one in listed["items"]] == [(id, "undone")]
    log = (await shop.get("admin/audit", headers=staff())).json()["items"]
    assert [one["action"] for one in log] == ["imports.undo", "imports.apply", "imports.send"]


@pytest.mark.parametrize("name", ["apparel", "home-and-garden", "jewelery"])
async def test_a_shopify_file_comes_over_http_as_by_command(shop, db, data, name):
    content = (data / "shopify_csv" / f"{name}.csv").read_bytes()
    before = await everything(db)
    id = (await send(shop, content)).json()["id"]
    assert (await after(shop, db, id))["tried"]["rejected"] == 0
    assert (await after(shop, db, id, "apply"))["created"] > 10
    assert (await after(shop, db, id, "undo"))["state"] == "undone"
    assert (await everything(db))["product"] == before["product"]


async def test_what_was_applied_when_the_runner_died_is_not_applied_again(shop, db):
    id = (await send(shop, TWO)).json()["id"]
    await after(shop, db, id)
    await after(shop, db, id, "apply")
    async with db.tx() as tx:
        await tx.execute(AGAIN, id)
    await jobs.step(db, codec.encode(id))
    async with db.read() as tx:
        assert await tx.value(RUNS) == 1
    shown = (await shop.get(f"admin/imports/{id}", headers=staff())).json()
    assert (shown["state"], shown["created"], shown["updated"]) == ("applied", 2, 0)


async def test_an_import_that_was_cut_off_goes_on_as_itself(shop, db, monkeypatch):
    rows = b"".join(b'{"sku": "S%d", "title": "T", "price": 1}\n' % n for n in range(1200))
    id = (await send(shop, rows, "many.jsonl")).json()["id"]
    await after(shop, db, id)
    await shop.post(f"admin/imports/{id}/apply", headers=staff())
    flush, batches = Import._flush, []

    async def dies(self) -> None:
        if len(batches) == 1:
            raise asyncio.CancelledError
        batches.append(1)
        await flush(self)

    monkeypatch.setattr(Import, "_flush", dies)
    with pytest.raises(asyncio.CancelledError):
        await jobs.step(db, codec.encode(id))
    shown = (await shop.get(f"admin/imports/{id}", headers=staff())).json()
    assert (shown["state"], shown["created"]) == ("applying", 500)
    monkeypatch.setattr(Import, "_flush", flush)
    shown = await after(shop, db, id)
    assert (shown["state"], shown["created"], shown["updated"]) == ("applied", 1200, 0)
    assert (await after(shop, db, id, "undo"))["undone"]["removed"] == 1200


async def staged(db, id):
    async with db.read() as tx:
        return await tx.row(jobs.TO_DO, id)


async def test_a_broken_file_says_so_and_cannot_go_in(shop, db):
    whole = gzip.compress(TWO * 2000)
    id = (await send(shop, whole[: len(whole) // 2], "products.csv.gz")).json()["id"]
    failed = await after(shop, db, id)
    assert failed["state"] == "failed"
    assert "is broken after line" in failed["why"]
    assert (await shop.post(f"admin/imports/{id}/apply", headers=staff())).json()["code"] == "import_not_ready"


async def test_a_small_file_that_is_huge_unpacked_fills_nothing(shop, db, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_UNPACKED", 50 << 20)
    for name in ("bomb.csv.bz2", "bomb.jsonl.bz2"):
        bomb = bz2.compress(b"sku,title,price\n" + (b" " * 1000 + b"\n") * (60 << 10))
        assert len(bomb) < 20_000
        found = await after(shop, db, (await send(shop, bomb, name)).json()["id"])
        assert found["state"] == "failed"
        assert "more than 52,428,800 bytes" in found["why"]


async def test_taking_back_what_was_changed_since_needs_force(shop, db):
    id = (await send(shop, TWO)).json()["id"]
    await after(shop, db, id)
    await after(shop, db, id, "apply")
    await shop.patch("admin/products/lamp", json={"title": "Better lamp"}, headers=staff())
    kept = await after(shop, db, id, "undo")
    assert kept["state"] == "applied"
    assert "was changed since" in kept["why"]
    assert (await after(shop, db, id, "undo", force="true"))["state"] == "undone"


async def test_one_file_goes_in_once_at_a_time(shop, db):
    second = (await send(shop, TWO)).json()["id"]
    await after(shop, db, second)
    fingerprint = hashlib.sha256(codec.encode(transfer.Mapping()) + TWO).hexdigest()
    async with db.tx() as tx:
        await ImportRun.start(tx, fingerprint, "products.csv")
    failed = await after(shop, db, second, "apply")
    assert failed["state"] == "failed"
    assert "is being imported as" in failed["why"]


async def test_columns_of_other_names_need_a_mapping(shop, db):
    rows = b"Code,Name,Cost\nX,Thing,19.99\n"
    mapping = '[fields]\nsku = "Code"\ntitle = "Name"\nprice = "Cost"\n[options]\nprice_unit = "major"\n'
    without = await after(shop, db, (await send(shop, rows)).json()["id"])
    assert (without["state"], "There is no column" in without["why"]) == ("failed", True)
    found = await after(shop, db, (await send(shop, rows, mapping=mapping)).json()["id"])
    assert found["tried"]["created"] == 1
    assert {f["field"]: f["after"] for f in found["tried"]["changes"][0]["fields"]}["price"] == 1999


@pytest.mark.parametrize(
    "mapping",
    ["a = " + "[" * 1500, "[fields]\nsku = 1", "x = 1", "\x01", "x = " + "1" * 5000, '[options]\nlist_separator = ""'],
)
async def test_a_mapping_that_cannot_be_used_is_refused(shop, mapping):
    answer = await send(shop, TWO, mapping=mapping)
    assert (answer.status_code, answer.json()["code"]) == (409, "bad_mapping")


@pytest.mark.parametrize(
    "name", ["", "products", "products.xls", "../products.csv", "a/b.csv", "a" * 200 + ".csv", ".csv"]
)
async def test_the_name_says_what_the_file_is(shop, name):
    answer = await send(shop, TWO, name)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_file_comes_as_what_it_is(shop):
    answer = await shop.post("admin/imports?file=a.csv", json={}, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "text/csv" in answer.json()["detail"]


async def test_files_are_forgotten_and_what_they_did_is_not(shop, db):
    id = (await send(shop, TWO)).json()["id"]
    await after(shop, db, id)
    async with db.tx() as tx:
        await tx.execute(OLD)
    await jobs.forget_files(db)
    async with db.read() as tx:
        assert await tx.value(jobs.CONTENT, id) is None
    answer = await shop.post(f"admin/imports/{id}/apply", headers=staff())
    assert answer.json()["code"] == "import_not_ready"
    assert (await after(shop, db, id))["state"] == "tried"


async def test_the_export_is_what_the_command_writes_and_comes_back_in(shop, db):
    async with db.tx() as tx:
        for number in range(3):
            await a_product(tx, sku=f"S{number}", title=f"Thing {number}")
    for format in ("csv", "jsonl"):
        whole = b"".join([piece async for _, piece in transfer.export(db, format)])
        answer = await shop.get(f"admin/exports/products?format={format}", headers=staff("catalog_manager"))
        assert answer.content == whole
        assert answer.headers["content-type"].partition(";")[0] == {"csv": "text/csv"}.get(
            format, "application/x-ndjson"
        )
        assert answer.headers["content-disposition"] == f'attachment; filename="products.{format}"'
        head = await shop.head(f"admin/exports/products?format={format}", headers=staff())
        assert (head.status_code, head.content) == (200, b"")
    found = await after(shop, db, (await send(shop, whole, "again.jsonl")).json()["id"])
    assert (found["tried"]["updated"], found["tried"]["changes"]) == (3, [])


async def test_differences_are_kept_up_to_a_bound(shop, db):
    rows = b"".join(
        json.dumps({"sku": f"S{n}", "title": "T", "price": 1, "description": "x" * 60_000}).encode() + b"\n"
        for n in range(100)
    )
    found = await after(shop, db, (await send(shop, gzip.compress(rows), "long.jsonl.gz")).json()["id"])
    assert found["tried"]["created"] == 100
    assert 60 <= len(found["tried"]["changes"]) < 100


async def test_a_step_that_ends_late_changes_nothing_that_came_since(shop, db):
    """A job whose runner seemed dead runs twice; the slower one finds the import further than it knows."""
    id = (await send(shop, TWO)).json()["id"]
    late = await staged(db, id)
    await after(shop, db, id)
    await after(shop, db, id, "apply")
    await jobs._try(db, UUID(id), late)
    shown = (await shop.get(f"admin/imports/{id}", headers=staff())).json()
    assert (shown["state"], shown["created"]) == ("applied", 2)
    assert (await after(shop, db, id, "undo"))["state"] == "undone"


async def test_what_is_taken_over_is_left_to_the_other(shop, db, monkeypatch):
    id = (await send(shop, TWO)).json()["id"]
    await after(shop, db, id)
    await shop.post(f"admin/imports/{id}/apply", headers=staff())
    note = ImportRun.note

    async def ahead(self, tx, before) -> None:
        await note(self, tx, before)
        await note(self, tx, before)

    monkeypatch.setattr(ImportRun, "note", ahead)
    with pytest.raises(transfer.errors.TakenOver):
        await jobs.step(db, codec.encode(id))
    assert (await shop.get(f"admin/imports/{id}", headers=staff())).json()["state"] == "applying"
    monkeypatch.setattr(ImportRun, "note", note)
    assert (await after(shop, db, id))["created"] == 2


async def test_a_mistake_of_ours_ends_the_step(shop, db, monkeypatch):
    async def mistaken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "_run", mistaken)
    found = await after(shop, db, (await send(shop, TWO)).json()["id"])
    assert (found["state"], "ZeroDivisionError" in found["why"]) == ("failed", True)


@pytest.mark.parametrize(("name", "content", "rejected"), [
    ("字" * 50 + ".csv", TWO, 1),
    ("x.jsonl", b'{"sku": "A", "title": "T", "price": 1, "n_size": 1' + b"0" * 400 + b"}\n", 1),
])  # fmt: skip
async def test_odd_files_are_tried_as_others_are(shop, db, name, content, rejected):
    mapping = '[specifications]\nn_ = "number"'
    found = await after(shop, db, (await send(shop, content, name, mapping=mapping)).json()["id"])
    assert (found["state"], found["why"]) == ("tried", None)
    assert found["tried"]["rejected"] == rejected


@pytest.mark.parametrize("content", [
    b'sku,title,price\nA,"' + b"x\n" * (3 << 20) + b'",1\n',
    b"sku,title,price\nA," + b"x" * (5 << 20) + b"\nEVIL,T,1\n",
])  # fmt: skip
async def test_a_row_without_end_ends_the_file(shop, db, content):
    found = await after(shop, db, (await send(shop, gzip.compress(content), "x.csv.gz")).json()["id"])
    assert found["state"] == "failed"
    assert "a row is longer than 4,194,304 characters" in found["why"]


async def test_reasons_are_short(shop, db):
    rows = b"sku,title," + b"p" * 100_000 + b"\n" + b"A,T,x\n" * 50
    mapping = f'[fields]\nprice = "{"p" * 100}"'
    found = await after(shop, db, (await send(shop, rows, mapping=mapping)).json()["id"])
    assert all(len(problem["reason"]) <= 500 for problem in found["tried"]["problems"])
    assert found["tried"]["rejected"] == 50


async def test_nobody_waits_while_a_file_of_nothing_is_read(shop, db):
    content = bz2.compress(b"\n" * (8 << 20))
    id = (await send(shop, content, "empty.csv.bz2")).json()["id"]
    waits: list[float] = []

    async def watch() -> None:
        while True:
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            waits.append(asyncio.get_running_loop().time() - began)

    watching = asyncio.create_task(watch())
    found = await after(shop, db, id)
    watching.cancel()
    assert found["state"] == "tried"
    assert len(waits) > 20


async def test_taking_back_brings_a_variant_back_that_was_taken_out(shop, db):
    first = (await send(shop, TWO)).json()["id"]
    await after(shop, db, first)
    await after(shop, db, first, "apply")
    second = (await send(shop, b"sku,title,price\nA,Lamp,1100\n")).json()["id"]
    await after(shop, db, second)
    await after(shop, db, second, "apply")
    variant = {"sku": "N", "price": 1}
    assert (await shop.post("admin/products/lamp/variants", json=variant, headers=staff())).status_code == 201
    assert (await shop.delete("admin/variants/A", headers=staff())).status_code == 204
    assert (await after(shop, db, second, "undo", force="true"))["state"] == "undone"
    page = (await shop.get("products/lamp")).json()
    assert [(v["sku"], v["price"]["amount"]) for v in page["variants"]] == [("A", 1000)]
    async with db.tx() as tx:
        assert await broken(tx) == {}


async def test_a_sheet_that_is_changed_beside_its_variants_says_so(shop, db):
    variants = b'"[{""sku"": ""A"", ""price"": 5}, {""sku"": ""B"", ""price"": 6}]"'
    rows = b"sku,title,price,stock,variants\nA,T,%s,%s," + variants + b"\n"
    for price, stock, rejected in ((b"5", b"", 0), (b"7", b"", 1), (b"5", b"3", 1)):
        found = await after(shop, db, (await send(shop, rows % (price, stock))).json()["id"])
        assert found["tried"]["rejected"] == rejected


async def test_columns_that_say_nothing_are_told(shop, db):
    found = await after(shop, db, (await send(shop, b"sku,title,price,stok\nA,T,1,5\n")).json()["id"])
    assert found["tried"]["unused"] == ["stok"]
    found = await after(shop, db, (await send(shop, b"sku;title;price\nA;T;1\n")).json()["id"])
    assert found["why"].endswith("Are they apart by ';'? It takes commas.")


async def test_a_refused_undo_keeps_what_was_told(shop, db):
    id = (await send(shop, TWO)).json()["id"]
    await after(shop, db, id)
    was = await after(shop, db, id, "apply")
    await shop.patch("admin/products/lamp", json={"title": "Better lamp"}, headers=staff())
    now = await after(shop, db, id, "undo")
    assert (now["applied"], now["done"]) == (was["applied"], was["done"])
    assert now["applied"]["created"] == 2


async def test_a_row_that_is_nothing_but_signs_takes_no_time(shop, db):
    rows = b"Handle,Title,Body (HTML),Variant Price\n" + b"".join(
        b"h%d,T,%s,1\n" % (n, b"<" * 90_000) for n in range(20)
    )
    found = await after(shop, db, (await send(shop, gzip.compress(rows), "signs.csv.gz")).json()["id"])
    assert found["tried"]["created"] == 20


async def test_rows_that_repeat_a_product_need_no_transaction_each_to_be_tried(shop, db, queries):
    id = (await send(shop, b"sku,title,price\n" + b"A,T,1\n" * 2000)).json()["id"]
    queries.clear()
    found = await after(shop, db, id)
    assert (found["tried"]["created"], found["tried"]["updated"]) == (1, 1999)
    assert len(queries.names) < 100


async def test_a_step_takes_so_long_at_most(shop, db, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_SECONDS", -1)
    found = await after(shop, db, (await send(shop, TWO)).json()["id"])
    assert (found["state"], "It takes more than" in found["why"]) == ("failed", True)


async def test_a_runner_that_stops_leaves_an_import_to_the_next(shop, db):
    id = (await send(shop, TWO)).json()["id"]
    queue.stop()
    try:
        with pytest.raises(queue.Stopping):
            await jobs.step(db, codec.encode(id))
    finally:
        queue.stop(False)
    assert (await shop.get(f"admin/imports/{id}", headers=staff())).json()["state"] == "trying"
    assert (await after(shop, db, id))["state"] == "tried"


async def test_what_a_file_is_called_in_utf_16_is_told_in_letters(shop, db):
    found = await after(shop, db, (await send(shop, "sku,title,price\nA,T,1\n".encode("utf-16"))).json()["id"])
    assert found["state"] == "failed"
    assert "There is no column 'sku'" in found["why"]


async def test_long_differences_do_not_fill_the_memory(shop, db):
    row = json.dumps({"sku": "S%d", "title": "T", "price": 1, "specifications": {"a": "x" * 1_000_000}})
    rows = "\n".join(row.replace("%d", str(n)) for n in range(20)).encode()
    found = await after(shop, db, (await send(shop, gzip.compress(rows), "long.jsonl.gz")).json()["id"])
    assert found["tried"]["rejected"] + found["tried"]["created"] == 20
    assert len(found["tried"]["changes"]) <= 4


async def test_what_went_in_is_applied_whatever_comes_after(shop, db, monkeypatch):
    id = (await send(shop, TWO)).json()["id"]
    await after(shop, db, id)

    def mistaken(_):
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "told", mistaken)
    assert (await after(shop, db, id, "apply"))["state"] == "applied"
    monkeypatch.undo()
    assert (await after(shop, db, id, "undo"))["state"] == "undone"


async def test_an_undo_shows_what_is_in_stock_then(shop, db):
    first = (await send(shop, b"sku,title,price,stock\nA,Lamp,1,0\n")).json()["id"]
    await after(shop, db, first)
    await after(shop, db, first, "apply")
    variants = '[{""sku"": ""A"", ""price"": 1}, {""sku"": ""N"", ""price"": 1, ""stock"": 5}]'
    second = (await send(shop, f'sku,title,price,variants\nA,Lamp,1,"{variants}"\n'.encode())).json()["id"]
    await after(shop, db, second)
    await after(shop, db, second, "apply")
    assert (await shop.get("products?in_stock=true")).json()["total"] == 1
    await shop.put("admin/stock", json={"items": [{"sku": "N", "units": 9}]}, headers=staff())
    assert (await after(shop, db, second, "undo"))["state"] == "undone"
    assert (await shop.get("products?in_stock=true")).json()["total"] == 0


async def test_options_that_differ_in_signs_have_skus_that_differ(shop, db):
    rows = "Handle,Title,Option1 Name,Option1 Value,Variant Price\n" + "".join(
        f"shirt,Shirt,Colour,{value},5\n" for value in ("红", "蓝", "C", "C++")
    )
    found = await after(shop, db, (await send(shop, rows.encode())).json()["id"])
    assert (found["tried"]["rejected"], found["tried"]["created"]) == (0, 1)
    await after(shop, db, found["id"], "apply")
    skus = [v["sku"] for v in (await shop.get("products/shirt")).json()["variants"]]
    assert skus == ["shirt", "shirt-2", "shirt-c", "shirt-c-2"]
