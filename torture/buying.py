"""R1 to R5: many buyers at once, the same key many times, sockets that are cut."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable
from typing import Final
from urllib.parse import urlsplit

from tfmshop.platform import codec
from torture.client import Client
from torture.report import Report
from torture.shop import BUY, DEADLOCKS, Cart, Ledger, Shop, books, buy, carts, goods

AT_ONCE: Final = 1000
TRIES: Final = 600
"""Connections; further requests wait in the client."""


async def hot_product(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R1: 10,000 checkouts at once for one product with 100 units."""
    buyers = 10_000 // part
    async with shop.database() as db, shop.client(AT_ONCE) as client:
        sold = await goods(db, 1, 100)
        made = await carts(db, [[(sold.variants[0], 1)]] * buyers)
        ledger = shop.ledger()
        answers: Counter[str] = Counter()

        async def one(number: int, cart: Cart) -> None:
            answer = await buy(client, cart, f"r1 {seed} {number}")
            ledger.note(f"{number}", 1, answer)
            answers[answer.kind] += 1

        await asyncio.gather(*[one(number, cart) for number, cart in enumerate(made)])
        report.exactly("R1", "orders of 100 units", answers.pop("201"), 100)
        report.exactly("R1", "refused as out of stock", answers.pop("409 out_of_stock", 0), buyers - 100)
        report.exactly("R1", f"other answers {_told(answers)}", answers.total(), 0)
        await _books(report, "R1", books(db, sold, made, ledger))


async def crossing_carts(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R2: 200 workers with 50 carts each over the same 5 products, in any order."""
    source = random.Random(seed)
    async with shop.database() as db, shop.client(200) as client:
        sold = await goods(db, 5, 1_000_000)
        made = await carts(db, [
            [(variant, source.randint(1, 3)) for variant in source.sample(sold.variants, source.randint(2, 5))]
            for _ in range(200 * 50 // part)
        ])  # fmt: skip
        ledger = shop.ledger()
        answers: Counter[str] = Counter()
        async with db.read() as tx:
            before = await tx.value(DEADLOCKS)

        async def worker(number: int) -> None:
            for cart in made[number::200]:
                answer = await buy(client, cart, f"r2 {cart.id}")
                ledger.note(str(cart.id), 1, answer)
                answers[answer.kind] += 1

        await asyncio.gather(*[worker(number) for number in range(200)])
        report.exactly("R2", "orders", answers.pop("201"), len(made))
        report.exactly("R2", f"other answers {_told(answers)}", answers.total(), 0)
        await asyncio.sleep(1.5)
        async with db.read() as tx:
            report.exactly("R2", "deadlocks", await tx.value(DEADLOCKS) - before, 0)
        await _books(report, "R2", books(db, sold, made, ledger))


async def same_product_often(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R3: 2,000 carts into which the same product is put several times at once, then ordered; not enough for all."""
    source = random.Random(seed)
    async with shop.database() as db, shop.client(100) as client:
        sold = await goods(db, 1, 2500 // part)
        made = await carts(db, [[] for _ in range(2000 // part)])
        ledger = shop.ledger()
        answers: Counter[str] = Counter()

        async def add(cart: Cart, units: int) -> int:
            line = {"product_id": str(sold.products[0]), "quantity": units}
            for _ in range(TRIES):
                answer = await client.post(f"/carts/{cart.id}/lines", line, {"Cart-Token": cart.token})
                if answer.status != 503:  # turned away before anything was looked at: it comes again, as it is told to
                    return units if answer.status == 201 else 0
                await asyncio.sleep(1)
            raise AssertionError("turned away too often")

        async def one(cart: Cart, parts: list[int]) -> None:
            units = sum(await asyncio.gather(*[add(cart, part) for part in parts]))
            answer = await buy(client, cart, f"r3 {cart.id}")
            ledger.note(str(cart.id), 1, answer)
            answers[answer.kind] += 1
            if answer.status == 201:
                answers["wrong quantity"] += sum(line["quantity"] for line in answer.json()["lines"]) != units

        await asyncio.gather(*[one(cart, [source.randint(1, 2) for _ in range(source.randint(2, 3))]) for cart in made])
        report.at_least("R3", "orders", answers.pop("201"), 500 // part)
        report.at_least("R3", "refused as out of stock", answers.pop("409 out_of_stock", 0)
                        + answers.pop("409 cart_empty", 0), 500 // part)  # fmt: skip
        report.exactly("R3", "orders with another quantity than was acknowledged", answers.pop("wrong quantity", 0), 0)
        report.exactly("R3", f"other answers {_told(answers)}", answers.total(), 0)
        await _books(report, "R3", books(db, sold, made, ledger))


async def same_key(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R4: 1,000 keys, each sent ten times at once; then with another body, and by another caller."""
    keys = 1000 // part
    async with shop.database() as db, shop.client(200) as client:
        sold = await goods(db, 1, 1_000_000)
        made = await carts(db, [[(sold.variants[0], 1)]] * keys)
        others = await carts(db, [[(sold.variants[0], 1)]] * keys)
        ledger = shop.ledger()
        found: Counter[str] = Counter()

        async def until_answered(cart: Cart, key: str) -> bytes:
            for attempt in range(200):
                answer = await buy(client, cart, key)
                ledger.note(f"{cart.id}", attempt, answer)
                if answer.status == 201:
                    return answer.body
                if answer.kind != "409 request_in_progress":
                    found[answer.kind] += 1
                    return b""
                await asyncio.sleep(0.05)
            raise SystemExit("a key was in progress for ever")

        async def one(number: int) -> None:
            key = f"r4 {seed} {number}"
            bodies = set(await asyncio.gather(*[until_answered(made[number], key) for _ in range(10)]))
            found["keys with differing answers"] += len(bodies) != 1
            mismatched = await buy(client, made[number], key, {**BUY, "email": "other@example.com"})
            found["mismatches that were not 422"] += mismatched.status != 422
            other = await until_answered(others[number], key)
            found["answers of another caller"] += other in bodies

        await asyncio.gather(*[one(number) for number in range(keys)])
        for what in ("keys with differing answers", "mismatches that were not 422", "answers of another caller"):
            report.exactly("R4", what, found.pop(what), 0)
        report.exactly("R4", f"other answers {_told(found)}", found.total(), 0)
        report.exactly("R4", "orders", len({o for some in ledger.acknowledged.values() for o in some}), 2 * keys)
        await _books(report, "R4", books(db, sold, [*made, *others], ledger))


async def cut_sockets(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R5: 2,000 orders whose socket is cut at a random moment, sent again with the same key."""
    source = random.Random(seed)
    address = urlsplit(shop.base)
    async with shop.database() as db, shop.client(50) as client:
        sold = await goods(db, 3, 1_000_000)
        made = await carts(db, [[(variant, 1) for variant in sold.variants] for _ in range(2000 // part)])
        ledger = shop.ledger()
        counted: Counter[str] = Counter()
        room = asyncio.Semaphore(50)

        async def one(cart: Cart, seconds: float) -> None:
            key = f"r5 {cart.id}"
            async with room:
                cut = await _cut(client, str(address.hostname), address.port or 0, cart, key, seconds)
                counted["cut before an answer"] += cut
                ledger.note(key, 0, None)
                await _finish(client, cart, key, ledger, counted)

        await asyncio.gather(*[one(cart, source.random() * 0.1) for cart in made])
        report.at_least("R5", "sockets cut before an answer", counted.pop("cut before an answer"), len(made) // 4)
        report.exactly("R5", "orders", len(ledger.acknowledged), len(made))
        report.exactly("R5", f"other answers {_told(counted)}", counted.total(), 0)
        await _books(report, "R5", books(db, sold, made, ledger))


async def _finish(client: Client, cart: Cart, key: str, ledger: Ledger, counted: Counter[str]) -> None:
    for attempt in range(1, 200):
        answer = await buy(client, cart, key)
        ledger.note(key, attempt, answer)
        if answer.status == 201:
            return
        if answer.kind != "409 request_in_progress":
            counted[answer.kind] += 1
            return
        await asyncio.sleep(0.1)


async def _cut(client: Client, host: str, port: int, cart: Cart, key: str, seconds: float) -> bool:
    """Send a checkout and cut the connection after a while; whether no answer had come by then."""
    reader, writer = await asyncio.open_connection(host, port)
    headers = {"Cart-Token": cart.token, "Idempotency-Key": key}
    writer.write(client.request(f"/carts/{cart.id}/checkout", codec.encode(BUY), headers))
    try:
        return not await asyncio.wait_for(reader.read(1), seconds)
    except (TimeoutError, OSError):
        return True
    finally:
        # No farewell: the server sees a reset.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()


async def _books(report: Report, figure: str, found: Awaitable[dict[str, int]]) -> None:
    for what, count in (await found).items():
        report.exactly(figure, what, count, 0)


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{kind} x {count}" for kind, count in answers.items() if count)
