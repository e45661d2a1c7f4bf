"""Stories of the audit log: every write of staff is in it, and what was tampered with shows."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import os
import pkgutil
import pwd
import textwrap
from uuid import uuid4

import asyncpg
import pytest

from tests.client import ADDRESS
from tests.conftest import SEALS
from tests.making import a_product, moved_by
from tests.processes import tfmshop
from tests.servers import REDIS, STAFF, hire
from tests.surface.test_backoffice import staff
from tfmshop.commerce import audit
from tfmshop.commerce.audit.jobs import mark
from tfmshop.platform import clock, codec, limits
from tfmshop.platform.db import Query
from tfmshop.platform.observe import security
from tfmshop.platform.observe.files import LogFiles
from tfmshop.platform.security.seals import Seals
from tfmshop.surface.http import backoffice

PERSON = Query(
    "test.somebody_to_appoint",
    """
INSERT INTO accounts.customer (id, email, name, password_hash, created_at)
VALUES ($1, 'ada@example.com', 'Ada', 'none', now())
""",
)
MAKES = {"add", "note", "view", "replay", "invoice", "sign_out", "send"}
"""What there is nothing before of."""
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
MODULES = [
    importlib.import_module(f"{backoffice.__name__}.{one.name}") for one in pkgutil.iter_modules(backoffice.__path__)
]
HANDLERS = [route for module in MODULES for route in getattr(module, "ROUTES", ()) if route.http_methods & WRITES]


def calls(function, module) -> set[str]:
    """The names that a handler calls, those that its helpers in the same file call included."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for name in list(names):
        helper = getattr(module, name, None)
        if inspect.isfunction(helper) and helper.__module__ == module.__name__:
            names |= calls(helper, module)
    return names


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda one: one.handler_name)
def test_every_write_of_staff_is_noted(handler):
    function = handler.fn
    assert "noted" in calls(function, inspect.getmodule(function))


@pytest.mark.parametrize("module", MODULES, ids=lambda one: one.__name__.rpartition(".")[2])
def test_every_note_says_what_was_before_but_where_nothing_was(module):
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "noted":
            action = node.args[2].value if isinstance(node.args[2], ast.Constant) else ""
            says = {keyword.arg for keyword in node.keywords}
            assert "before" in says or action.rpartition(".")[2] in MAKES, ast.unparse(node)


async def test_what_staff_undo_is_noted_as_it_was(shop, db):
    hook = (await shop.post("admin/webhooks", json={"url": "https://example.com/a"}, headers=staff())).json()["id"]
    await shop.patch(f"admin/webhooks/{hook}", json={"active": False}, headers=staff())
    await shop.delete(f"admin/webhooks/{hook}", headers=staff())
    gone, switched, _ = (await shop.get(f"admin/audit?subject={hook}", headers=staff())).json()["items"]
    assert gone["before"]["url"] == "https://example.com/a"
    assert (switched["before"], switched["after"]) == ({"active": True}, {"active": False})
    for means in (["television"], ["screen"]):
        await shop.put("admin/search/synonyms/Telly", json={"means": means}, headers=staff())
    for _ in range(2):
        assert (await shop.delete("admin/search/synonyms/telly", headers=staff())).status_code == 204
    gone, changed, made = (await shop.get("admin/audit?subject=telly", headers=staff())).json()["items"]
    assert (made["before"], gone["before"]["means"]) == (None, ["screen"])
    assert (changed["before"], changed["after"]) == ({"means": ["television"]}, {"means": ["screen"]})
    async with db.tx() as tx:
        await limits.block(tx, "all:192.0.2.1", "a scanner", clock.now())
    await shop.delete("admin/security/blocks?key=all:192.0.2.1", headers=staff())
    (lifted,) = (await shop.get("admin/audit?subject=all:192.0.2.1", headers=staff())).json()["items"]
    assert (lifted["before"]["why"], lifted["after"]) == ("a scanner", None)


async def test_what_staff_do_is_noted_with_before_and_after(shop, db, fake):
    moved_by(fake=fake)
    async with db.tx() as tx:
        lamp = await a_product(tx, sku="LAMP", price=1000, stock=10)
    order = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    path = f"admin/orders/{order['number']}"
    changed = await shop.patch(path, json={"email": "b@example.com", "why": "typo"}, headers=staff())
    assert changed.status_code == 200, changed.text
    gone = await shop.post(f"{path}/cancel", json={"why": "no stock"}, headers=staff())
    assert gone.json()["status"] == "cancelled"
    refused = await shop.post(f"{path}/cancel", json={"why": "again"}, headers=staff())
    assert refused.status_code == 409
    listed = (await shop.get(f"admin/audit?subject={order['number']}", headers=staff())).json()["items"]
    assert [one["action"] for one in listed] == ["orders.cancel", "orders.edit"]
    assert listed[1]["after"]["email"] == "(an address)"
    assert "example.com" not in str(listed)
    assert (listed[0]["before"]["status"], listed[0]["after"]["status"]) == ("paid", "cancelled")
    assert "lines" not in listed[1]["after"]
    assert listed[0]["request_id"] == gone.headers["x-request-id"]
    mine = (await shop.get(f"admin/audit?who={listed[0]['who']}", headers=staff())).json()["items"]
    assert [one["number"] for one in mine] == [listed[0]["number"], listed[1]["number"]]
    assert not (await shop.get("admin/audit?who=somebody", headers=staff())).json()["items"]
    older = await shop.get(f"admin/audit?before={listed[0]['number']}", headers=staff())
    assert listed[0]["number"] not in [one["number"] for one in older.json()["items"]]
    assert (await shop.get("admin/audit", headers=staff("support"))).json()["code"] == "not_allowed"


async def test_orders_for_staff(shop, db, fake):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
    numbers = [(await shop.buy(await shop.cart_with((lamp, 1)))).json()["number"] for _ in range(3)]
    first = (await shop.get("admin/orders?limit=2", headers=staff())).json()
    second = (await shop.get(f"admin/orders?limit=2&cursor={first['next_cursor']}", headers=staff())).json()
    assert [one["number"] for one in first["items"] + second["items"]] == numbers[::-1]
    assert second["next_cursor"] is None
    assert (await shop.get("admin/orders?status=cancelled", headers=staff())).json()["items"] == []
    assert (await shop.get(f"admin/orders/{numbers[0]}", headers=staff())).json()["number"] == numbers[0]
    assert (await shop.get("admin/orders/NOBODY", headers=staff())).json()["code"] == "order_not_found"
    early = await shop.post(f"admin/orders/{numbers[0]}/refunds", json={"why": "sorry"}, headers=staff())
    assert (early.status_code, early.json()["code"]) == (409, "cannot_refund")
    for wrong in ({}, {"why": ""}, {"why": "x", "amount": 0}):
        answer = await shop.post(f"admin/orders/{numbers[0]}/refunds", json=wrong, headers=staff())
        assert answer.status_code == 422


async def written(db, count: int) -> None:
    for n in range(count):
        async with db.tx() as tx:
            await audit.note(tx, SEALS, audit.Act("somebody", "test", f"thing {n}", {"n": n}, {"n": n + 1}))


TAMPERED = {
    "changed": "UPDATE audit.entry SET after = '{}' WHERE number = 3",
    "who": "UPDATE audit.entry SET who = 'nobody' WHERE number = 3",
    "when": "UPDATE audit.entry SET at = at - interval '1 s' WHERE number = 3",
    "taken out": "DELETE FROM audit.entry WHERE number = 3",
    "the first": "DELETE FROM audit.entry WHERE number = 1",
    "the end": "DELETE FROM audit.entry WHERE number > 4",
    "put in": "INSERT INTO audit.entry SELECT 7, at, who, action, subject, before, after, address, request_id, "
              "previous, seal FROM audit.entry WHERE number = 6; UPDATE audit.head SET number = 7",
    **{f"put in at {number}": f"INSERT INTO audit.entry SELECT {number}, at, who, action, subject, before, after, "
                              "address, request_id, previous, 'x' FROM audit.entry WHERE number = 6"
       for number in (0, -5, 7, 1000)},
    "swapped": "UPDATE audit.entry SET number = 99 WHERE number = 3; UPDATE audit.entry SET number = 3 "
               "WHERE number = 4; UPDATE audit.entry SET number = 4 WHERE number = 99",
    "sealed by somebody else": "UPDATE audit.entry SET seal = sha256('x'::bytea) WHERE number = 6; "
                               "UPDATE audit.head SET seal = sha256('x'::bytea)",
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
async def test_what_was_tampered_with_does_not_fit(wide_db, fresh_url, how):
    await written(wide_db, 6)
    async with wide_db.read() as tx:
        whole = await audit.verify(tx, SEALS)
    assert (whole.entries, whole.number, whole.flaws) == (6, 6, [])
    connection = await asyncpg.connect(fresh_url)
    await connection.execute(TAMPERED[how])
    await connection.close()
    async with wide_db.read() as tx:
        assert (await audit.verify(tx, SEALS)).flaws


async def test_an_end_that_is_gone_with_its_head_shows_by_a_mark_that_was_kept(wide_db, fresh_url):
    await written(wide_db, 6)
    async with wide_db.read() as tx:
        found = await audit.verify(tx, SEALS)
        assert await audit.unlike(tx, [(found.number, found.seal[:8].upper())]) == []
    connection = await asyncpg.connect(fresh_url)
    await connection.execute("DELETE FROM audit.entry WHERE number > 4")
    await connection.execute(
        "UPDATE audit.head SET (number, seal) = (SELECT number, seal FROM audit.entry WHERE number = 4)"
    )
    await connection.close()
    async with wide_db.read() as tx:
        assert (await audit.verify(tx, SEALS)).flaws == []
        marks = [(4, "0" * 64), (found.number, found.seal), (10**18 - 1, "00" * 4)]
        assert [flaw.number for flaw in await audit.unlike(tx, marks)] == [number for number, _ in marks]


async def test_the_mark_is_kept_whatever_is_logged(wide_db, tmp_path, monkeypatch):
    await written(wide_db, 2)
    kept = LogFiles()
    kept.keep_in(tmp_path)
    monkeypatch.setattr(security, "FILES", kept)
    await mark(wide_db)
    kept.close()
    async with wide_db.read() as tx:
        found = await audit.verify(tx, SEALS)
    (text,) = [file.read_text() for file in tmp_path.glob("security-*.log")]
    assert "the audit log ends here" in text
    assert f'"mark":"2:{found.seal}"' in text, "as the command looks for it"


async def test_the_log_is_verified_by_command(wide_db, fresh_url, tmp_path):
    (tmp_path / "seal.secret").write_text("a secret of the tests, long enough")
    given = {"DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path)}

    def verified(*options: str):
        return tfmshop("audit", "verify", *options, cwd=tmp_path, **given)

    assert "0 entries, all as they were written; nobody did anything yet." in verified().stdout
    await written(wide_db, 2)
    whole = verified()
    assert "2 entries, all as they were written; the last is 2:" in whole.stdout
    mark = whole.stdout.rpartition(" ")[2].strip(" .\n")
    assert verified("--expect", mark[:10]).returncode == 0
    other = verified("--expect", "2:00000000")
    assert (other.returncode, "one flaw" in other.stderr) == (1, True)
    assert "entry 2: it is not there with the seal 00000000" in other.stdout
    for wrong in ("10", "2:", "x:00000000", "2:b2be"):
        refused = verified("--expect", wrong)
        assert (refused.returncode, "NUMBER:SEAL" in refused.stderr) == (2, True)


async def test_an_end_that_is_gone_shows_by_what_the_log_files_say(wide_db, fresh_url, tmp_path):
    """Operators note what they do themselves, with the key that is theirs to have."""
    given = {"DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path)}
    async with wide_db.tx() as tx:
        await tx.execute(PERSON, uuid4())
    role = ("accounts", "role", "ada@example.com", "admin", "--verified")
    without = tfmshop(*role, cwd=tmp_path, **given)
    assert (without.returncode, "The key of the seals is not here" in without.stderr) == (1, True)
    (tmp_path / "seal.secret").write_text("a secret of the tests, long enough")
    for command in (
        role,
        ("accounts", "group", "ada@example.com", "wholesale"),
        ("accounts", "unlock", "ada@example.com"),
    ):
        assert tfmshop(*command, cwd=tmp_path, **given).returncode == 0
    async with wide_db.read() as tx:
        noted = await audit.listed(tx, limit=9)
        found = await audit.verify(tx, SEALS)
    assert [one.action for one in noted] == ["customers.unlock", "customers.group", "staff.role"]
    assert {one.who for one in noted} == {f"operator {pwd.getpwuid(os.getuid()).pw_name}"}
    assert (bytes(noted[2].before), b'"admin"' in bytes(noted[2].after)) == (b'{"role":"customer"}', True)
    logs = tmp_path / "logs"
    logs.mkdir(exist_ok=True)
    line = {"@timestamp": "2026-05-04T12:00:00Z", "message": audit.ENDS_HERE, "mark": f"3:{found.seal}"}
    (logs / "security-2026-05-04.log").write_bytes(codec.encode(line) + b"\n")
    assert tfmshop("audit", "verify", cwd=tmp_path, **given).returncode == 0
    connection = await asyncpg.connect(fresh_url)
    await connection.execute("DELETE FROM audit.entry WHERE number > 2")
    await connection.execute(
        "UPDATE audit.head SET (number, seal) = (SELECT number, seal FROM audit.entry WHERE number = 2)"
    )
    await connection.close()
    gone = tfmshop("audit", "verify", cwd=tmp_path, **given)
    assert (gone.returncode, "entry 3: it is not there with the seal" in gone.stdout) == (1, True)


async def test_another_key_fits_nothing(wide_db):
    await written(wide_db, 2)
    async with wide_db.read() as tx:
        assert len((await audit.verify(tx, Seals("another key"))).flaws) == 2


async def test_acts_at_once_are_one_chain(wide_db):
    async def one() -> None:
        await wide_db.transact(
            lambda tx: audit.note(tx, SEALS, audit.Act("somebody", "test", str(uuid4())))
        )  # fmt: skip

    await asyncio.gather(*[one() for _ in range(20)])
    async with wide_db.read() as tx:
        found = await audit.verify(tx, SEALS)
    assert (found.entries, found.flaws) == (20, [])


async def test_a_change_that_fails_is_not_noted(wide_db):
    async def fails(tx) -> None:
        await audit.note(tx, SEALS, audit.Act("somebody", "test", "thing"))
        raise KeyError

    with pytest.raises(KeyError):
        await wide_db.transact(fails)
    async with wide_db.read() as tx:
        assert (await audit.verify(tx, SEALS)).entries == 0


async def test_what_staff_did_outlives_the_shop(busy_shop, wide_db, fresh_url):
    await written(wide_db, 2)
    await wide_db.empty()
    await hire(fresh_url)
    answer = await busy_shop.put("admin/search/synonyms/lamp", json={"means": ["light"]}, headers=staff())
    assert answer.status_code == 200, answer.text
    async with wide_db.read() as tx:
        found = await audit.verify(tx, SEALS)
    assert (found.entries, found.flaws) == (3, [])


async def test_changes_of_products_are_noted_field_by_field(shop, db):
    async with db.tx() as tx:
        await a_product(tx, sku="LAMP", title="Lamp", price=1000)
    changed = await shop.patch("admin/variants/LAMP", json={"price": 900}, headers=staff())
    assert changed.status_code == 204, changed.text
    (entry,) = (await shop.get("admin/audit?limit=1", headers=staff())).json()["items"]
    assert (entry["before"]["variants.LAMP.price"], entry["after"]["variants.LAMP.price"]) == (1000, 900)


async def test_buyers_do_not_see_who_of_the_staff_did_what(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
    order = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    path = f"admin/orders/{order['number']}"
    moved = ADDRESS | {"line1": "2 Side Street"}
    await shop.patch(path, json={"address": moved, "why": "a difficult person"}, headers=staff())
    seen = await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
    assert "difficult" not in seen.text
    assert str(STAFF["admin"][0]) not in seen.text
    assert [one["who"] for one in seen.json()["history"]][-1] == "staff"
    assert "a difficult person" in (await shop.get(path, headers=staff())).text
