"""The command line as a person meets it: every message is a sentence, every failure has a code."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.processes import free_port, newly_started, tfmshop
from tests.servers import REDIS
from tfmshop.platform.db import Query
from tfmshop.platform.embedded.owner import choose

STEAL = Query("test.steal", "UPDATE inventory.stock SET available = available + 1 WHERE sku = 'DEMO-002'")
OLD = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def settings_of(fresh_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a shop on this test's database."""
    return {"DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path / "home")}


def fails(result, code: int, *words: str) -> None:
    """The command failed with a clear sentence and no traceback."""
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) <= 2, said
    for word in words:
        assert word in said


async def test_a_shop_by_commands(settings_of, tmp_path):
    def run(*arguments: str):
        result = tfmshop(*arguments, cwd=tmp_path, **settings_of)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    assert "schema is at" in run("db", "migrate")
    assert json.loads(run("db", "migrate", "--json"))["applied"] == []
    assert "60  products" in run("seed")
    assert "already" in run("seed")
    assert json.loads(run("seed", "--json"))["already_there"] is True
    assert "DEMO-001 has 3 units in main." in run("inventory", "set", "sand-arc-floor-lamp", "3")
    assert json.loads(run("inventory", "set", "DEMO-001", "0", "--json"))["available"] == 0
    assert json.loads(run("inventory", "list", "--at-most", "0", "--json"))[0]["sku"] == "DEMO-001"
    assert "DEMO-001" in run("inventory", "list", "--at-most", "0")
    assert "is Lyon, France" in run("inventory", "warehouse", "lyon", "Lyon, France", "--priority", "10")
    assert "7 units in lyon" in run("inventory", "set", "DEMO-001", "7", "--warehouse", "lyon")
    run("inventory", "rules", "DEMO-001", "--backorder", "2", "--low-at", "9", "--warehouse", "lyon")
    low = {row["sku"] + "@" + row["warehouse"]: row for row in json.loads(run("inventory", "list", "--low", "--json"))}
    assert low["DEMO-001@lyon"]["backorder_limit"] == 2
    assert [row["code"] for row in json.loads(run("inventory", "warehouses", "--json"))] == ["main", "lyon"]
    assert json.loads(run("inventory", "history", "DEMO-001", "--json"))[0]["delta"] == 7
    for listing in ("warehouses", "history DEMO-001"):
        assert "lyon" in run("inventory", *listing.split())
    run("tax", "set", "fr", "20", "--name", "TVA")
    run("tax", "set", "US", "8.875", "--region", "NY", "--added")
    assert [(rate["rate"], rate["included"]) for rate in json.loads(run("tax", "list", "--json"))] == [
        (200_000, True), (88_750, False),
    ]  # fmt: skip
    assert "TVA" in run("tax", "list")
    run("tax", "drop", "US", "--region", "NY")
    run("shipping", "set", "parcel", "Parcel", "--by", "weight", "--price", "0:500", "--price", "5000:900",
        "--currency", "usd", "--country", "fr")  # fmt: skip
    assert json.loads(run("shipping", "list", "--json"))[0]["steps"][1] == {"at_least": 5000, "price": 900}
    assert "0:500 5000:900" in run("shipping", "list")
    assert "parcel is gone" in run("shipping", "drop", "parcel")
    assert "coupon TEN" in run("promotions", "add", "Ten off", "--percent", "10", "--code", "ten", "--max-uses", "5")
    assert json.loads(run("promotions", "add", "3 for 2", "--buy", "2", "--get", "1", "--json"))["value"] == 10_000
    assert "10 %" in run("promotions", "list")
    assert "0 of 5" in run("promotions", "list")
    assert "over" in run("promotions", "end", "TEN")
    assert [row["name"] for row in json.loads(run("promotions", "list", "--json"))] == ["3 for 2"]
    assert len(json.loads(run("orders", "list", "--json"))) == 6
    assert "USD" in run("orders", "list", "--limit", "1")
    admins = [row["email"] for row in json.loads(run("accounts", "list", "--role", "admin", "--json"))]
    assert admins == ["admin@example.com", "admin@staff.example"]
    assert "alice@example.com" in run("accounts", "list")
    assert len(json.loads(run("catalog", "list", "--json", "--limit", "100"))) == 60
    assert "Arc Floor Lamp" in run("catalog", "list", "--limit", "60")
    told = json.loads(tfmshop("doctor", "--json", cwd=tmp_path, **settings_of).stdout)
    failed = [one["name"] for one in told["boxes"] if one["result"]["state"] == "fail"]
    assert failed == ["database server"], "that of tests may lose what it was told"
    assert not any(told["truths"].values())
    assert told["limits"]["checkout"]["routes"] == ["POST /api/v1/carts/{cart_id}/checkout"]
    listed = tfmshop("doctor", cwd=tmp_path, **settings_of).stdout
    assert "BROKEN" not in listed
    assert "RATE_LIMIT_CHECKOUT" in listed
    (tmp_path / "lamps.jsonl").write_text('{"sku": "X1", "title": "Lamp X", "price": 100}\n{"sku": "X2"}\n')
    said = run("catalog", "import", "lamps.jsonl")
    assert "Products added: 1, updated: 0; rows rejected: 1" in said
    assert "line 2: title is missing" in said
    (tmp_path / "bad.jsonl").write_text("{}\n")
    fails_softly = tfmshop("catalog", "import", "bad.jsonl", "--json", cwd=tmp_path, **settings_of)
    assert (fails_softly.returncode, json.loads(fails_softly.stdout)["rejected"]) == (1, 1)
    run("categories", "attribute", "watts", "--category", "lighting", "--kind", "number", "--unit", "W")
    assert json.loads(run("categories", "attributes", "lighting", "--json")) == [
        {"name": "watts", "label": "watts", "kind": "number", "unit": "W"}
    ]
    assert "watts" in run("categories", "attributes", "lighting")
    run("categories", "attribute", "watts", "--category", "lighting", "--drop")
    assert json.loads(run("categories", "attributes", "lighting", "--json")) == []
    for command in ("", "db", "seed", "catalog", "inventory", "orders", "accounts", "up", "serve", "work", "config"):
        assert "Usage" in run(*command.split(), "--help")


async def test_prices_webhooks_and_groups_by_commands(settings_of, tmp_path):
    def run(*arguments: str):
        result = tfmshop(*arguments, cwd=tmp_path, **settings_of, WEBHOOKS_PRIVATE="true")
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def wrong(*arguments: str) -> str:
        result = tfmshop(*arguments, cwd=tmp_path, **settings_of)
        said = result.stdout + result.stderr
        assert (result.returncode, "Traceback" in said) == (1, False), said
        return said

    run("seed")
    assert "in USD, for customers of the group trade" in run("prices", "add", "trade", "Trade", "--group", "trade")
    assert "change it with" in wrong("prices", "add", "trade", "Again")
    assert "2 prices set on trade." in run("prices", "set", "trade", "DEMO-001=100", "DEMO-002=200")
    assert "there is no NOPE" in wrong("prices", "set", "trade", "NOPE=1")
    for amount in ("1.5", "-1", "9" * 20):
        assert "in whole minor units" in wrong("prices", "set", "trade", f"DEMO-001={amount}")
    assert "has a price already" in wrong("prices", "set", "trade", "DEMO-001=1", "DEMO-001=2")
    assert "for customers of the group trade until 2099" in run("prices", "change", "trade", "--ends", "2099-01-01")
    rows = tmp_path / "rows.csv"
    rows.write_text("sku,amount\nDEMO-003,300\n")
    assert "1 price set on trade." in run("prices", "load", "trade", str(rows))
    rows.write_text("sku;amount\nDEMO-003;300\n")
    assert "no column" in wrong("prices", "load", "trade", str(rows))
    assert json.loads(run("prices", "show", "trade", "--json"))[2] == {"sku": "DEMO-003", "amount": 300}
    assert json.loads(run("prices", "list", "--json"))[0]["prices"] == 3
    run("prices", "drop", "trade", "DEMO-003")
    assert "has no price of DEMO-003" in wrong("prices", "drop", "trade", "DEMO-003")
    assert "trade is gone" in run("prices", "drop", "trade")
    run("sales", "plan", "DEMO-001", "100", "--starts", "2098-01-01", "--ends", "2098-02-01")
    planned = json.loads(run("sales", "list", "--json"))[0]
    assert planned["id"] in run("sales", "list")
    assert "over already" in wrong("sales", "plan", "DEMO-001", "100", "--starts", "2020-01-01", "--ends", "2020-02-01")
    run("sales", "end", planned["id"])
    assert "No such sale" in wrong("sales", "end", planned["id"])
    email = json.loads(run("accounts", "list", "--json"))[0]["email"]
    assert "is in the group trade" in run("accounts", "group", email, "trade")
    assert "no such account" in wrong("accounts", "group", "nobody@example.com", "trade")
    made = json.loads(run("webhooks", "add", "http://127.0.0.1:1/", "--topic", "order.paid", "--json"))
    assert "order.cancelled" in wrong("webhooks", "add", "https://example.com/", "--topic", "order.nonsense")
    assert "told nothing new" in run("webhooks", "switch", made["id"], "--off")
    assert json.loads(run("webhooks", "list", "--json"))[0]["active"] is False
    assert json.loads(run("webhooks", "deliveries", made["id"], "--json")) == []
    assert "0 messages" in run("webhooks", "replay", made["id"], "--since", "2026-01-01")
    run("webhooks", "remove", made["id"])
    assert "no such webhook" in wrong("webhooks", "deliveries", made["id"])


async def test_broken_truths_are_told(settings_of, wide_db, tmp_path):
    tfmshop("seed", cwd=tmp_path, **settings_of)
    async with wide_db.tx() as tx:
        await tx.execute(STEAL)
    result = tfmshop("doctor", cwd=tmp_path, **settings_of)
    assert (result.returncode, "BROKEN" in result.stdout, "DEMO-002" in result.stdout) == (1, True, True)


def test_settings_are_shown_without_secrets(tmp_path):
    result = tfmshop("config", "--json", cwd=tmp_path, JWT_SECRET="s" * 40, PORT="8123")
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert (rows["PORT"]["value"], rows["PORT"]["given"], rows["JWT_SECRET"]["value"]) == ("8123", True, "(hidden)")
    text = tfmshop("config", cwd=tmp_path)
    assert max(len(line) for line in text.stdout.splitlines()) <= 80


def test_what_can_be_wrong_is_said_in_a_sentence(tmp_path, settings_of):
    fails(tfmshop("config", cwd=tmp_path, PORT="http"), 2, "PORT must be a whole number")
    secrets = {"JWT_SECRET": "s" * 40, "SEAL_SECRET": "e" * 40, "ALLOWED_HOSTS": "x", "TRUSTED_PROXIES": "none"}
    fails(
        tfmshop("seed", cwd=tmp_path, **settings_of, **secrets, APP_ENV="production"),
        1,
        "production",
    )
    nowhere = tfmshop("inventory", "set", "DEMO-001", "1", "--warehouse", "nowhere", cwd=tmp_path, **settings_of)
    fails(nowhere, 1, "no stock in a warehouse nowhere")
    for command, word in (
        (("tax", "set", "France", "20"), "two letters"),
        (("shipping", "set", "post", "Post", "--price", "x", "--currency", "EUR"), "neither PRICE"),
        (("promotions", "add", "x"), "give one of"),
        (("promotions", "add", "x", "--fixed", "5", "--free-shipping"), "give one of"),
    ):
        wrong = tfmshop(*command, cwd=tmp_path, **settings_of)
        assert (wrong.returncode, word in wrong.stderr) == (2, True), wrong.stderr
    for command, word in (
        (("shipping", "set", "post", "Post", "--price", "5:1", "--currency", "EUR"), "begin at 0"),
        (("shipping", "set", "No Post", "Post", "--price", "5", "--currency", "EUR"), "small letters"),
        (("shipping", "drop", "nothing"), "no shipping method nothing"),
        (("tax", "drop", "FR"), "no such tax rate"),
        (("promotions", "add", "x", "--fixed", "5"), "currency"),
        (("promotions", "end", "nothing"), "no such running offer"),
    ):
        fails(tfmshop(*command, cwd=tmp_path, **settings_of), 1, word)
    wrong = tfmshop("inventory", "warehouse", "No Where", "x", cwd=tmp_path, **settings_of)
    assert (wrong.returncode, "1 to 30 small letters" in wrong.stderr) == (2, True)
    fails(tfmshop("inventory", "set", "nothing", "1", cwd=tmp_path, **settings_of), 1, "no such product")
    fails(tfmshop("catalog", "import", "none.csv", cwd=tmp_path, **settings_of), 1, "Cannot read none.csv")
    fails(tfmshop("categories", "attribute", "x", "--drop", cwd=tmp_path, **settings_of), 1, "no attribute 'x'")
    fails(tfmshop("categories", "attribute", "x", "--unit", "W", cwd=tmp_path, **settings_of), 1, "only numbers")
    fails(tfmshop("categories", "attribute", "", cwd=tmp_path, **settings_of), 1, "Cannot use that attribute")
    (tmp_path / "a.txt").touch()
    fails(tfmshop("catalog", "import", "a.txt", cwd=tmp_path, **settings_of), 1, "expected a name like")
    for command in ("up", "serve"):
        nobody = {"DATABASE_URL": "postgresql://u:topsecret@127.0.0.1:1/x", "REDIS_URL": os.environ[REDIS]}
        result = tfmshop(command, cwd=tmp_path, PORT=str(free_port()), **nobody)
        fails(result, 1, "Cannot reach PostgreSQL at 127.0.0.1:1", "DATABASE_URL")
        assert "topsecret" not in result.stdout + result.stderr
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            fails(tfmshop(command, cwd=tmp_path, PORT=port, **settings_of), 1, f"Port {port} is taken")
        missing = settings_of["DATABASE_URL"].replace("/fresh_", "/no_")
        result = tfmshop(command, cwd=tmp_path, PORT=str(free_port()), **(settings_of | {"DATABASE_URL": missing}))
        fails(result, 1, "has no database")


def test_a_folder_without_a_shop(tmp_path):
    for command in ("doctor", "orders list", "prices list"):
        fails(tfmshop(*command.split(), cwd=tmp_path), 1, "There is no shop in", "tfmshop up")
    assert not (tmp_path / ".tfmshop").exists()


def test_what_is_not_installed_is_said_before_anything_starts(tmp_path):
    """The extra is there in tests: its absence is played by an empty module path."""
    (tmp_path / "stripe.py").write_text("raise ImportError('not here')")
    given = {"STRIPE_SECRET_KEY": "sk_x", "STRIPE_WEBHOOK_SECRET": "whsec_x", "SHOP_URL": "https://shop.example",
             "PYTHONPATH": str(tmp_path), "PORT": str(free_port())}  # fmt: skip
    for command in ("up", "serve", "work"):
        fails(newly_started(command, cwd=tmp_path, **given), 2, "needs the extra")


def test_a_home_that_cannot_be_written(tmp_path):
    (tmp_path / "home").write_text("a file, not a folder")
    result = tfmshop("up", cwd=tmp_path, PORT=str(free_port()), TFMSHOP_HOME=str(tmp_path / "home"))
    fails(result, 1, "Cannot write to", "TFMSHOP_HOME")


@pytest.mark.skipif(not OLD.exists(), reason="no PostgreSQL 15 is installed here")
def test_a_server_that_is_too_old(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="old-postgres-"))
    owner = choose()
    owner.take(folder)
    try:
        subprocess.run(
            [OLD / "initdb", "-D", folder, "-U", "u", "--auth=trust", "--locale=C"], check=True, cwd="/",
            capture_output=True, **owner.spawn,
        )  # fmt: skip
        arguments = ["-D", str(folder), "-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        process = subprocess.Popen([OLD / "postgres", *arguments], cwd="/", stderr=subprocess.DEVNULL, **owner.spawn)
        try:
            for _ in range(200):
                if (folder / ".s.PGSQL.5432").exists():
                    break
                time.sleep(0.05)
            url = f"postgresql://u@/postgres?host={folder}"
            result = tfmshop("up", cwd=tmp_path, PORT=str(free_port()), DATABASE_URL=url, REDIS_URL=os.environ[REDIS])
            fails(result, 1, "PostgreSQL 15.", "too old", "16 or later")
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder)


async def test_search_by_commands(settings_of, tmp_path):
    def run(*arguments: str, **settings: str):
        return tfmshop(*arguments, cwd=tmp_path, **settings_of, **settings)

    assert run("seed").returncode == 0
    told = run("search", "status")
    assert told.returncode == 0
    for words in ("english", "60", "up to date", "none", "off"):
        assert words in told.stdout
    fails(run("search", "meaning"), 1, "SEARCH_MEANING=local")
    learnt = run("search", "meaning", "--json", SEARCH_MEANING="local")
    assert json.loads(learnt.stdout)["learnt"] == 60, learnt.stderr
    assert "0 products" in run("search", "meaning", SEARCH_MEANING="local").stdout
    now = json.loads(run("search", "status", "--json").stdout)
    assert (now["entries"], now["model"], now["reindexing"]) == (60, "wordllama-l2-supercat-256", None)
    assert json.loads(run("search", "reindex", "--rest", "0", "--json").stdout)["products"] == 60
    assert "forgotten" in run("search", "meaning", "--off").stdout
    assert json.loads(run("search", "status", "--json").stdout)["model"] is None
    fails(run("search", "status", SEARCH_MEANING="remote"), 2, "SEARCH_MEANING", "local")
