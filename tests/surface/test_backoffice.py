"""What staff do over HTTP: products, pictures, reviews, synonyms; and who may not."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import time

import httpx
import pytest
from PIL import Image

from tests.making import a_product, take_money
from tests.processes import free_port
from tests.servers import STAFF
from tfmshop.commerce import catalog, search
from tfmshop.commerce.reviews.jobs import moderated
from tfmshop.platform import codec, ids
from tfmshop.platform.db import broken
from tfmshop.platform.files import images
from tfmshop.platform.files.objects import FilesUnavailable, ObjectFiles
from tfmshop.platform.security.access import AccessTokens, Viewer


def staff(role: str = "admin") -> dict[str, str]:
    token = AccessTokens("a secret of the tests, long enough").issue(Viewer(STAFF[role][0], role, STAFF[role][1], True))
    return {"Authorization": f"Bearer {token}"}


def picture(kind: str = "PNG", size: tuple[int, int] = (900, 600), **options) -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(target, kind, **options)
    return target.getvalue()


async def test_a_product_is_changed_only_at_the_version_that_was_read(shop, db):
    async with db.tx() as tx:
        id = await a_product(tx, title="Lamp")
    version = (await shop.get(f"products/{id}")).json()["version"]
    headers = staff("catalog_manager") | {"If-Match": f'"{version}"'}
    answer = await shop.patch(f"admin/products/{id}", json={"title": "Bright lamp"}, headers=headers)
    assert answer.json() == {"version": version + 1}
    answer = await shop.patch(f"admin/products/{id}", json={"title": "Dark lamp"}, headers=headers)
    assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (412, "stale_version", version + 1)
    answer = await shop.patch(f"admin/products/{id}", json={"titel": "x"}, headers=staff())
    assert answer.json()["errors"][0]["field"] == "titel"
    assert (await shop.get("products")).json()["items"][0]["title"] == "Bright lamp"


async def test_a_picture_is_made_anew_and_comes_in_the_width_and_format_that_fit(shop, db):
    async with db.tx() as tx:
        id = await a_product(tx)
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    content = picture("JPEG", exif=exif)
    answer = await shop.post(f"admin/products/{id}/pictures?alt=A+lamp", content=content,
                             headers=staff() | {"Content-Type": "image/jpeg"})  # fmt: skip
    assert answer.status_code == 201, answer.text
    url = answer.json()["url"]
    page = (await shop.get(f"products/{id}")).json()
    assert [(one["url"], one["alt"]) for one in page["pictures"]] == [(url, "A lamp")]
    assert (await shop.get("products")).json()["items"][0]["image"] == url
    for accept, kind in (
        ("image/avif,*/*", "AVIF"),
        ("image/webp", "WEBP"),
        ("*/*", "JPEG"),
        ("image/avif;q=0, image/webp;q=0.5", "WEBP"),
    ):
        answer = await shop.get(f"{url}?width=320", headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["vary"] == "accept"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers.get_list("cross-origin-resource-policy") == ["cross-origin"]
        assert b"secret" not in answer.content
        with Image.open(io.BytesIO(answer.content)) as found:
            assert (found.format, found.size) == (kind, (320, 213))
    with Image.open(io.BytesIO((await shop.get(f"{url}?width=1920&format=webp")).content)) as found:
        assert found.size == (900, 600)
    small = url.replace(".webp", ".320.webp")
    assert (await shop.get(f"{small}?width=1280&format=jpg")).json()["code"] == "file_not_found"
    assert (await shop.get(f"{url}?width=321")).json()["errors"][0]["field"] == "width"
    assert (await shop.get(f"{url}?format=gif")).status_code == 422
    picture_id = page["pictures"][0]["id"]
    assert (await shop.delete(f"admin/pictures/{picture_id}", headers=staff())).status_code == 204
    assert (await shop.delete(f"admin/pictures/{picture_id}", headers=staff())).json()["code"] == "picture_not_found"
    assert (await shop.get(f"products/{id}")).json()["image"] is None


BOMB = picture("PNG", (8000, 8000))
WRONG = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "gif": picture("GIF"), "empty": b"",
    "html": b"<html>", "half": picture()[:2000], "too many pixels": BOMB, "php": b"GIF89a<?php system($_GET[0]);",
    "polyglot": b"\xff\xd8\xff\xe0" + b"<script>" * 50, "tiff": picture("TIFF"), "bmp": picture("BMP"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_picture_is_refused_by_its_content(shop, db, name):
    async with db.tx() as tx:
        id = await a_product(tx)
    answer = await shop.post(f"admin/products/{id}/pictures", content=WRONG[name],
                             headers=staff() | {"Content-Type": "image/png"})  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_picture")
    answer = await shop.post(f"admin/products/{id}/pictures", json={}, headers=staff())
    assert answer.json()["code"] == "unsupported_media_type"
    assert (await shop.get(f"products/{id}")).json()["pictures"] == []


def test_transparent_and_turned_pictures_come_out_right():
    target = io.BytesIO()
    Image.new("RGBA", (300, 200), (255, 0, 0, 0)).save(target, "PNG")
    kept = images.accepted(target.getvalue())
    with Image.open(io.BytesIO(images.resized(kept, 160, "jpg"))) as found:
        assert found.getpixel((5, 5)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(images.accepted(picture("JPEG", (400, 200), exif=exif)))) as found:
        assert found.size == (200, 400)


def test_an_object_store_keeps_what_a_folder_keeps():
    from obstore.store import MemoryStore

    files = ObjectFiles(MemoryStore())
    key = files.put(b"content", "webp")
    assert files.get(key) == (b"content", "image/webp")
    assert files.get(key.replace(".webp", ".jpg")) is None
    assert files.get("../secret") is None
    files.keep("../secret", b"x")
    assert files.get("../secret") is None


@pytest.fixture
def s3(monkeypatch):
    """A server that speaks S3, as a process, with a bucket; its process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    for name, value in {"ENDPOINT_URL": address, "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "id",
                        "SECRET_ACCESS_KEY": "key", "REGION": "us-east-1"}.items():  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                httpx.put(f"{address}/pictures")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_server_that_speaks_s3_keeps_pictures(s3):
    files = ObjectFiles.at("s3://pictures/shop")
    key = files.put(b"content", "webp")
    assert files.get(key) == (b"content", "image/webp")
    assert ObjectFiles.at("s3://pictures/other").get(key) is None
    assert files.get(key.replace(".webp", ".jpg")) is None
    with pytest.raises(FilesUnavailable):
        ObjectFiles.at("s3://missing").put(b"content", "webp")
    s3.kill()
    s3.wait()
    with pytest.raises(FilesUnavailable):
        files.get(key)


async def test_buyers_review_once_and_the_rating_follows_what_staff_publish(shop, db):
    async with db.tx() as tx:
        id = await a_product(tx, rating=0.0)
    buyer = await shop.sign_in("buyer@example.com")
    other = await shop.sign_in("other@example.com")
    assert (await shop.post(f"products/{id}/reviews", json={"rating": 5})).status_code == 401
    for headers in (buyer, other):
        answer = await shop.post(f"products/{id}/reviews", json={"rating": 5}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_bought")
    cart = (await shop.get("carts/mine", headers=buyer)).json()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": id, "quantity": 2}, headers=buyer)
    address = {"name": "Ada", "line1": "1 Main Street", "city": "Portland", "country": "US"}
    body = {"payment": {"provider": "fake", "token": "ok"}, "email": "buyer@example.com", "address": address}
    answer = await shop.post(f"carts/{cart['id']}/checkout", json=body, headers=buyer | {"Idempotency-Key": "review-1"})
    assert answer.status_code == 201, answer.text
    order = answer.json()
    await take_money(db)
    parcel = {"lines": [{"sku": order["lines"][0]["sku"], "quantity": 1}]}
    sent = await shop.post(f"admin/orders/{order['number']}/shipments", json=parcel, headers=staff())
    assert sent.json()["status"] == "partially_shipped"
    for wrong in ({"rating": 6}, {"rating": 0}, {}, {"rating": 4, "status": "published"}, {"rating": "5"}):
        assert (await shop.post(f"products/{id}/reviews", json=wrong, headers=buyer)).status_code == 422
    review = {"rating": 4, "title": "Good", "body": "<b>Bright</b>"}
    answer = await shop.post(f"products/{id}/reviews", json=review, headers=buyer)
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    review_id = answer.json()["id"]
    again = await shop.post(f"products/{id}/reviews", json=review, headers=buyer)
    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")
    assert (await shop.get(f"products/{id}/reviews")).json()["items"] == []
    waiting = (await shop.get("admin/reviews", headers=staff("support"))).json()["items"]
    assert [one["id"] for one in waiting] == [review_id]
    for action, count in (("publish", 1), ("refuse", 0), ("publish", 1)):
        answer = await shop.post(f"admin/reviews/{review_id}/{action}", headers=staff("support"))
        assert answer.status_code == 200
        await moderated(db, codec.encode(id))
        page = (await shop.get(f"products/{id}")).json()
        assert page["reviews"] == {"rating": 4.0 if count else 0.0, "count": count}
        assert len((await shop.get(f"products/{id}/reviews")).json()["items"]) == count
    async with db.tx() as tx:
        assert await broken(tx) == {}
    missing = await shop.post(f"admin/reviews/{ids.new()}/publish", headers=staff())
    assert missing.json()["code"] == "review_not_found"
    missing_id = str(ids.new())
    many = await shop.post(
        "admin/reviews/bulk",
        json={"items": [{"id": review_id, "publish": False}, {"id": missing_id, "publish": True}]},
        headers=staff(),
    )
    assert (many.json()["code"], many.json()["review"]) == ("review_not_found", missing_id)
    assert (await shop.post("admin/reviews/bulk", json={"items": []}, headers=staff())).status_code == 422
    for wishes, status in (([True, False], "refused"), ([True], "published")):
        items = [{"id": review_id, "publish": publish} for publish in wishes]
        many = await shop.post("admin/reviews/bulk", json={"items": items}, headers=staff("support"))
        assert [one["status"] for one in many.json()["items"]] == [status]
    entry = (await shop.get("admin/audit?limit=1", headers=staff())).json()["items"][0]
    assert (entry["before"], entry["after"]) == ({"status": "refused"}, {"status": "published"})


async def test_synonyms_and_missed_queries_for_staff(shop, db):
    async with db.tx() as tx:
        await a_product(tx, title="Television")
    await search.learn(db, always=True)
    assert (await shop.get("search?q=telly")).json()["total"] == 0
    missed = (await shop.get("admin/search/missed", headers=staff())).json()["items"]
    assert [(one["words"], one["times"]) for one in missed] == [("telly", 1)]
    answer = await shop.put("admin/search/synonyms/telly", json={"means": ["television"]}, headers=staff())
    assert answer.json() == {"language": "english", "term": "telly", "means": ["television"]}
    assert (await shop.get("search?q=telly")).json()["total"] == 1
    terms = [one["term"] for one in (await shop.get("admin/search/synonyms", headers=staff())).json()["items"]]
    assert "telly" in terms
    assert (await shop.delete("admin/search/synonyms/telly", headers=staff())).status_code == 204
    answer = await shop.put("admin/search/synonyms/the", json={"means": ["of"]}, headers=staff())
    assert answer.json()["code"] == "no_words"


async def test_variants_and_pictures_changed_at_once_leave_the_product_as_they_are(shop, db):
    async with db.tx() as tx:
        id = await a_product(
            tx,
            title="Shirt",
            sku="SHIRT-S",
            variants=[catalog.NewVariant(sku=sku, price=1) for sku in ("SHIRT-S", "SHIRT-M")],
        )
    for price in range(1000, 1010):
        answers = await asyncio.gather(
            shop.patch("admin/variants/SHIRT-S", json={"price": price}, headers=staff()),
            shop.patch("admin/variants/SHIRT-M", json={"barcode": str(price)}, headers=staff()),
        )
        assert [answer.status_code for answer in answers] == [204, 204]
        page = (await shop.get(f"products/{id}")).json()
        assert page["price"]["amount"] == price
    uploads = [shop.post(f"admin/products/{id}/pictures", content=picture(size=(n, 9)),
                         headers=staff() | {"Content-Type": "image/png"}) for n in range(10, 18)]  # fmt: skip
    assert {answer.status_code for answer in await asyncio.gather(*uploads)} == {201}
    async with db.read() as tx:
        assert await broken(tx) == {}


@pytest.mark.parametrize("changes", [
    {"publish_at": "0001-01-01T00:00:00"}, {"publish_at": "0001-01-01T00:00:00Z"},
    {"withdraw_at": "2030-01-01T00:00:00"},
    {"specifications": {"x": " ".join(f"word{n}" for n in range(100_000))}}, {"slug": "featured"},
    {"slug": "01a20d35-5466-7441-8926-6ba55ee77603"},
], ids=lambda changes: f"{changes}"[:40])  # fmt: skip
async def test_what_a_product_cannot_be_is_refused_and_changes_nothing(shop, db, changes):
    async with db.tx() as tx:
        id = await a_product(tx, title="Lamp")
    version = (await shop.get(f"products/{id}")).json()["version"]
    answer = await shop.patch(f"admin/products/{id}", json=changes, headers=staff())
    assert answer.status_code in (409, 422), answer.text
    assert (await shop.patch(f"admin/products/{id}", json={}, headers=staff())).json() == {"version": version}


async def test_staff_see_what_is_measured(shop):
    await shop.get("products")
    seen = (await shop.get("admin/metrics", headers=staff())).json()["families"]
    answered = seen["http_server_request_duration_seconds"]
    assert answered["kind"] == "histogram"
    asked = [one for one in answered["series"] if one["labels"]["http_route"] == "/api/v1/products"]
    assert sum(sum(one["buckets"]) for one in asked) >= 1
