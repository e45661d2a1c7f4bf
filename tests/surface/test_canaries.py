"""Secrets in every field, parameter and header, right or wrong: none of them is in what the shop writes down."""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.processes import BIN, UNLIMITED, call, environment, free_port, kill_group, wait_for
from tests.servers import REDIS, STAFF
from tfmshop.platform.security.access import AccessTokens, Viewer
from torture.asking import asked, fill

CANARY = "canary4f7qk9zz"
SECRET = "a secret of the tests, long enough"
HEADERS = (
    "Authorization",
    "Cookie",
    "Cart-Token",
    "Order-Token",
    "Device-Token",
    "CSRF-Token",
    "Idempotency-Key",
    "If-Match",
    "X-Api-Key",
    "webhook-signature",
    "Stripe-Signature",
    "Origin",
    "Host",
    "Proxy-Authorization",
)
BODIES = (
    b'{"password": "CANARY", ',
    b'{"email": "a@example.com", "password": "CANARY"}',
    b'"CANARY"',
    b"CANARY",
    b'{"token": {"a": "CANARY"}}',
    b'{"email": "a@example.com", "password": 1, "CANARY": "CANARY"}',
)


def test_no_secret_is_written_down(tmp_path, fresh_url):
    port, written = free_port(), tmp_path / "written"
    with written.open("wb") as output:
        server = subprocess.Popen(
            [str(BIN), "serve"], cwd=tmp_path, start_new_session=True, stdout=output, stderr=output,
            env=environment(DATABASE_URL=fresh_url, REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(tmp_path),
                            PORT=str(port), LOG_LEVEL="debug", LOG_FORMAT="json", JWT_SECRET=SECRET, SUSPICION="log",
                            TRACES="console", ENABLE_FILE_LOGGING="true", SLOW_QUERY="1", SLOW_REQUEST="1",
                            **UNLIMITED),
        )  # fmt: skip
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(f"{base}/health/ready", server)
            people = {}
            for role in ("admin", "customer"):
                token = AccessTokens(SECRET).issue(Viewer(STAFF[role][0], role, STAFF[role][1], strong=True))
                people[role] = {"Authorization": f"Bearer {token}"}
            sent = _send_everything(port, call(f"{base}/openapi.json")[1], people)
            deadline = time.monotonic() + 10
            while b"control9xx" not in written.read_bytes() and time.monotonic() < deadline:
                time.sleep(0.05)
            with urllib.request.urlopen(f"{base}/metrics", timeout=20) as metrics:
                (tmp_path / "metrics.log").write_bytes(metrics.read())
            server.terminate()
            server.wait(timeout=60)
        finally:
            kill_group(server)
    assert sent > 500
    files = [written, *Path(tmp_path).rglob("*.log")]
    kinds = {"access", "app", "error", "metrics", "performance", "security", "written", "server"}
    assert {file.name.partition("-")[0].removesuffix(".log") for file in files} <= kinds
    assert len(files) >= 5
    assert b'"url.path"' in written.read_bytes()
    assert b'"db.query.summary"' in written.read_bytes(), "spans of the whole time are there, too"
    assert b"control9xx" in written.read_bytes(), "what is no secret is seen"
    for file in files:
        found = [line[:300] for line in file.read_bytes().splitlines() if CANARY.encode() in line]
        assert found == []
    assert people["admin"]["Authorization"].encode() not in written.read_bytes()


def _send_everything(port: int, document: dict, people: dict) -> int:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    sent = 0

    def send(method: str, path: str, headers: dict, body: bytes = b"") -> None:
        nonlocal sent
        line.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = line.getresponse()
        answer.read()
        assert answer.status < 500, (method, path)
        sent += 1

    tokens = {"staff": people["admin"]["Authorization"][7:], "token": people["customer"]["Authorization"][7:]}
    for one in asked(document):
        for case in one.putting(CANARY):
            written_on_purpose = case.target.partition("?")[0], case.headers.get("X-Request-Id", "")
            if CANARY not in "".join(written_on_purpose):
                filling = tokens | {blank: f"{random.getrandbits(128):032x}" for blank in case.blanks - set(tokens)}
                headers = {name: fill(value, filling) for name, value in case.headers.items()}
                send(case.method, fill(case.target, filling), headers, fill(case.body, filling).encode())
    for header in HEADERS:
        for path in ("/api/v1/me", "/api/v1/admin/orders", "/api/v1/carts/mine", "/nowhere"):
            send("GET", path, {header: f"Bearer {CANARY}" if "uth" in header else CANARY})
            send("POST", path, {header: f"__Host-access={CANARY}"})
    for body in BODIES:
        for path in ("auth/login", "auth/register", "auth/refresh", "auth/reset-password", "me/password",
                     "payments/fake/webhook", "payments/stripe/webhook", "carts", "nowhere"):  # fmt: skip
            send("POST", f"/api/v1/{path}", people["customer"], body.replace(b"CANARY", CANARY.encode()))
    send("GET", f"/api/v1/products?token={CANARY}&limit={CANARY}", {})
    send("GET", "/control9xx", {})
    line.close()
    return sent
