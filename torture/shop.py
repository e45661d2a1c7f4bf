"""A shop of real processes to be tortured: servers of its own, products with stock, carts, and a ledger of answers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.harness import BIN, UNLIMITED, finished, free_port, scratch_home, server
from tfmshop.commerce import catalog, inventory
from tfmshop.commerce.payments import FakeProvider
from tfmshop.config import read
from tfmshop.platform import cache, clock, codec, ids, limits
from tfmshop.platform.db import Database, Options, Query, broken, connect
from tfmshop.platform.embedded import running
from tfmshop.platform.limits import Allowance
from tfmshop.platform.security.access import digest
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals
from torture.client import LONGEST_SECONDS, Answer, Client

BUY = {"payment": {"provider": "fake", "token": "ok"}, "email": "t@example.com",
       "address": {"name": "T", "line1": "1 Road", "city": "Lyon", "country": "FR"}}  # fmt: skip

CARTS = Query("torture.carts", "INSERT INTO cart.cart (id, token_hash, currency, expires_at, coupon) "
              "SELECT id, hash, 'USD', now() + interval '1 day', $3 FROM unnest($1::uuid[], $2::bytea[]) AS c(id, hash)"
              )  # fmt: skip
JOBS = Query("torture.jobs", "SELECT count(*)::int FROM jobs.pgqueuer")
LINES = Query("torture.lines", "INSERT INTO cart.line (id, cart_id, variant_id, quantity, unit_price) "
              "SELECT gen_random_uuid(), cart, variant, quantity, 1000 "
              "FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS l(cart, variant, quantity)")  # fmt: skip
FREE = Query("torture.free", "SELECT sum(available)::bigint FROM inventory.stock WHERE variant_id = ANY($1::uuid[])")
SOLD = Query("torture.sold", "SELECT coalesce(sum(quantity), 0)::bigint FROM orders.bought "
             "WHERE variant_id = ANY($1::uuid[]) AND status <> 'cancelled'")  # fmt: skip
ORDERS_OF = Query("torture.orders_of", "SELECT cart_id, id::text FROM orders.placed "
                  "WHERE cart_id = ANY($1::uuid[]) AND status <> 'cancelled'")  # fmt: skip
PEOPLE = Query("torture.people", "INSERT INTO accounts.customer (id, email, name, password_hash, role, created_at) "
               "SELECT gen_random_uuid(), email, 'T', $2, $3, now() FROM unnest($1::text[]) AS t(email)")  # fmt: skip
CLOSE = Query("torture.close", "UPDATE accounts.customer SET is_active = false WHERE email LIKE $1")
LIKE = Query("torture.like", "SELECT email FROM accounts.customer WHERE email LIKE $1")
DEADLOCKS = Query("torture.deadlocks", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


@dataclass(frozen=True, slots=True)
class Cart:
    """A guest's cart and its token."""

    id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Goods:
    """Products for one run: ids for requests, variants for the books, and how many units there were."""

    products: list[UUID]
    variants: list[UUID]
    units: int


class Ledger:
    """What a client was told, safe on the disk before it goes on: key, attempt, status, order."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self.acknowledged: dict[str, set[str]] = {}

    def note(self, key: str, attempt: int, answer: Answer | None) -> None:
        """One answer, or None when there was none."""
        order = answer.json()["id"] if answer is not None and answer.status == 201 else None
        self._file.write(codec.encode([key, attempt, answer and answer.status, order]) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        if order:
            self.acknowledged.setdefault(key, set()).add(order)


class Shop:
    """The shop's address, its database, and what a torture needs of both."""

    def __init__(self, base: str, url: str, home: Path, environment: dict[str, str]) -> None:
        self.base = base
        self.environment = os.environ | environment
        self.home = home
        self.opened_at = clock.now()
        self._url = url

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """A pool of one's own."""
        db = await connect(
            self._url, Options(statement_seconds=600, idle_transaction_seconds=600, bulk=True, maximum=4)
        )
        yield db
        await db.close()

    def client(self, connections: int) -> Client:
        """A client that waits for one of so many connections as long as it takes."""
        return Client(self.base, connections)

    @property
    def company(self) -> FakeProvider:
        """The payment company of the shop, as one who sits there."""
        return FakeProvider(self.home / "fake-payments.jsonl")

    async def work_off(self, db: Database) -> None:
        """Run the shop's job runner until nothing waits any more."""
        async with self.working(), asyncio.timeout(LONGEST_SECONDS):
            while await self.waiting(db):  # noqa: ASYNC110 - another process empties the queue
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The shop's job runner beside the block."""
        worker = await asyncio.create_subprocess_exec(
            BIN / "tfmshop", "work", env=self.environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            yield
        finally:
            worker.terminate()
            await worker.wait()

    async def command(self, *words: str) -> None:
        """One command of the shop that must succeed."""
        await asyncio.to_thread(finished, [str(BIN / "tfmshop"), *words], self.environment)

    async def waiting(self, db: Database) -> int:
        """How many jobs wait."""
        return await self.count(db, JOBS)

    async def count(self, db: Database, query: Query) -> int:
        """The one number that a query gives."""
        async with db.read() as tx:
            found: int = await tx.value(query)
            return found

    async def people(self, emails: Sequence[str], password: str, role: str = "customer") -> None:
        """Add people who have that password."""
        passwords = Passwords()
        hashed = passwords.hash_sample(password, 1)
        passwords.close()
        async with self.database() as db, db.tx() as tx:
            await tx.execute(PEOPLE, list(emails), hashed, role)

    async def signed_in(self, role: str) -> dict[str, str]:
        """The header of somebody with that role."""
        email = f"{role}-{ids.readable(8).lower()}@example.com"
        await self.people([email], "correct horse", role)
        async with self.client(1) as client:
            answer = await client.post("/auth/login", {"email": email, "password": "correct horse"}, {})
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def close_and_lock(self, closed: str, locked: str) -> None:
        """Close the accounts whose address is like `closed`, and use up the tries of those like `locked`."""
        seals = Seals((self.home / "seal.secret").read_text())
        async with self.database() as db, db.tx() as tx:
            await tx.execute(CLOSE, closed)
            for row in await tx.rows(LIKE, locked):
                key = seals.seal(b"tries" + row["email"].encode())[:16].hex()
                mine = [Allowance(f"account:{key}", 5, timedelta(minutes=15))]
                for _ in range(5):
                    await limits.note(tx, mine, clock.now())

    async def cache_reports(self, db: Database) -> list[cache.report.Report]:
        """What the web processes say of their caches, once they said it anew."""
        await asyncio.sleep(7)
        async with db.read() as tx:
            return await cache.report.told(tx)

    @property
    def redis_pid(self) -> int:
        """The process of the shop's Redis."""
        return int((self.home / "redis" / "redis.pid").read_text())

    def ledger(self) -> Ledger:
        """A new ledger."""
        return Ledger(self.home / f"ledger-{ids.new()}.jsonl")


async def goods(db: Database, count: int, units: int) -> Goods:
    """New products with so many units each."""
    made = [
        catalog.NewProduct(sku=f"T-{ids.readable(12)}", title=f"Torture {n}", price=1000, currency="USD", stock=units)
        for n in range(count)
    ]  # fmt: skip
    async with db.tx() as tx:
        loaded = [one for one in await catalog.Loader().load(tx, made) if not isinstance(one, str)]
        await inventory.set_levels(
            tx, [inventory.Level(v, one.product_id, sku, n) for one in loaded for v, (sku, n) in one.stock.items()]
        )
    return Goods([one.product_id for one in loaded], [v for one in loaded for v in one.stock], count * units)


async def carts(
    db: Database, filled_with: Sequence[Sequence[tuple[UUID, int]]], coupon: str | None = None
) -> list[Cart]:
    """Guests' carts with these variants and quantities in them, made straight in the database."""
    made = [Cart(ids.new(), ids.token()) for _ in filled_with]
    rows = [(cart.id, *line) for cart, lines in zip(made, filled_with, strict=True) for line in lines]
    async with db.tx() as tx:
        await tx.execute(CARTS, [cart.id for cart in made], [digest(cart.token) for cart in made], coupon)
        await tx.execute(LINES, *[list(column) for column in zip(*rows, strict=True)] if rows else ([], [], []))
    return made


async def buy(client: Client, cart: Cart, key: str, body: dict[str, Any] | None = None) -> Answer:
    """One checkout."""
    headers = {"Cart-Token": cart.token, "Idempotency-Key": key}
    return await client.post(f"/carts/{cart.id}/checkout", body or BUY, headers)


async def books(db: Database, sold: Goods, of: Sequence[Cart], ledger: Ledger) -> dict[str, int]:
    """What the books say afterwards; each of these must be none."""
    async with db.read() as tx:
        free, out = await tx.value(FREE, sold.variants), await tx.value(SOLD, sold.variants)
        by_cart: dict[UUID, list[str]] = {}
        for cart_id, order in await tx.rows(ORDERS_OF, [cart.id for cart in of]):
            by_cart.setdefault(cart_id, []).append(order)
        truths = await broken(tx)
    if truths:
        print("      broken:", "; ".join(truths), flush=True)
    there = {order for found in by_cart.values() for order in found}
    told = [order for found in ledger.acknowledged.values() for order in found]
    return {
        "units that are neither on the shelf nor sold": abs(sold.units - free - out),
        "acknowledged orders that are not there": len(set(told) - there),
        "keys with two orders": sum(len(found) > 1 for found in ledger.acknowledged.values()),
        "carts with two orders": sum(len(found) > 1 for found in by_cart.values()),
        "broken truths": len(truths),
    }


@contextmanager
def open_shop(
    settings: dict[str, str], workers: int = 1, spoiled: Sequence[str] = (), disk_mib: int = 0
) -> Iterator[Shop]:  # fmt: skip
    """A shop with servers of its own and some settings, until the block ends; loads come from one address. `spoiled` is
    how its web server is made prone to a fault (see torture/spoiled.py); with `disk_mib` its folder is a disk of its
    own, in memory, which only root may have.
    """
    with scratch_home() as home, _disk(home, disk_mib), running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        url, port = config.text("DATABASE_URL"), free_port()
        environment = {"DATABASE_URL": url, "REDIS_URL": config.text("REDIS_URL"), "TFMSHOP_HOME": str(home),
                       "PORT": str(port), "LOG_LEVEL": "error", "SUSPICION": "off"} | UNLIMITED | settings  # fmt: skip
        finished([str(BIN / "tfmshop"), "db", "migrate"], environment)
        base = f"http://127.0.0.1:{port}"
        program = [sys.executable, "-m", "torture.spoiled", *spoiled] if spoiled else [str(BIN / "tfmshop")]
        serve = [*program, "serve", "--workers", str(workers)]
        with server(serve, f"{base}/health/ready", environment):
            yield Shop(base, url, home, environment)


@contextmanager
def _disk(home: Path, mib: int) -> Iterator[None]:
    if mib:
        finished(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tmpfs", str(home)], {})
    try:
        yield
    finally:
        if mib:
            finished(["umount", "--lazy", str(home)], {})
