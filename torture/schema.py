"""The whole API against its own document: Schemathesis with every check, signed in as two customers and an admin."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from bench.harness import BIN
from torture.report import Report
from torture.shop import Shop

SECONDS = 240
PEOPLE = ("alice", "bob", "admin")
PASSWORD = "tfmshop-demo"
MOST_SAID = 12_000
"""Characters of what Schemathesis says at its end: the findings, each with the request that shows it."""
CONFIG = """
[auth.wfc]
path = "auth.json"
peers = ["alice", "bob"]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "402", "403", "404", "409", "412", "429", "5xx"]
"""
"""What fits the document may be refused for what the shop has: also 402 (declined) and 412 (changed meanwhile), as
decisions/0025 says; 5xx is a finding of another check.
"""


async def checked(shop: Shop, report: Report, seed: int, part: int) -> None:
    """No finding in any operation, with what the document allows and with what it excludes."""
    await shop.command("seed")
    folder = shop.home / "schema"
    folder.mkdir()
    _write_identities(folder)
    await _ended(
        [
            str(BIN / "st"), "run", f"{shop.base}/openapi.json", "--checks", "all", "--mode", "all",
            "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure", "--no-color",
            "--max-time", str(SECONDS // part), "--generation-database", "none", "--seed", str(seed + 1),
            "--report", "json", "--report-dir", str(folder / "report"),
        ],
        shop.environment | {"SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("strategies.py"))}, folder,
    )  # fmt: skip
    found = json.loads(next((folder / "report").glob("*.json")).read_text())
    if found["failures"] or found["errors"]:
        print((folder / "said.txt").read_text(errors="replace")[-MOST_SAID:], flush=True)
    operations = found["operations"]
    report.at_least("SCHEMA", "operations", operations["total"], 120)
    report.exactly("SCHEMA", "operations that were not tried", operations["total"] - operations["tested"], 0)
    report.at_least("SCHEMA", "requests made up", found["test_cases"]["generated"], 5000 // part)
    report.exactly("SCHEMA", "findings", found["test_cases"]["unique_failures"] + len(found["errors"]), 0)


def _write_identities(folder: Path) -> None:
    """How Schemathesis signs in, again when a token is old; what belongs to one customer, the other must not get."""

    def login(name: str) -> dict[str, Any]:
        payload = json.dumps({"email": f"{name}@example.com", "password": PASSWORD})
        token = {"extractFrom": "body", "extractSelector": "/access_token", "sendIn": "header",
                 "sendName": "Authorization", "sendTemplate": "Bearer {token}"}  # fmt: skip
        at = {"endpoint": "/api/v1/auth/login", "verb": "POST", "contentType": "application/json"}
        return {"name": name, "loginEndpointAuth": at | {"payloadRaw": payload, "token": token}}

    (folder / "auth.json").write_text(json.dumps({"auth": [login(name) for name in PEOPLE]}))
    (folder / "schemathesis.toml").write_text(CONFIG)


async def _ended(command: list[str], environment: dict[str, str], folder: Path) -> None:
    with (folder / "said.txt").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | environment, cwd=folder, stdout=said, stderr=said
        )
        await process.wait()
