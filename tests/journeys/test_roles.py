"""One shop as separate services: storefront and back office behind nginx and PgBouncer, jobs and the clock apart."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager

import asyncpg
import pytest

from tests.bouncer import bouncing
from tests.front import nginx_before
from tests.processes import BIN, UNLIMITED, call, environment, free_port, kill_group, tfmshop, wait_for
from tests.servers import REDIS

ALLOWED = 120
ADDRESS = {"name": "R", "line1": "1 Road", "city": "Lyon", "country": "FR"}
PAYS = {"payment": {"provider": "fake", "token": "ok"}, "email": "r@example.com", "address": ADDRESS}


@contextmanager
def process(*arguments: str, **settings: str):
    """A command that goes on."""
    running = subprocess.Popen([str(BIN), *arguments], env=environment(**settings), start_new_session=True,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    try:
        yield running
        assert running.poll() is None
        running.terminate()
        running.wait(timeout=60)
    finally:
        kill_group(running)


@pytest.fixture
def services(fresh_url, tmp_path):
    """Ports of storefront and back office, and how nginx is asked; a seeded shop, whose requests nobody else counts."""
    home, ports = str(tmp_path / "home"), [str(free_port()), str(free_port())]
    with ExitStack() as stack:
        pool = stack.enter_context(bouncing(fresh_url, default_pool_size=4))
        settings = {
            "DATABASE_URL": fresh_url, "DATABASE_POOL_URL": pool, "REDIS_URL": f"{os.environ[REDIS]}?db=1",
            "TFMSHOP_HOME": home, "TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "error", **UNLIMITED,
            "RATE_LIMIT_API": str(ALLOWED), "REDIS_TIMEOUT": "2000",
        }  # fmt: skip
        assert tfmshop("seed", cwd=tmp_path, **settings).returncode == 0
        stack.enter_context(process("work", "--queues", "orders,inventory,search,news", **settings))
        stack.enter_context(process("schedule", **settings))
        for part, port in zip(("storefront", "admin"), ports, strict=True):
            server = stack.enter_context(process("serve", "--only", part, PORT=port, **settings))
            wait_for(f"http://127.0.0.1:{port}/health/ready", server)
        yield ports, stack.enter_context(nginx_before(tmp_path, *ports))


def test_a_part_is_deployed_as_the_whole_is(fresh_url, tmp_path):
    settings = {
        "DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path / "home"),
        "LOG_LEVEL": "error", **UNLIMITED,
    }  # fmt: skip
    for part in ("storefront", "admin"):
        here = settings | {"PORT": str(free_port()), "SERVE_ONLY": part}
        with process("serve", **here) as server:
            wait_for(f"http://127.0.0.1:{here['PORT']}/health/ready", server)
            boxes = ("--only", "health", "--only", "security of answers")
            told = tfmshop("production", "checklist", *boxes, cwd=tmp_path, **here)
            assert told.returncode == 0, told.stdout


async def test_services_are_one_shop(services, fresh_url):
    (storefront, admin), once = services

    def ask(*asked, **how):
        """An answer, also of a machine that is busy with other tests."""
        deadline = time.monotonic() + 30
        while (answer := once(*asked, **how)).status == 503 and time.monotonic() < deadline:
            time.sleep(0.5)
        return answer

    assert call(f"http://127.0.0.1:{storefront}/api/v1/admin/products")[0] == 404
    assert call(f"http://127.0.0.1:{admin}/api/v1/products")[0] == 404
    assert call(f"http://127.0.0.1:{admin}/api/v1/admin/products")[0] == 401

    listed = ask("/api/v1/products?limit=1&in_stock=true")
    assert listed.status == 200, listed.body
    (product,) = listed.body["items"]
    page = f"/api/v1/products/{product['slug']}"
    assert ask(page).body["title"] == product["title"]
    signed_in = ask("/api/v1/auth/login", {"email": "admin@example.com", "password": "tfmshop-demo"})
    bearer = f"Bearer {signed_in.body['access_token']}"
    for n in range(5):
        title = f"Another title {n}"
        changed = ask(f"/api/v1/admin/products/{product['id']}", {"title": title}, method="PATCH", Authorization=bearer)
        assert changed.status == 200, changed.body
        await asyncio.sleep(0.1)
        assert ask(page).body["title"] == title, "the storefront heard of it"

    cart = ask("/api/v1/carts", {}).body
    token = {"Cart_Token": cart["token"]}
    assert ask(f"/api/v1/carts/{cart['id']}/lines", {"product_id": product["id"], "quantity": 1}, **token).status == 201
    order = ask(f"/api/v1/carts/{cart['id']}/checkout", PAYS, Idempotency_Key="once", **token)
    assert order.status == 201, order.body
    assert ask(f"/api/v1/admin/orders/{order.body['number']}", Authorization=bearer).body["status"] == "paid"

    connection = await asyncpg.connect(fresh_url)
    deadline = time.monotonic() + 30
    while await connection.fetchval("SELECT count(*) FROM jobs.event") or not await connection.fetchval(
        "SELECT count(*) FROM news.letter WHERE sent_at IS NOT NULL"
    ):
        assert time.monotonic() < deadline, "nobody told of the order"
        await asyncio.sleep(0.1)
    names = await connection.fetch(
        "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE datname = current_database()"
    )
    await connection.close()
    assert {"tfmshop web", "tfmshop listener", "tfmshop jobs"} <= {row["name"] for row in names}

    out = ask("/api/v1/auth/logout", {"refresh_token": signed_in.body["refresh_token"]}, Authorization=bearer)
    assert out.status == 204
    assert ask("/api/v1/admin/orders", Authorization=bearer).status == 401, "an ended session is ended everywhere"

    client = {"X-Forwarded-For": "198.51.100.7"}
    urls = [f"http://127.0.0.1:{port}/api/v1/auth/providers" for port in (storefront, admin)] * ALLOWED
    answers = [call(url, headers=client)[0] for url in urls]
    assert set(answers) == {200, 429}
    assert abs(answers.count(200) - ALLOWED) <= ALLOWED * 0.05, "both count against one allowance"
