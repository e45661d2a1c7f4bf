"""What every answer has, whatever it answers."""

from __future__ import annotations

import pytest

from tests.surface.test_access import filled
from tfmshop.surface.http.edge.headers import API

PATHS = [
    ("GET", "/api/v1/products", 200), ("GET", "/api/v1/nowhere", 404), ("GET", "/nowhere", 404),
    ("DELETE", "/api/v1/products", 405), ("GET", "/openapi.json", 200), ("GET", "/health", 200),
    ("GET", "/health/live", 200), ("GET", "/health/ready", 200), ("GET", "/health/startup", 200),
    ("GET", "/api/v1/products?limit=0", 422), ("GET", "/api/v1/media/0.svg", 404), ("POST", "/api/v1/carts", 201),
    ("GET", "/api/v1/carts/not-an-id", 404), ("GET", "/api/v1/me", 401),
    ("GET", "/api/v1/media/..%2f..%2fetc%2fpasswd", 404),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_headers_are_on_every_answer(shop, method, path, status):
    answer = await shop.request(method, path)
    assert answer.status_code == status
    for name, value in API:
        assert answer.headers[name.decode()] == value.decode()
    assert "cache-control" in answer.headers
    assert len(answer.headers["x-request-id"]) == 32
    if status >= 400:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["request_id"]) == (status, answer.headers["x-request-id"])
        assert problem["type"].endswith(problem["code"])


async def test_a_sensible_request_id_is_kept_and_another_is_not(shop):
    kept = await shop.get("/health/live", headers={"X-Request-Id": "abc-123.DEF_456"})
    assert kept.headers["x-request-id"] == "abc-123.DEF_456"
    replaced = await shop.get("/health/live", headers={"X-Request-Id": "no spaces, please"})
    assert len(replaced.headers["x-request-id"]) == 32


async def test_a_bug_is_logged_and_not_shown(shop, monkeypatch):
    from tfmshop.commerce import search

    async def fail(*_):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(search, "find", fail)
    answer = await shop.get("products")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "path", ["/-/openapi", "/-/openapi/openapi.json", "/-/openapi/swagger", "/-/openapi/redoc", "/docs", "/schema"]
)
async def test_no_page_of_the_framework_is_served(shop, path):
    answer = await shop.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "image/png"])
async def test_bodies_are_json(shop, kind):
    answer = await shop.post("auth/login", content=b"{}", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_what_is_wrong_is_named(shop):
    unknown = {"email": "a@example.com", "password": "long enough", "name": "A", "role": "admin"}
    cases = [
        (await shop.get("search"), "q"),
        (await shop.get("search?q="), "q"),
        (await shop.post("auth/register", json=unknown), "role"),
        (await shop.post("auth/register", json={"email": "a@example.com"}), "password"),
        (await shop.post("auth/register", json=unknown | {"email": "nobody"}), "email"),
        (await shop.get("products?spec[" + "x" * 200 + "]=1"), "spec"),
    ]
    for answer, field in cases:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "invalid_request")
        assert [error["field"] for error in problem["errors"]] == [field]
        assert "regex" not in answer.text


async def test_a_weak_etag_counts_too(shop):
    tag = (await shop.get("products")).headers["etag"]
    assert (await shop.get("products", headers={"If-None-Match": f'"x", W/{tag}'})).status_code == 304


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00"])
async def test_cursors_beyond_the_calendar(shop, moment):
    from tfmshop.platform import cursors, ids

    me = await shop.sign_in("ada@example.com")
    for path in (f"products?cursor={cursors.seal('newest', 0, moment, ids.new(), 1, True)}",
                 f"orders?cursor={cursors.seal(moment, ids.new())}"):  # fmt: skip
        assert (await shop.get(path, headers=me)).json()["code"] == "bad_cursor"


async def test_a_cursor_fits_its_filters_only(shop, db):
    from tests.making import new_product, some_products

    async with db.tx() as tx:
        await some_products(tx, *[new_product() for _ in range(3)])
    cursor = (await shop.get("products?limit=1&tag=lamp")).json()["next_cursor"]
    assert (await shop.get(f"products?limit=1&tag=lamp&cursor={cursor}")).status_code == 200
    assert (await shop.get(f"products?limit=1&cursor={cursor}")).json()["code"] == "bad_cursor"


async def test_pictures_never_change(shop, settings):
    from tfmshop.platform.files.local import LocalFiles

    key = LocalFiles(settings.home / "media").put(b"<svg/>", "svg")
    answer = await shop.get(f"media/{key}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200, b"<svg/>", "image/svg+xml; charset=utf-8",
    )  # fmt: skip
    assert "immutable" in answer.headers["cache-control"]


async def test_options_name_every_method_and_head_is_get_without_a_body(shop):
    document = (await shop.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        allowed = (await shop.options(filled(path))).headers["allow"].lower().split(", ")
        assert set(allowed) - {"options"} == set(operations), path
    for path in ("products", "categories", "/health/live", "/openapi.json"):
        got, head = await shop.get(path), await shop.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == got.headers["etag"]
        assert head.headers["content-length"] == got.headers["content-length"]
        assert (await shop.head(path, headers={"If-None-Match": got.headers["etag"]})).status_code == 304
    assert (await shop.head("me")).status_code == 401


async def test_a_parameter_comes_once(shop):
    answer = await shop.get("products?limit=1&limit=2")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")
    assert (await shop.get("products?tag=a&tag=b&spec[x]=1&spec[x]=2")).status_code == 200


async def test_the_document_says_what_bodies_are(shop):
    document = (await shop.get("/openapi.json")).json()
    shapes = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = (method, path)
            if operation.get("parameters") or "requestBody" in operation:
                assert "422" in operation["responses"], where
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body:
                assert shapes[body["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] is False, where
            assert "content" not in operation["responses"].get("204", {}), where
            if "sign_in_required" in str(operation["responses"].get("401", "")):
                assert operation.get("security"), where


async def test_a_picture_where_none_is_taken_is_refused_as_that_and_not_for_its_bytes(shop):
    picture = {"content": b"\x89PNG\x00\x00", "headers": {"content-type": "image/png"}}
    for method, path, status, code in (
        ("PUT", "admin/products/x/pictures", 405, "method_not_allowed"),
        ("POST", "auth/login", 415, "unsupported_media_type"), ("POST", "nowhere", 404, "not_found"),
    ):  # fmt: skip
        answer = await shop.request(method, path, **picture)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
