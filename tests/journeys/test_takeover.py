"""Ways to get into somebody else's account, to stay there, or to act as they did, all of which fail."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pyotp
import pytest

from tests.client import ADDRESS
from tests.conftest import SEALS
from tests.journeys.test_accounts import letters, token_in
from tests.journeys.test_money import work_off
from tests.making import a_product, moved_by, verified
from tests.surface.test_backoffice import staff
from tfmshop.commerce import accounts, cart
from tfmshop.platform import ids
from tfmshop.platform.db import Query
from tfmshop.platform.security.openid import Claims
from tfmshop.platform.security.passwords import Passwords
from tfmshop.surface.http import browsers

ADA, PASSWORD, NEW = "ada@example.com", "correct horse", "another battery staple"
UNVERIFIED = Query(
    "test.unverified", "UPDATE accounts.customer SET role = 'customer', verified_at = NULL WHERE email = $1"
)
HIRED = Query("test.hired", "UPDATE accounts.customer SET role = 'admin' WHERE email = $1")
WAITING = Query(
    "test.waiting_for_me",
    "SELECT count(*)::int FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))",
)
INVOICES = Query("test.invoices_written", "SELECT count(*)::int FROM orders.invoice")


async def signed_in(shop, email: str = ADA):
    return (await shop.post("auth/login", json={"email": email, "password": PASSWORD})).json()


async def id_of(db, email: str = ADA):
    async with db.read() as tx:
        return (await accounts.staff.find(tx, words=email))[0].id


async def reset(shop, db, postbox) -> str:
    await letters(db, postbox)
    await shop.post("auth/forgot-password", json={"email": ADA})
    (letter,) = await letters(db, postbox)
    answer = await shop.post("auth/reset-password", json={"token": token_in(letter), "password": NEW})
    assert answer.status_code == 200
    return answer.json()["device_token"]


async def second_factor(shop, who) -> None:
    secret = (await shop.post("me/second-factor", json={"password": PASSWORD}, headers=who)).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    assert (await shop.post("me/second-factor/confirm", json=code, headers=who)).status_code == 200


async def test_a_token_whose_session_ended_changes_nothing(shop, db, postbox):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    thief = await shop.sign_in(ADA)
    cart = (await shop.get("carts/mine", headers=thief)).json()
    await reset(shop, db, postbox)
    for method, path, body in (
        ("POST", "me/addresses", {"address": ADDRESS}), ("PATCH", "me", {"name": "Eve"}),
        ("POST", "me/email", {"email": "eve@example.com", "password": NEW}), ("PUT", f"me/wishlist/{lamp}", None),
        ("POST", f"carts/{cart['id']}/lines", {"product_id": lamp, "quantity": 1}), ("POST", "carts", None),
        ("POST", f"carts/{cart['id']}/checkout", {"payment": {"provider": "fake", "token": "ok"}}),
    ):  # fmt: skip
        answer = await shop.request(method, path, json=body, headers=thief | {"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required"), path
    assert (await shop.get("me/export", headers=thief)).json()["code"] == "sign_in_required"
    assert (await shop.get("carts/mine", headers=thief)).json()["code"] == "sign_in_required"
    again = await shop.post("auth/login", json={"email": ADA, "password": NEW}, headers=thief)
    assert again.status_code == 200, "a token that is over keeps nobody from signing in"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "me/email", {"email": "eve@example.com", "password": PASSWORD}),
        ("POST", "me/second-factor", {"password": PASSWORD}),
        ("POST", "me/second-factor/drop", {"password": PASSWORD, "code": "000000"}),
        ("POST", "carts/mine/merge", {"cart_id": str(ids.new())}),
    ],
)
async def test_a_session_that_ends_during_a_change_ends_the_change(busy_shop, wide_db, method, path, body):
    thief = await busy_shop.sign_in(ADA)
    ada, elsewhere = await id_of(wide_db), copy_context()
    async with wide_db.tx() as ending:
        await accounts.sessions.end_all(ending, ada, "test")
        request = busy_shop.request(method, path, json=body, headers=thief)
        changing = asyncio.create_task(request, context=elsewhere)
        for _ in range(1000):
            if changing.done() or await ending.value(WAITING):
                break
            await asyncio.sleep(0.01)
        assert not changing.done(), "it looks at the session before it changes anything"
    answer = await changing
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")


@pytest.mark.parametrize("proved", [False, True])
async def test_who_registered_with_anothers_address_leaves_them_nothing(shop, db, postbox, proved):
    """Neither the address to which the order would go, nor the one that would hear of it."""
    async with db.tx() as tx:
        lamp = await a_product(tx)
    eve = await shop.sign_in(ADA)
    if proved:
        await verified(db, ADA)
    place = ADDRESS | {"line1": "13 Squatters' Row"}
    assert (
        await shop.post("me/addresses", json={"address": place, "is_default": True}, headers=eve)
    ).status_code == 201
    mine = f"carts/{(await shop.get('carts/mine', headers=eve)).json()['id']}"
    await shop.post(f"{mine}/lines", json={"product_id": lamp, "quantity": 1}, headers=eve)
    assert (await shop.put(f"{mine}/address", json=place, headers=eve)).status_code == 200
    assert (await shop.put(f"{mine}/email", json={"email": "eve@example.com"}, headers=eve)).status_code == 200
    await reset(shop, db, postbox)
    ada = (await shop.post("auth/login", json={"email": ADA, "password": NEW})).json()["access_token"]
    ada = {"Authorization": f"Bearer {ada}"}
    assert len((await shop.get("me/addresses", headers=ada)).json()["items"]) == proved
    assert len((await shop.get(mine, headers=ada)).json()["lines"]) == 1
    pay = {"payment": {"provider": "fake", "token": "ok"}}
    answer = await shop.post(f"{mine}/checkout", json=pay, headers=ada | {"Idempotency-Key": "k"})
    assert ("Squatters" in answer.text, answer.status_code) == (proved, 201 if proved else 409)


async def test_who_has_the_letter_comes_in_however_many_guess(shop, db, postbox):
    await shop.sign_in(ADA)
    device = {"Device-Token": await reset(shop, db, postbox)}
    for _ in range(8):
        guessed = await shop.post("auth/login", json={"email": ADA, "password": "a guess"})
        assert guessed.json()["code"] == "invalid_credentials"
    right = {"email": ADA, "password": NEW}
    assert (await shop.post("auth/login", json=right, headers=device)).status_code == 200


async def test_a_browser_whose_session_ended_goes_on_as_a_guest(shop, db, postbox):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    token = (await shop.sign_in(ADA))["Authorization"].partition(" ")[2]
    await reset(shop, db, postbox)
    shop.cookies.set(browsers.ACCESS, token)
    cart = await shop.cart_with((lamp, 1))
    assert (await shop.buy(cart)).status_code == 201
    assert (await shop.patch("me", json={"name": "Eve"})).json()["code"] == "sign_in_required"


async def test_an_account_that_staff_closed_buys_nothing(shop, db):
    me = await shop.sign_in(ADA)
    closed = {"is_active": False, "why": "fraud"}
    assert (await shop.patch(f"admin/customers/{await id_of(db)}", json=closed, headers=staff())).status_code == 200
    assert (await shop.post("carts", headers=me)).json()["code"] == "sign_in_required"


async def test_who_registered_with_her_address_locks_nobody_out_with_a_second_factor(shop, db, postbox):
    await second_factor(shop, await shop.sign_in(ADA))
    await reset(shop, db, postbox)
    assert (await shop.post("auth/login", json={"email": ADA, "password": NEW})).status_code == 200


async def test_a_second_factor_of_who_proved_the_address_survives_a_reset(shop, db, postbox):
    me = await shop.sign_in(ADA)
    (letter,) = await letters(db, postbox)
    assert (await shop.post("auth/verify-email", json={"token": token_in(letter)}, headers=me)).status_code == 204
    secret = (await shop.post("me/second-factor", json={"password": PASSWORD}, headers=me)).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    assert (await shop.post("me/second-factor/confirm", json=code, headers=me)).status_code == 200
    await reset(shop, db, postbox)
    answer = await shop.post("auth/login", json={"email": ADA, "password": NEW})
    assert answer.json()["code"] == "second_factor_required"


async def test_a_reset_parts_from_an_account_that_is_joined_at_that_moment(busy_shop, wide_db):
    await busy_shop.sign_in(ADA)
    token = (await signed_in(busy_shop))["access_token"]
    viewer = busy_shop._transport.app.shop.platform.tokens.read(token)
    proof = accounts.proofs.Asked(ids.new(), ADA)
    async with wide_db.tx() as tx:
        assert await accounts.proofs.add(tx, "reset", proof)
        link = await accounts.proofs.token_of(tx, SEALS, proof.id)
    joined, go = asyncio.Event(), asyncio.Event()

    async def join() -> None:
        async with wide_db.tx() as tx:
            await accounts.identities.join(tx, viewer, Claims("acme", "eve", "eve@example.com", True, "Eve"))
            joined.set()
            await go.wait()

    caution = accounts.Caution(wide_db, Passwords(), SEALS, None)
    joining = asyncio.create_task(join())
    await joined.wait()
    resetting = asyncio.create_task(
        accounts.proofs.reset(caution, token=link, password=NEW, unproven=cart.closing.forget)
    )
    await asyncio.sleep(0.3)
    go.set()
    await asyncio.gather(joining, resetting)
    caution.passwords.close()
    async with wide_db.read() as tx:
        assert await accounts.identities.listed(tx, viewer.id) == []


async def test_whoever_registered_with_a_colleagues_address_is_not_staff_in_their_place(shop, db, postbox):
    await shop.sign_in(ADA)
    role = f"admin/customers/{await id_of(db)}/role"
    answer = await shop.put(role, json={"role": "support"}, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (409, "address_unverified")
    async with db.tx() as tx:
        with pytest.raises(accounts.staff.AddressUnproven):
            await accounts.staff.appoint(tx, ADA, "admin")
    async with db.tx() as tx:
        assert (await accounts.staff.appoint(tx, ADA, "catalog_manager", verified=True))[1] == "customer"
        await tx.execute(UNVERIFIED, ADA)
    await reset(shop, db, postbox)
    assert (await shop.put(role, json={"role": "support"}, headers=staff())).json()["role"] == "support"
    assert (await shop.post("auth/login", json={"email": ADA, "password": PASSWORD})).status_code == 401


async def test_the_mailbox_of_staff_opens_no_account_without_the_second_factor(shop, db, postbox):
    """Also of staff whose address nobody verified: of before roles asked for that."""
    boss = await shop.sign_in(ADA)
    await second_factor(shop, boss)
    async with db.tx() as tx:
        await tx.execute(HIRED, ADA)
    await reset(shop, db, postbox)
    answer = await shop.post("auth/login", json={"email": ADA, "password": NEW})
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")


async def test_guessing_the_first_code_of_a_second_factor_costs_waits(shop):
    thief = await shop.sign_in(ADA)
    secret = (await shop.post("me/second-factor", json={"password": PASSWORD}, headers=thief)).json()["secret"]
    right = {"code": pyotp.TOTP(secret).now()}
    wrong = {"code": f"{(int(right['code']) + 7) % 10**6:06}"}
    for _ in range(6):
        answer = await shop.post("me/second-factor/confirm", json=wrong, headers=thief)
        assert answer.json()["code"] == "second_factor_invalid"
    assert (await shop.post("me/second-factor/confirm", json=right, headers=thief)).status_code == 401


async def test_whoever_looks_as_somebody_sees_nothing_more_once_they_are_staff_no_more(shop, db):
    await shop.sign_in(ADA)
    await shop.sign_in("mo@example.com")
    await verified(db, "mo@example.com")
    mo = f"admin/customers/{await id_of(db, 'mo@')}"
    assert (await shop.put(f"{mo}/role", json={"role": "support"}, headers=staff())).status_code == 200
    own = {"Authorization": f"Bearer {(await signed_in(shop, 'mo@example.com'))['access_token']}"}
    view = await shop.post(f"admin/customers/{await id_of(db)}/view", json={"why": "x"}, headers=own)
    looks = {"Authorization": f"Bearer {view.json()['access_token']}"}
    assert (await shop.get("me", headers=looks)).status_code == 200
    assert (await shop.patch(mo, json={"is_active": False, "why": "gone"}, headers=staff())).status_code == 200
    for path in ("me", "me/export", "orders", "carts/mine"):
        for way in (looks, {"Cookie": f"{browsers.ACCESS}={view.json()['access_token']}"}):
            assert (await shop.get(path, headers=way)).json()["code"] == "sign_in_required", path


async def test_whoever_looks_as_somebody_writes_no_invoice(busy_shop, wide_db, fake):
    moved_by(fake=fake)
    async with wide_db.tx() as tx:
        lamp = await a_product(tx)
    me = await busy_shop.sign_in(ADA)
    cart = (await busy_shop.get("carts/mine", headers=me)).json()["id"]
    await busy_shop.post(f"carts/{cart}/lines", json={"product_id": lamp, "quantity": 1}, headers=me)
    order = (await busy_shop.post(
        f"carts/{cart}/checkout", headers=me | {"Idempotency-Key": "k"},
        json={"payment": {"provider": "fake", "token": "ok"}, "address": ADDRESS},
    )).json()  # fmt: skip
    await work_off(wide_db)
    parcel = await busy_shop.post(f"admin/orders/{order['number']}/shipments", json={}, headers=staff())
    assert parcel.status_code == 201
    view = f"admin/customers/{await id_of(wide_db)}/view"
    token = (await busy_shop.post(view, json={"why": "x"}, headers=staff("support"))).json()["access_token"]
    looks = {"Authorization": f"Bearer {token}"}
    for written, status, headers in ((0, 409, looks), (1, 200, me), (1, 200, looks)):
        page = await busy_shop.get(f"orders/{order['id']}/invoice.html", headers=headers)
        assert page.status_code == status
        async with wide_db.read() as tx:
            assert await tx.value(INVOICES) == written


@pytest.mark.parametrize("way", ["close", "sign out"])
async def test_support_does_not_reach_somebody_who_becomes_an_admin_meanwhile(busy_shop, wide_db, way):
    await busy_shop.sign_in("boss@example.com")
    await verified(wide_db, "boss@example.com")
    boss = await id_of(wide_db, "boss")
    held, go = asyncio.Event(), asyncio.Event()

    async def promote() -> None:
        async with wide_db.tx() as tx:
            await accounts.staff.set_role(tx, None, boss, "admin")
            held.set()
            await go.wait()

    promoting = asyncio.create_task(promote())
    await held.wait()
    path = f"admin/customers/{boss}" + ("/sessions" if way == "sign out" else "")
    body = None if way == "sign out" else {"is_active": False, "why": "x"}
    asked = busy_shop.request("DELETE" if way == "sign out" else "PATCH", path, json=body, headers=staff("support"))
    asking = asyncio.create_task(asked)
    await asyncio.sleep(0.3)
    go.set()
    await promoting
    assert (await asking).json()["code"] == "not_allowed"


async def test_a_device_uses_up_its_own_tries_and_no_other(shop):
    await shop.sign_in(ADA)
    old, mine = [(await signed_in(shop))["device_token"] for _ in range(2)]
    wrong, right = {"email": ADA, "password": "wrong password"}, {"email": ADA, "password": PASSWORD}
    for _ in range(6):
        await shop.post("auth/login", json=wrong, headers={"Device-Token": old})
    assert (await shop.post("auth/login", json=right, headers={"Device-Token": old})).status_code == 401
    assert (await shop.post("auth/login", json=right, headers={"Device-Token": mine})).status_code == 200


async def test_a_device_is_known_until_the_password_changes(shop, db, postbox):
    await shop.sign_in(ADA)
    old = (await signed_in(shop))["device_token"]
    again = await shop.post("auth/login", json={"email": ADA, "password": PASSWORD}, headers={"Device-Token": old})
    assert again.json()["device_token"] == old
    await reset(shop, db, postbox)
    after = await shop.post("auth/login", json={"email": ADA, "password": NEW}, headers={"Device-Token": old})
    assert after.json()["device_token"] != old


async def test_an_address_gets_few_letters_whoever_asks_for_them(shop, db, postbox):
    for n in range(3):
        me = await shop.sign_in(f"eve{n}@example.com")
        for _ in range(4):
            body = {"email": "victim@example.com", "password": PASSWORD}
            assert (await shop.post("me/email", json=body, headers=me)).status_code == 202
    assert [letter["to"] for letter in await letters(db, postbox)].count("victim@example.com") == 5
