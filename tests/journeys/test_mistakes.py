"""Mistakes that other shops made, where no other test shows that this one does not (the table in SECURITY.md)."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import SEALS
from tests.making import a_product, take_money
from tests.surface.test_backoffice import staff
from tfmshop.commerce.accounts import second_factor
from tfmshop.platform import ids
from tfmshop.platform.security import openid, seals, webhooks
from tfmshop.surface.http import browsers

SCRIPT = '<script>alert(1)</script><img src=x onerror="alert(2)">'


async def test_what_people_write_is_never_a_script(shop, db):
    """A title, a review, a name: JSON says that it is JSON, and pages spell it out."""
    async with db.tx() as tx:
        lamp = await a_product(tx, title=f"Lamp {SCRIPT}", price=1000, stock=5)
    address = {"name": SCRIPT, "line1": SCRIPT, "city": SCRIPT, "country": "US"}
    order = (await shop.buy(await shop.cart_with((lamp, 1)), address=address)).json()
    await take_money(db)
    path = f"admin/orders/{order['number']}"
    for step, body in (("pack", None), ("shipments", {})):
        answer = await shop.post(f"{path}/{step}", json=body, headers=staff())
        assert answer.status_code < 300, answer.text
    token = {"Order-Token": order["token"]}
    page = await shop.get(f"orders/{order['id']}/invoice.html", headers=token)
    assert page.status_code == 200, page.text
    assert "<script" not in page.text.lower()
    assert "<img" not in page.text.lower()
    assert "&lt;script&gt;" in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    for answer in (await shop.get(f"products/{lamp}"), await shop.get(f"orders/{order['id']}", headers=token)):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_signatures_are_compared_in_constant_time(monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(1) or real(a, b))
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(datetime.now(UTC).timestamp())),
               "webhook-signature": "v1,AAAA"}  # fmt: skip
    with pytest.raises(webhooks.BadSignature):
        webhooks.verify(headers, b"{}", b"a secret")
    assert len(compared) == 1
    sealed = seals.opened(SEALS.token("reset", ids.new(), b"salt"))
    assert SEALS.fits(sealed, "reset", b"salt")
    assert not SEALS.fits(sealed, "verify", b"salt")
    assert len(compared) == 3
    for module in (seals, webhooks, browsers, openid, second_factor):
        assert "compare_digest" in Path(module.__file__).read_text()


async def test_order_numbers_and_tokens_cannot_be_guessed(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=50)
    orders = [(await shop.buy(await shop.cart_with((lamp, 1)))).json() for _ in range(12)]
    numbers = [order["number"].replace("-", "") for order in orders]
    assert len({number[:4] for number in numbers}) > 8, "they do not count up"
    assert len({order["token"] for order in orders}) == 12
    assert min(len(order["token"]) for order in orders) >= 43
    for order in orders[:3]:
        assert (await shop.get(f"orders/number/{order['number']}")).status_code == 404


async def test_registering_and_forgetting_tell_nobody_who_has_an_account(shop):
    person = {"email": "ada@example.com", "name": "Ada", "password": "correct horse"}
    first, again = [await shop.post("auth/register", json=person) for _ in range(2)]
    known, unknown = [await shop.post("auth/forgot-password", json={"email": f"{name}@example.com"})
                      for name in ("ada", "bob")]  # fmt: skip
    assert (first.status_code, first.json(), set(first.headers)) == (
        again.status_code,
        again.json(),
        set(again.headers),
    )
    assert (known.status_code, set(known.headers)) == (unknown.status_code, set(unknown.headers))
    assert known.json() == {"email": "ada@example.com"}
    assert unknown.json() == {"email": "bob@example.com"}


@pytest.mark.parametrize("name", ["sort", "status", "category", "brand", "currency", "cursor", "q", "facets"])
@pytest.mark.parametrize(
    "text", ["price; DROP TABLE catalog.product", "price' OR '1'='1", "en'); SELECT pg_sleep(5)--"]
)
async def test_no_parameter_reaches_sql_as_anything_but_a_value(shop, db, queries, name, text):
    async with db.tx() as tx:
        await a_product(tx)
    for path in ("products", "search"):
        answer = await shop.get(path, params={"q": "lamp", name: text})
        assert answer.status_code in (200, 404, 422)
    assert (await shop.get("products")).json()["total"] == 1
