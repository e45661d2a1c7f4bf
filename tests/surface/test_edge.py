"""What every answer has, whatever it answers."""

from __future__ import annotations

import pytest

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
    from tfmshop.commerce import catalog

    async def fail(*_):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(catalog, "browse", fail)
    answer = await shop.get("products")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_pictures_never_change(shop, settings):
    from tfmshop.platform.files.local import LocalFiles

    key = LocalFiles(settings.home / "media").put(b"<svg/>", "svg")
    answer = await shop.get(f"media/{key}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"<svg/>", "image/svg+xml")
    assert "immutable" in answer.headers["cache-control"]
