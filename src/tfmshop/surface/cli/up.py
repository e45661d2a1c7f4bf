"""`tfmshop up`: the whole shop in one command."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import FrameType
from typing import Any, Final

import typer

from tfmshop.commerce import search
from tfmshop.platform import Config, Platform, codec
from tfmshop.platform.db import check_server, migrate
from tfmshop.surface.cli.host import Failure, Host, host_of, visible
from tfmshop.surface.cli.output import out, progress_bar
from tfmshop.surface.cli.serve import check_port
from tfmshop.surface.sample import fill, small
from tfmshop.surface.sample.fill import PASSWORD

START_SECONDS: Final = 30
STOP_SECONDS: Final = 35


def up(context: typer.Context) -> None:
    """Start everything: servers, schema, sample data if the shop is empty, web server and job runner. Ctrl-C stops it.

    PostgreSQL and Redis are embedded (data in TFMSHOP_HOME) unless DATABASE_URL and REDIS_URL are set.

    Examples: `tfmshop up`, `PORT=8001 tfmshop up`
    """
    host = host_of(context)
    config = host.read_config()
    host.check(config)
    check_port(config.text("HOST"), config.number("PORT"))
    stop = _on_stop_signals()
    with host.running(config) as ready:
        _prepare(host, ready)
        if not stop.asked:
            _run(ready, stop)


class _Stop:
    asked = False

    def ask(self, _: int, __: FrameType | None) -> None:
        self.asked = True


def _on_stop_signals() -> _Stop:
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop.ask)
    return stop


def _prepare(host: Host, config: Config) -> None:
    url = config.text("DATABASE_URL")
    asyncio.run(check_server(url))
    for name in asyncio.run(migrate.upgrade(url)):
        out.print(f"schema: applied {name}")

    async def seed() -> None:
        async with host.opened(config) as platform:
            if await _is_empty(platform):
                with progress_bar() as bar:
                    filled = await fill(platform, small, 1, bar)
                out.print(f"sample shop: {filled.rows['products']} products, {filled.rows['people']} people, "
                          f"{filled.rows['orders']} orders")  # fmt: skip

    if config.text("APP_ENV") != "production":
        asyncio.run(seed())


async def _is_empty(platform: Platform) -> bool:
    async with platform.db.read() as tx:
        return (await search.find(tx, search.Wanted(limit=1))).total == 0


def _run(config: Config, stop: _Stop) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    for name in ("DATABASE_URL", "REDIS_URL", "TFMSHOP_HOME", "HOST", "PORT"):
        environment[name] = str(config.home) if name == "TFMSHOP_HOME" else str(config.values[name])
    children = [_child(name, environment) for name in ("serve", "work")]
    try:
        base = f"http://{visible(config.text('HOST'))}:{config.number('PORT')}"
        _wait_until_ready(base, children, stop)
        if not stop.asked:
            _greet(base)
        while not stop.asked:
            _all_alive(children)
            time.sleep(0.1)
        out.print("Stopping...")
    finally:
        _end(children)
    out.print("Stopped. The data is kept; `make up` starts again in seconds.")


def _child(name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "tfmshop", name, "--until-stdin-closes"], env=environment, stdin=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def _wait_until_ready(base: str, children: list[subprocess.Popen[bytes]], stop: _Stop) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not stop.asked:
        _all_alive(children)
        try:
            with urllib.request.urlopen(f"{base}/health/ready", timeout=1):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    if not stop.asked:
        raise Failure("The web server did not become ready; its messages are above.")


def _all_alive(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is not None:
            raise Failure(f"A process of the shop ended with code {child.returncode}; its messages are above.")


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _greet(base: str) -> None:
    api = f"{base}/api/v1"
    lines = [
        "",
        "The shop is open.",
        "",
        f"  products   {api}/products",
        f"  API        {base}/openapi.json",
        f"  health     {base}/health",
        f"  sign in    admin@example.com or alice@example.com, password {PASSWORD}",
    ]
    order = _first_order(api)
    if order:
        lines += ["", "A first order (its cart is filled already), from another terminal:", "", order]
    lines += ["", "Ctrl-C stops everything."]
    out.print("\n".join(lines), markup=False)


def _first_order(api: str) -> str:
    """One curl line that orders what is in a cart made for it; empty when nothing is in stock."""
    found = _call("GET", f"{api}/products?in_stock=true&sort=popular&limit=1")["items"]
    if not found:
        return ""
    cart = _call("POST", f"{api}/carts")
    headers = {"Cart-Token": cart["token"], "Content-Type": "application/json"}
    _call("POST", f"{api}/carts/{cart['id']}/lines", headers, {"product_id": found[0]["id"], "quantity": 1})
    purchase = {
        "email": "you@example.com",
        "address": {"name": "You", "line1": "1 Main Street", "city": "Portland", "country": "US"},
        "payment": {"provider": "fake", "token": "ok"},
    }
    return (
        f"curl -X POST {api}/carts/{cart['id']}/checkout -H 'Cart-Token: {cart['token']}' "
        f"-H 'Idempotency-Key: first-{cart['id'][-12:]}' -H 'Content-Type: application/json' "
        f"-d '{codec.encode_text(purchase)}'"
    )


def _call(method: str, url: str, headers: dict[str, str] | None = None, body: object = None) -> Any:
    data = None if body is None else codec.encode(body)
    request = urllib.request.Request(url, data, headers or {}, method=method)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own address
        return codec.decode(response.read())
