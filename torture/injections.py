"""sqlmap through every operation, level 3 and risk 2.

It speaks to a relay in this process. The relay fills the blanks of the request, and makes things anew once an answer
used them up (an order was placed, a session ended), so that every payload meets an open cart and not a 409. It keeps
the request of each answer that is a 5xx or took more than a second, and takes out of answers what differs whatever was
asked: sqlmap would take that for the work of a payload.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from bench.harness import BIN
from torture.asking import Asked, asked, fill, hide
from torture.report import Report
from torture.shop import Shop
from torture.world import CODE_SECONDS, HELD_SECONDS, PICTURE, World, open_world

AT_ONCE: Final = 2
SLOW_SECONDS: Final = 1.0
USED_UP: Final = (409, 412)
REFUSED: Final = re.compile(r"/auth/oidc|/webhook$|/identities")
"""Operations whose plain request is refused: no provider, no signature."""
OPTIONS: Final = [
    "--batch", "--dbms=PostgreSQL", "--technique=BEUSTQ",
    "--threads=1", "--time-sec=2", "--timeout=60", "--retries=0", "--ignore-code=*",
    "--ignore-redirects", "--skip-waf", "--drop-set-cookie", "--flush-session", "--disable-coloring",
]  # fmt: skip
HOLE: Final = re.compile(r"^(?:Parameter|    Type|    Payload): .*$", re.MULTILINE)
NEWS: Final = re.compile(
    rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|\bf[0-9a-f]{12}\b"
    rb'|(?<="number":")[^"]*|(?<="version":)\d+|(?<=token":")[^"]*|(?<="request_id":")[^"]*'
)
"""What differs from answer to answer; sqlmap would take it for the work of a payload."""
OWN: Final = {"connection", "content-length", "transfer-encoding", "host", "accept-encoding", "etag", "x-request-id"}
"""Headers that the relay does not hand on, in one direction or the other."""


@dataclass
class Run:
    """sqlmap on one request file, through a relay of its own."""

    asked: Asked
    world: World
    statuses: Counter[int] = field(default_factory=Counter)
    noted: list[dict[str, Any]] = field(default_factory=list)
    first: int = 0
    consumes: bool = False

    def __post_init__(self) -> None:
        """Ask as the shop expects, twice: whether that uses something up."""
        shop = urlsplit(str(self.world.http.base_url))
        self._shop = http.client.HTTPConnection(str(shop.hostname), shop.port, timeout=60)
        self._renew()
        plain = self.asked.plain
        asks = (plain.method, plain.target, plain.headers, plain.body.encode())
        self.first, _, once = self.forward(*asks)
        again, _, twice = self.forward(*asks)
        differs = self.asked.method != "GET" and NEWS.sub(b"", once) != NEWS.sub(b"", twice)
        spent = "refresh_token" in self.asked.blanks and self.asked.target.startswith("/api/v1/auth/")
        self.consumes = spent or (self.first < 300 and (again >= 300 or differs))
        self._renew()

    def _renew(self) -> None:
        self._filling = self.world.make(self.asked)
        self._until = time.monotonic() + (CODE_SECONDS if "code" in self.asked.blanks else HELD_SECONDS)

    def _filled(self, text: str) -> str:
        return fill(text, self._filling | {"staff": self.world.staff})

    def forward(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the shop with the blanks filled in: status, headers and body of its answer."""
        if time.monotonic() > self._until:
            self._renew()
        target, headers = self._filled(target), {name: self._filled(value) for name, value in headers.items()}
        sent = PICTURE if body == b"zzpicturezz" else self._filled(body.decode("latin-1")).encode("latin-1")
        started = time.monotonic()
        answer = self._answer(method, target, sent, headers)
        content, seconds = answer.read(), time.monotonic() - started
        self.statuses[answer.status] += 1
        if answer.status >= 500 or seconds > SLOW_SECONDS:
            request = {"method": method, "target": target, "headers": headers, "body": sent.decode("latin-1")}
            self.noted.append({"status": answer.status, "seconds": round(seconds, 2), **request})
        if (answer.status < 300 and self.consumes) or (answer.status in USED_UP and self.first < 300):
            self._renew()
        return answer.status, answer.getheaders(), content

    def _answer(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        """An answer over the connection that is kept open, or over a new one where the shop closed it meanwhile."""
        try:
            self._shop.request(method, target, body or None, headers)
            return self._shop.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self._shop.close()
            self._shop.request(method, target, body or None, headers)
            return self._shop.getresponse()

    def sqlmap(self, folder: Path, options: list[str]) -> dict[str, Any]:
        """Let sqlmap try every mark; what came of it."""
        relay = ThreadingHTTPServer(("127.0.0.1", 0), type("Relay", (_Relay,), {"run": self}))
        Thread(target=relay.serve_forever, daemon=True).start()
        file = folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', self.asked.name).strip('-')}.txt"
        file.write_text(self.asked.text(f"127.0.0.1:{relay.server_port}"))
        began = time.monotonic()
        command = [
            "nice",
            "-n",
            "15",
            str(BIN / "sqlmap"),
            "-r",
            str(file),
            "--output-dir",
            str(file.with_suffix("")),
            *options,
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        relay.shutdown()
        relay.server_close()
        file.with_suffix(".log").write_text(done.stdout + done.stderr)
        return {
            "name": self.asked.name, "marks": self.asked.marks, "first": self.first, "statuses": self.statuses,
            "tested": done.stdout.count("testing for SQL injection on"), "holes": HOLE.findall(done.stdout),
            "seconds": round(time.monotonic() - began), "noted": self.noted,
        }  # fmt: skip


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    run: Run

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = {hide(name, back=True): value for name, value in self.headers.items() if name.lower() not in OWN}
        status, headers, content = self.run.forward(self.command, self.path, given, body)
        content = NEWS.sub(b"new", content)
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - so http.server calls them


async def tried(shop: Shop, report: Report, _: int, part: int) -> None:
    """No parameter, header or field of any operation lets text become SQL."""
    world = await open_world(shop)
    async with shop.working():
        await asyncio.to_thread(_all, shop, world, report, part)


def _all(shop: Shop, world: World, report: Report, part: int) -> None:
    folder = shop.home / "injections"
    folder.mkdir()
    every = list(asked(httpx.get(f"{shop.base}/openapi.json").json()))
    level = ["--level=1", "--risk=1"] if part > 1 else ["--level=3", "--risk=2"]

    def attempt(one: Asked) -> dict[str, Any]:
        result = Run(one, world).sqlmap(folder, [*OPTIONS, *level])
        print("     ", {name: value for name, value in result.items() if value}, flush=True)
        return result

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(attempt, every))
    statuses: Counter[int] = sum((one["statuses"] for one in results), Counter())
    noted = [note for one in results for note in one["noted"]]
    report.at_least("SQLMAP", "operations that take something", len({one.operation for one in every}), 100)
    missed = sum(max(0, one["marks"] - one["tested"]) for one in results)
    report.exactly("SQLMAP", "parameters that were not tried", missed, 0)
    report.at_least("SQLMAP", "parameters", sum(one["tested"] for one in results), 440)
    report.at_least("SQLMAP", "requests", statuses.total(), 100_000 // part)
    odd = [one["name"] for one in results if one["first"] >= 400 and not REFUSED.search(one["name"])]
    print("      refused as they are:", odd, flush=True)
    report.exactly("SQLMAP", "operations that refuse what is tried as it is, payload or not", len(odd), 0)
    report.exactly("SQLMAP", "holes", sum(len(one["holes"]) for one in results), 0)
    report.exactly("SQLMAP", "answers of 500 and above", sum(note["status"] >= 500 for note in noted), 0)
    report.exactly(
        "SQLMAP", "answers after more than a second", sum(note["seconds"] > SLOW_SECONDS for note in noted), 0
    )
