"""R16 and R20: news that arrives though its runner is killed, and backups that bring back any moment."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

import asyncpg

from bench.harness import BIN
from tfmshop.platform import backup, clock
from tfmshop.platform.backup import Key, Vault
from tfmshop.platform.backup.compare import false
from tfmshop.platform.backup.encryption import new
from tfmshop.platform.db import Query
from torture.client import Client
from torture.report import Report
from torture.shop import Cart, Shop, buy, carts, goods
from torture.staying import Buyers

EVENTS: Final = Query("torture.events", "SELECT e.number, e.subject::text FROM news.event AS e "
                      "JOIN news.delivery AS d ON d.event_number = e.number")  # fmt: skip
TO_TELL: Final = Query("torture.to_tell", "SELECT count(*)::int FROM news.delivery WHERE status = 'waiting'")
HOOKS: Final = {"WEBHOOKS_PRIVATE": "true"}
SLOW_SECONDS: Final = 0.05
"""How long a receiver thinks about what it is told."""


async def runner_killed(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R16: the job runner is killed 20 times, each in the middle of a delivery, while people buy and cancel and a
    receiver refuses every fifth of what it is told.
    """
    source, times, orders = random.Random(seed), max(4, 20 // part), 400 // part
    async with shop.database() as db, shop.client(16) as client, _receiving(source) as receiver:
        await shop.command("webhooks", "add", receiver.url)
        sold = await goods(db, 1, 1_000_000)
        made = iter(await carts(db, [[(sold.variants[0], 1)]] * orders))
        for _ in range(times):
            runner = await asyncio.create_subprocess_exec(
                BIN / "tfmshop", "work", env=shop.environment, stderr=asyncio.subprocess.DEVNULL
            )
            buying = asyncio.create_task(_regretted(client, list(islice(made, orders // times))))
            await asyncio.sleep(2 + 2 * source.random())
            receiver.told.clear()
            async with asyncio.timeout(60):
                await receiver.told.wait()
            runner.kill()
            await runner.wait()
            await buying
        async with shop.working(), asyncio.timeout(900):
            while await shop.count(db, TO_TELL) or await shop.waiting(db):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.5)
        async with db.read() as tx:
            subjects = {f"evt_{number}": subject for number, subject in await tx.rows(EVENTS)}
        first = list(dict.fromkeys(receiver.taken))
        told: dict[str, list[int]] = defaultdict(list)
        for event in first:
            told[subjects[event]].append(int(event[4:]))
        report.exactly("R16", "times the runner was killed in the middle of a delivery", times, times)
        report.at_least("R16", "deliveries that had no answer when it was killed", receiver.unheard, times)
        report.at_least("R16", "events", len(subjects), 2 * orders)
        report.exactly("R16", "events lost", len(set(subjects) - set(first)), 0)
        report.exactly("R16", "orders whose events came out of order",
                       sum(numbers != sorted(numbers) for numbers in told.values()), 0)  # fmt: skip


async def _regretted(client: Client, those: list[Cart]) -> None:
    """Orders that are placed and cancelled, over some four seconds."""
    for cart in those:
        order = (await buy(client, cart, f"r16 {cart.id}")).json()
        cancelled = await client.post(f"/orders/{order['id']}/cancel", None, {"Order-Token": order["token"]})
        assert cancelled.status == 200, cancelled.body
        await asyncio.sleep(4 / len(those))


@dataclass
class _Receiver:
    """A receiver of webhooks that takes its time and refuses every fifth."""

    source: random.Random
    url: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is told something, some time before it answers."""
    unheard: int = 0
    """Answers for which nobody waited any more."""
    taken: list[str] = field(default_factory=list)
    """The ids of what it took, in order."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                named = {name.lower(): value for name, value in fields.items()}
                await reader.readexactly(int(named.get("content-length", "0")))
                self.told.set()
                await asyncio.sleep(SLOW_SECONDS)
                refused = self.source.random() < 0.2
                if not refused:
                    self.taken.append(named["webhook-id"])
                if reader.at_eof() or writer.is_closing():
                    self.unheard += 1
                status = b"500 No" if refused else b"204 Thanks"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _receiving(source: random.Random) -> AsyncIterator[_Receiver]:
    receiver = _Receiver(source)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()


async def any_moment(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R20: a backup is brought to five moments of a load; orders that were acknowledged before are there, none that was
    begun afterwards, and the books are right.
    """
    source, url, count = random.Random(seed), shop.environment["DATABASE_URL"], 5 if part == 1 else 2
    vault = Vault(shop.home / "vault", Key.of(new()[0]))
    async with shop.database() as db:
        buyers = _Dated(shop, db, await goods(db, 1, 100_000_000))
        stopping = asyncio.Event()
        receiving = asyncio.create_task(backup.receive(url, vault, stopping, lambda _: None))
        moments = []
        async with buyers.buying():
            made = await backup.base(url, vault)
            for _ in range(count):
                await asyncio.sleep(2 + 4 * source.random())
                moments.append(clock.now())
            await asyncio.sleep(2)
        stopping.set()
        await receiving
        good = missing = early = 0
        for moment in moments:
            found, lost, unborn = await _brought_to(vault, made, moment, buyers)
            good, missing, early = good + found, missing + lost, early + unborn
        report.exactly("R20", "moments that reconcile", good, count)
        report.at_least("R20", "orders acknowledged before the last of them", buyers.before(moments[-1]), 1000 // part)
        report.exactly("R20", "orders acknowledged before and not there", missing, 0)
        report.exactly("R20", "orders there and asked for afterwards", early, 0)
        await buyers.report(report, "R20")


class _Dated(Buyers):
    """Buyers who know when an order was asked for, and when it was acknowledged."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.told: dict[str, datetime] = {}
        self.asked: dict[str, datetime] = {}
        keep = self.ledger.note

        def note(key: str, attempt: int, answer: object) -> None:
            keep(key, attempt, answer)  # type: ignore[arg-type]
            for order in self.ledger.acknowledged.get(key, ()):
                self.told.setdefault(order, clock.now())

        self.ledger.note = note  # type: ignore[method-assign,assignment]

    def before(self, moment: datetime) -> int:
        """How many had been acknowledged."""
        return sum(at <= moment for at in self.told.values())


async def _brought_to(
    vault: Vault, made: backup.Backup, moment: datetime, buyers: _Dated
) -> tuple[int, int, int]:  # fmt: skip
    """Whether the books are right; orders that are missing, and that should not be there yet."""
    async with backup.restored(made, vault, moment) as there:
        connection = await asyncpg.connect(there)
        try:
            orders = {str(row[0]) for row in await connection.fetch("SELECT id FROM orders.placed")}
            late = await connection.fetchval("SELECT count(*) FROM orders.placed WHERE placed_at > $1", moment)
            broken = await false(connection)
        finally:
            await connection.close()
    missing = sum(at <= moment and order not in orders for order, at in buyers.told.items())
    return int(not broken and not missing and not late), missing, int(late)
