"""Rate limits over two web processes: a client at twice its allowance gets its allowance, whatever Redis does."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Final

from torture.caching import dying, hanging
from torture.client import Client
from torture.guessing import BEHIND_A_PROXY, checks
from torture.report import Report
from torture.shop import Shop

ALLOWED: Final = 600
WINDOW: Final = 10
"""Requests in so many seconds, of each client."""
SIGN_INS: Final = 20
SETTINGS: Final = BEHIND_A_PROXY | {
    "RATE_LIMIT_WINDOW": str(WINDOW), "RATE_LIMIT_API": str(ALLOWED), "RATE_LIMIT_ACCOUNTS": str(SIGN_INS),
}  # fmt: skip
AT_ONCE: Final = 64
"""Connections, taken in turn: the system spreads them over the processes, nearly in halves."""


async def twice(shop: Shop, report: Report, seed: int, part: int) -> None:
    """Clients at twice their allowance for some windows: with Redis, while it hangs, and when it is killed midway."""
    windows = 6 if part == 1 else 3
    address = f"10.{seed}"
    await _compared(shop, report, "with Redis", f"{address}.1.1", windows)
    async with hanging(shop):
        await _compared(shop, report, "Redis hangs", f"{address}.1.2", windows)
    await asyncio.sleep(11)
    midway = asyncio.create_task(_killed_midway(shop, windows))
    await _compared(shop, report, "Redis is killed midway, and comes back", f"{address}.1.3", windows)
    await midway
    await _sign_ins(shop, report, "with Redis", seed, 1)
    async with hanging(shop):
        await _sign_ins(shop, report, "Redis hangs", seed, 2)


async def _killed_midway(shop: Shop, windows: int) -> None:
    await asyncio.sleep(windows * WINDOW / 3)
    async with dying(shop):
        await asyncio.sleep(windows * WINDOW / 3)


async def _compared(shop: Shop, report: Report, how: str, address: str, windows: int) -> None:
    """Ask twice as often as allowed, evenly, over many connections."""
    seconds, every = windows * WINDOW, WINDOW / ALLOWED / 2
    let_in: list[float] = []
    kinds: Counter[int] = Counter()
    begun = perf_counter()
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(shop.client(1)) for _ in range(AT_ONCE)]

        async def ask(n: int) -> None:
            await asyncio.sleep(max(0.0, begun + n * every - perf_counter()))
            asked = perf_counter()
            path = f"/products?limit={1 + n % 50}"
            answer = await clients[n % AT_ONCE].send(path, b"", {"X-Forwarded-For": address}, "GET")
            kinds[answer.status] += 1
            if answer.status == 200:
                let_in.append(asked)

        await asyncio.gather(*[ask(n) for n in range(int(seconds / every))])
    let_in.sort()
    most = max(bisect_left(let_in, at + WINDOW) - n for n, at in enumerate(let_in))
    got = len(let_in) / windows / ALLOWED
    report.at_least("LIMITS", f"{how}: requests", kinds.total(), 2 * ALLOWED * windows)
    report.exactly("LIMITS", f"{how}: answers but 200 and 429", kinds.total() - kinds[200] - kinds[429], 0)
    report.at_least("LIMITS", f"{how}: let in, in % of the allowance", 100 * got, 95)
    report.at_most("LIMITS", f"{how}: let in, in % of the allowance ", 100 * got, 105)
    report.at_most("LIMITS", f"{how}: most in any span of a window, in % of it", 100 * most / ALLOWED, 105)


async def _sign_ins(shop: Shop, report: Report, how: str, seed: int, number: int) -> None:
    """A burst of sign-ins over two processes: as many as allowed are looked at, and of one account five."""
    async with shop.client(AT_ONCE) as client:
        before = checks(shop)
        one = f"one-{number}-{seed}@example.com"
        await asyncio.gather(*[_sign_in(client, one, f"10.{seed}.{number}0.{n}") for n in range(200)])
        report.exactly("LIMITS", f"{how}: wrong passwords of one account that are looked at", checks(shop) - before, 5)
        burst = [_sign_in(client, f"p{n}-{number}-{seed}@example.com", f"10.{seed}.{number}1.1") for n in range(400)]
        statuses = Counter(await asyncio.gather(*burst))
        report.exactly("LIMITS", f"{how}: sign-ins of one address that are let in", statuses[401], SIGN_INS)


async def _sign_in(client: Client, email: str, address: str) -> int:
    proof = {"email": email, "password": "a wrong password"}
    return (await client.post("/auth/login", proof, {"X-Forwarded-For": address})).status
