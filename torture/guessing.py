"""R18, R19 and guesses: who comes in, what a refusal tells by its time, and what guessing is worth."""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from tfmshop.platform.observe import told
from torture.client import Answer, Client
from torture.report import Report
from torture.shop import Shop

PASSWORD = "correct horse"
BEHIND_A_PROXY = {"TRUSTED_PROXIES": "127.0.0.1", "SUSPICION": "off"}
"""The one who asks says where from, as a proxy of ours would."""


async def matrix(shop: Shop, report: Report, seed: int, part: int) -> None:
    """Every route of the application, asked by everybody, of what is theirs, somebody else's, and not there."""
    del shop, seed, part
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/surface/test_access.py"],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    counted = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", ran.stdout)}
    report.at_least("R18", "routes and ways in that were right", counted.get("passed", 0), 150)
    report.exactly("R18", "that were wrong", counted.get("failed", 0) + counted.get("error", 0) + (not counted), 0)


async def timing(shop: Shop, report: Report, seed: int, part: int) -> None:
    """2,000 sign-ins, known, unknown, closed and locked in turn, each from an address and to an account of its own."""
    each = 500 // part
    kinds = ("known", "closed", "locked")
    await shop.people([f"{kind}-{seed}-{n}@example.com" for kind in kinds for n in range(each)], PASSWORD)
    await shop.close_and_lock(f"closed-{seed}-%", f"locked-{seed}-%")
    times: dict[str, list[float]] = {}
    draw = random.Random(seed)
    answers: set[tuple[int, tuple[tuple[str, object], ...], tuple[str, ...]]] = set()
    async with shop.client(1) as client:
        for n in range(20):
            await _sign_in(client, f"warm-{seed}-{n}@example.com", f"198.18.{seed}.{n}")
        for n in range(each):
            for at, kind in draw.sample([*enumerate(("known", "unknown", "closed", "locked"))], 4):
                address = f"10.{seed + 10 * at}.{n // 250}.{n % 250}"
                started = perf_counter()
                answer = await _sign_in(client, f"{kind}-{seed}-{n}@example.com", address)
                times.setdefault(kind, []).append((perf_counter() - started) * 1000)
                told = {name: value for name, value in answer.json().items() if name != "request_id"}
                answers.add((answer.status, tuple(sorted((k, str(v)) for k, v in told.items())), answer.names))
    medians = {kind: statistics.median(of) for kind, of in times.items()}
    print("     ", {kind: f"{median:.2f} ms" for kind, median in medians.items()}, flush=True)
    report.exactly("R19", "different answers", len(answers), 1)
    gap = max(medians.values()) - min(medians.values())
    report.at_most("R19", "gap of the medians, us", gap * 1000, 1000)


async def guesses(shop: Shop, report: Report, seed: int, part: int) -> None:
    """10,000 guesses at one account from as many addresses, and one password over 10,000 accounts from one address."""
    many, owner = 10_000 // part, f"owner-{seed}@example.com"
    await shop.people([owner], PASSWORD)
    async with shop.client(16) as client:
        device = (await _sign_in(client, owner, f"192.0.2.{seed}", PASSWORD)).json()["device_token"]
        before = checks(shop)
        owner_in = 0

        async def guess(n: int) -> None:
            nonlocal owner_in
            await _sign_in(client, owner, f"10.{100 + seed}.{n // 250}.{n % 250}", f"guess {n}")
            if n % (many // 10) == 0:
                answer = await _sign_in(client, owner, "10.9.9.9", PASSWORD, device)
                owner_in += answer.status == 200

        await _all([guess(n) for n in range(many)])
        looked_at = checks(shop) - before
        report.at_most("GUESS", f"hashes checked in {many:,} guesses at one account", looked_at, 5)
        report.exactly("GUESS", "times that the owner came in meanwhile", owner_in, 10)

        before = checks(shop)
        answers = await _all([_sign_in(client, f"p{n}-{seed}@example.com", f"203.0.113.{seed}", "Summer-2026!")
                              for n in range(many)])  # fmt: skip
        report.at_most("GUESS", f"checks of one password over {many:,} accounts", checks(shop) - before, 60)
        refused = sum(answer.status == 429 for answer in answers)
        report.at_least("GUESS", "of them refused with 429", refused, many - 60)


async def _sign_in(
    client: Client, email: str, address: str, password: str = "a wrong password", device: str = ""
) -> Answer:
    headers = {"X-Forwarded-For": f"1.2.3.4, {address}"} | ({"Device-Token": device} if device else {})
    return await client.post("/auth/login", {"email": email, "password": password}, headers)


async def _all(work: list) -> list:
    return list(await asyncio.gather(*work))


def checks(shop: Shop) -> int:
    """How many wrong passwords were looked at: each is a line of the security log."""
    return sum(
        event["message"] == "wrong password" for event in told.events(shop.home / "logs", ["security"], shop.opened_at)
    )
