"""Staff: roles as data that count at once, customers helped and looked after, and all of it in the audit log."""

from __future__ import annotations

import pytest

from tests.client import Client
from tests.making import verified
from tests.servers import STAFF
from tests.surface.test_backoffice import staff
from tfmshop.commerce import accounts
from tfmshop.platform.observe import security


async def id_of(db, email: str) -> str:
    async with db.read() as tx:
        return str((await accounts.staff.find(tx, words=email))[0].id)


async def newest(shop: Client) -> dict:
    return (await shop.get("admin/audit?limit=1", headers=staff())).json()["items"][0]


async def test_a_role_of_the_shops_own_counts_at_once(shop, db):
    await shop.sign_in("mo@example.com")
    await verified(db, "mo@example.com")
    mo = await id_of(db, "mo@example.com")
    role = {"name": "moderator", "permissions": ["reviews"], "meaning": "Reads reviews."}
    added = await shop.post("admin/roles", json=role, headers=staff())
    assert (added.status_code, added.json()["version"]) == (201, 1)
    assert (await shop.post("admin/roles", json=role, headers=staff())).json()["code"] == "role_taken"
    given = await shop.put(f"admin/customers/{mo}/role", json={"role": "moderator"}, headers=staff())
    assert given.json()["role"] == "moderator"
    assert (await newest(shop))["after"] == {"role": "moderator"}
    me = await shop.post("auth/login", json={"email": "mo@example.com", "password": "correct horse"})
    headers = {"Authorization": f"Bearer {me.json()['access_token']}"}
    assert (await shop.get("admin/reviews", headers=headers)).status_code == 200
    assert (await shop.get("admin/orders", headers=headers)).json()["code"] == "not_allowed"
    change = {"permissions": ["orders"], "meaning": "Now orders."}
    stale = await shop.put("admin/roles/moderator", json=change, headers=staff() | {"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (412, "stale_role", 1)
    changed = await shop.put("admin/roles/moderator", json=change, headers=staff() | {"If-Match": '"1"'})
    assert changed.json()["version"] == 2
    assert (await shop.get("admin/reviews", headers=headers)).json()["code"] == "not_allowed"
    assert (await shop.get("admin/orders", headers=headers)).status_code == 200
    assert (await shop.delete("admin/roles/moderator", headers=staff())).json()["code"] == "role_fixed"
    await shop.put(f"admin/customers/{mo}/role", json={"role": "customer"}, headers=staff())
    assert (await shop.get("admin/orders", headers=headers)).json()["code"] == "sign_in_required"
    assert (await shop.delete("admin/roles/moderator", headers=staff())).status_code == 204
    assert (await shop.delete("admin/roles/moderator", headers=staff())).json()["code"] == "role_not_found"


@pytest.mark.parametrize(("method", "path", "body", "code"), [
    ("PUT", "admin/roles/admin", {"permissions": [], "meaning": "x"}, "role_fixed"),
    ("PUT", "admin/roles/customer", {"permissions": ["orders"], "meaning": "x"}, "role_fixed"),
    ("PUT", "admin/roles/nothing", {"permissions": [], "meaning": "x"}, "role_not_found"),
    ("PUT", "admin/roles/support", {"permissions": ["everything"], "meaning": "x"}, "invalid_request"),
    ("DELETE", "admin/roles/support", None, "role_fixed"),
    ("PUT", f"admin/customers/{STAFF['admin'][0]}/role", {"role": "customer"}, "last_admin"),
    ("PUT", f"admin/customers/{STAFF['support'][0]}/role", {"role": "nothing"}, "role_not_found"),
    ("PATCH", f"admin/customers/{STAFF['admin'][0]}", {"is_active": False, "why": "x"}, "last_admin"),
    ("PATCH", f"admin/customers/{STAFF['admin'][1]}", {"is_active": False, "why": "x"}, "account_not_found"),
    ("POST", f"admin/customers/{STAFF['support'][0]}/view", {"why": "x"}, "not_allowed"),
])  # fmt: skip
async def test_what_is_refused(shop, method, path, body, code):
    answer = await shop.request(method, path, json=body, headers=staff())
    assert answer.json()["code"] == code


async def test_support_finds_and_closes_customers_and_never_staff(shop, db):
    me = await shop.sign_in("ada@example.com")
    await shop.sign_in("adam_x@example.com")
    found = (await shop.get("admin/customers?q=ADA", headers=staff("support"))).json()["items"]
    assert [one["email"] for one in found] == ["adam_x@example.com", "ada@example.com"]
    assert not (await shop.get("admin/customers?q=ada%25", headers=staff())).json()["items"]
    assert len((await shop.get("admin/customers?q=adam_", headers=staff())).json()["items"]) == 1
    page = (await shop.get("admin/customers?q=ada&limit=1", headers=staff())).json()
    rest = (await shop.get(f"admin/customers?q=ada&limit=1&cursor={page['next_cursor']}", headers=staff())).json()
    assert [one["email"] for one in page["items"] + rest["items"]] == ["adam_x@example.com", "ada@example.com"]
    assert rest["next_cursor"] is None
    ada = found[1]["id"]
    shown = (await shop.get(f"admin/customers/{ada}", headers=staff("support"))).json()
    assert (shown["sessions"], shown["verified"], shown["second_factor"]) == (1, False, False)
    closed = await shop.patch(f"admin/customers/{ada}", json={"is_active": False, "why": "asked"},
                              headers=staff("support"))  # fmt: skip
    assert (closed.json()["is_active"], closed.json()["sessions"]) == (False, 0)
    entry = await newest(shop)
    assert (entry["before"], entry["after"]) == (
        {"is_active": True, "why": None}, {"is_active": False, "why": "asked"},
    )  # fmt: skip
    assert (await shop.get("me", headers=me)).json()["code"] == "sign_in_required"
    body = {"email": "ada@example.com", "password": "correct horse"}
    assert (await shop.post("auth/login", json=body)).json()["code"] == "invalid_credentials"
    await shop.patch(f"admin/customers/{ada}", json={"is_active": True, "why": "again"}, headers=staff("support"))
    assert (await shop.post("auth/login", json=body)).status_code == 200
    ended = await shop.delete(f"admin/customers/{ada}/sessions", headers=staff("support"))
    assert ended.json() == {"sessions": 1}
    for method, path, data in (("PATCH", "", {"is_active": False, "why": "x"}), ("DELETE", "/sessions", None)):
        answer = await shop.request(method, f"admin/customers/{STAFF['catalog_manager'][0]}{path}", json=data,
                                    headers=staff("support"))  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_viewing_as_a_customer_is_noted_and_changes_nothing(shop, db):
    await shop.sign_in("ada@example.com")
    ada = await id_of(db, "ada@example.com")
    view = await shop.post(f"admin/customers/{ada}/view", json={"why": "ticket 7"}, headers=staff("support"))
    assert view.status_code == 200
    entry = await newest(shop)
    assert (entry["action"], entry["subject"], entry["after"]) == ("customers.view", ada, {"why": "ticket 7"})
    as_ada = {"Authorization": f"Bearer {view.json()['access_token']}"}
    assert (await shop.get("me", headers=as_ada)).json()["customer"]["email"] == "ada@example.com"
    assert (await shop.get("orders", headers=as_ada)).status_code == 200
    first, again = [(await shop.get("carts/mine", headers=as_ada)).json()["id"] for _ in range(2)]
    assert first != again, "nothing was made"
    for method, path, body in (
        ("PATCH", "me", {"name": "X"}), ("POST", "carts", None), ("DELETE", "me/sessions", None),
        ("POST", "me/erase", {"password": "correct horse"}), ("PUT", "me/password", {"old": "x", "new": "y" * 9}),
    ):  # fmt: skip
        answer = await shop.request(method, path, json=body, headers=as_ada)
        assert (answer.status_code, answer.json()["code"]) == (403, "only_looking"), path
    assert (await shop.get("admin/orders", headers=as_ada)).json()["code"] == "sign_in_required"


async def test_a_session_of_staff_that_ended_opens_nothing_more(shop, db):
    assert (await shop.get("admin/roles", headers=staff())).status_code == 200
    async with db.tx() as tx:
        await accounts.sessions.end_all(tx, STAFF["admin"][0], "a test")
    assert (await shop.get("admin/roles", headers=staff())).json()["code"] == "sign_in_required"


async def test_nobody_gives_what_they_may_not_do(shop, db):
    await shop.sign_in("mo@example.com")
    await verified(db, "mo@example.com")
    mo = await id_of(db, "mo@example.com")
    role = {"name": "chief", "permissions": ["staff", "reviews"], "meaning": "Chief of staff."}
    await shop.post("admin/roles", json=role, headers=staff())
    await shop.put(f"admin/customers/{mo}/role", json={"role": "chief"}, headers=staff())
    me = await shop.post("auth/login", json={"email": "mo@example.com", "password": "correct horse"})
    headers = {"Authorization": f"Bearer {me.json()['access_token']}"}
    for method, path, body in (
        ("PUT", f"admin/customers/{mo}/role", {"role": "admin"}),
        ("PUT", f"admin/customers/{STAFF['support'][0]}/role", {"role": "customer"}),
        ("POST", "admin/roles", {"name": "more", "permissions": ["audit"], "meaning": "x"}),
        ("PUT", "admin/roles/chief", {"permissions": ["staff", "audit"], "meaning": "x"}),
        ("PUT", "admin/roles/support", {"permissions": [], "meaning": "x"}),
        ("DELETE", "admin/roles/support", None),
    ):
        answer = await shop.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), path
    less = {"permissions": ["reviews"], "meaning": "Less."}
    assert (await shop.put("admin/roles/chief", json=less, headers=headers)).status_code == 200


async def test_the_last_admin_is_not_erased(shop, db):
    await shop.sign_in("boss@example.com")
    await verified(db, "boss@example.com")
    boss = await id_of(db, "boss@example.com")
    await shop.put(f"admin/customers/{boss}/role", json={"role": "admin"}, headers=staff())
    body = {"email": "boss@example.com", "password": "correct horse"}
    me = {"Authorization": f"Bearer {(await shop.post('auth/login', json=body)).json()['access_token']}"}
    await shop.put(f"admin/customers/{STAFF['admin'][0]}/role", json={"role": "customer"}, headers=me)
    answer = await shop.post("me/erase", json={"password": "correct horse"}, headers=me)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")


async def test_who_is_refused_is_noted(shop, monkeypatch):
    told = []
    monkeypatch.setattr(security, "tell", lambda event, **facts: told.append((event, facts)))
    assert (await shop.get("admin/audit", headers=staff("support"))).status_code == 403
    ((event, facts),) = told
    assert (event, facts["person"], facts["permission"]) == ("not allowed", STAFF["support"][0], "audit")
