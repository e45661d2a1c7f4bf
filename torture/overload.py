"""R13: five times what the shop can do, for a minute, and 500 slow sockets, three times: it does as much as before, and
says no at once to the rest.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter
from typing import Final
from uuid import UUID

from tfmshop.platform import codec
from torture.client import Client
from torture.crowd import Crowd
from torture.report import Report
from torture.shop import BUY, Cart, Shop, buy, carts, goods

SECONDS: Final = 60
FLOODS: Final = 3
PEAK_SECONDS: Final = 30
"""Before and after each flood: as long together as it, since machines are slower at times, some for a minute."""
BUYERS: Final = 0.1
"""The part of what the shop can do that are checkouts: half of what is kept for them."""
TIMES: Final = 5
SLOW: Final = 500
AT_ONCE: Final = 16
CONNECTIONS: Final = 600
REFUSED_MS: Final = 50
LONGEST: Final = 20
"""Seconds after the end within which every request has its answer."""


@dataclass
class Told:
    """What came back: milliseconds of each answer by kind of request and status."""

    pages: Counter[int] = field(default_factory=Counter)
    orders: Counter[int] = field(default_factory=Counter)
    refused: list[float] = field(default_factory=list)
    unheard: int = 0

    @property
    def good(self) -> int:
        """Answers that somebody can use."""
        return self.pages[200] + self.orders[201]

    @property
    def asked(self) -> int:
        """Requests that have an answer."""
        return self.pages.total() + self.orders.total()

    def __add__(self, other: Told) -> Told:
        return Told(self.pages + other.pages, self.orders + other.orders, self.refused + other.refused,
                    self.unheard + other.unheard)  # fmt: skip


async def five_times(shop: Shop, report: Report, seed: int, part: int) -> None:
    """The most it does when everybody waits their turn, and in turn five times as much whether it is done or not."""
    seconds, draw = SECONDS / part, random.Random(seed)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    told, shares, times, slowest, bought = Told(), [], [], [], []
    async with shop.database() as db, shop.client(AT_ONCE) as client:
        sold = await goods(db, 500, 100_000)

        async def most() -> float:
            return await _peak(client, draw, await _carts(db, sold.variants, 20_000 // part), PEAK_SECONDS / part)

        before = await most()
        for _ in range(FLOODS):
            enough = await _carts(db, sold.variants, int(before * BUYERS * seconds) + 100)
            flood = await _flood(shop, draw, enough, before, seconds)
            after = await most()
            times.append(flood.asked / seconds / before)
            slowest.append(sorted(flood.refused)[len(flood.refused) * 99 // 100])
            bought.append(100 * flood.orders[201] / flood.orders.total())
            shares.append(100 * flood.good / seconds / ((before + after) / 2))
            print(f"      peak {before:.0f}/s, after it {after:.0f}/s, useful {flood.good / seconds:.0f}/s", flush=True)
            told, before = told + flood, after
    report.at_least("R13", "requests, times what it can do", min(times), 0.95 * TIMES)
    failed = told.asked - told.good - told.pages[503] - told.orders[503]
    report.exactly("R13", "answers but 200, 201 and 503", failed, 0)
    report.exactly("R13", "requests without an answer", told.unheard, 0)
    said = ", ".join(f"{share:.0f}" for share in sorted(shares))
    report.at_least("R13", f"useful answers, in % of the peaks around a flood, median of {said}", median(shares), 90)
    report.at_least("R13", "answers of 503", len(told.refused), told.asked / 10)
    report.at_most("R13", "99 of 100 refusals within, ms", max(slowest), REFUSED_MS)
    report.at_least("R13", "checkouts that succeed, in %", min(bought), 99)


async def _flood(shop: Shop, draw: random.Random, filled: list[Cart], rate: float, seconds: float) -> Told:
    """The crowd, beside sockets that send a byte now and then."""
    slow = [asyncio.create_task(_slow(shop, seconds)) for _ in range(SLOW)]
    told = await _crowd(shop, draw, filled, rate, seconds)
    for one in slow:
        one.cancel()
    await asyncio.wait(slow)
    return told


async def _carts(db, variants: list[UUID], count: int) -> list[Cart]:
    draw = random.Random(count)
    return await carts(db, [[(draw.choice(variants), 1)] for _ in range(count)])


def _path(draw: random.Random) -> str:
    """A page that nobody asked for before."""
    if draw.random() < 0.5:
        return f"/products?max_price={1000 + draw.randrange(10**9)}&sort=price"
    return f"/search?q=torture+{draw.randrange(10**9)}"


async def _peak(client: Client, draw: random.Random, filled: list[Cart], seconds: float) -> float:
    """Useful answers a second when each of a few asks again as soon as it has its answer."""
    over, told = perf_counter() + seconds, Told()

    async def one() -> None:
        while perf_counter() < over:
            if draw.random() < BUYERS:
                told.orders[(await buy(client, cart := filled.pop(), f"peak {cart.id}")).status] += 1
            else:
                told.pages[(await client.send(_path(draw), b"", {}, "GET")).status] += 1

    await asyncio.gather(*[one() for _ in range(AT_ONCE)])
    return told.good / seconds


async def _crowd(shop: Shop, draw: random.Random, filled: list[Cart], rate: float, seconds: float) -> Told:
    """Requests at five times the rate, each at its moment, whatever became of those before. They are written down
    beforehand: whoever sends them takes from the same cores.
    """
    client, told = shop.client(1), Told()
    each = (rate * (TIMES - BUYERS), rate * BUYERS)
    written = (
        [client.request(_path(draw), b"", {}, "GET") for _ in range(int(each[0] * seconds) + 100)],
        [client.request(*_order(cart)) for cart in filled],
    )
    crowd = Crowd(shop.base)
    await crowd.open(CONNECTIONS)
    begun, sent = perf_counter(), [0, 0]

    def heard(what: int, status: int, milliseconds: float) -> None:
        (told.orders if what else told.pages)[status] += 1
        if status == 503:
            told.refused.append(milliseconds)

    while (now := perf_counter() - begun) < seconds:
        for what in (0, 1):
            while sent[what] < now * each[what]:
                sent[what] += 1
                crowd.ask(written[what].pop(), partial(heard, what))
        await asyncio.sleep(0.002)
    await crowd.close(LONGEST)
    told.unheard = sum(sent) - told.asked
    return told


def _order(cart: Cart) -> tuple[str, bytes, dict[str, str]]:
    headers = {"Cart-Token": cart.token, "Idempotency-Key": f"crowd {cart.id}"}
    return f"/carts/{cart.id}/checkout", codec.encode(BUY), headers


async def _slow(shop: Shop, seconds: float) -> None:
    """Somebody who sends a byte of a request every second, and begins anew when the shop hangs up."""
    host, port = shop.base.removeprefix("http://").split(":")
    over = perf_counter() + seconds
    while perf_counter() < over:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            try:
                for letter in b"GET /api/v1/products HTTP/1.1\r\nHost: shop\r\nX-Slow: " + b"a" * 100:
                    writer.write(bytes([letter]))
                    await writer.drain()
                    await asyncio.sleep(1)
            finally:
                writer.close()
        await asyncio.sleep(1)
