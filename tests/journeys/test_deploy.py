"""A release that takes the place of another under load, two that fail, and a checklist that names what is broken."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncpg
import pytest

from tests.processes import BIN, UNLIMITED, environment, free_port, kill_group, tfmshop, wait_for
from tests.servers import REDIS
from tfmshop.platform.backup import encryption
from tfmshop.platform.db import migrate
from tfmshop.platform.embedded import Postgres
from tfmshop.surface.readiness.box import BOXES, Place, Result

HEALED = "UPDATE public.alembic_version SET version_num = $1"


class _Taken(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def slack():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


@pytest.fixture
def database():
    """A server of its own, set as it comes: that of the other tests may lose what it was told."""
    home = Path(tempfile.mkdtemp(prefix="tfmshop-own-"))
    home.chmod(0o755)
    server = Postgres(home)
    url = server.start()
    asyncio.run(migrate.upgrade(url))
    yield url
    server.stop()
    shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(home)


@pytest.fixture
def production(tmp_path, database, slack):
    """The settings of a shop that is open to everybody."""
    return environment(
        DATABASE_URL=database, REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(tmp_path), PORT=str(free_port()),
        APP_ENV="production", TRUSTED_PROXIES="none", JWT_SECRET="j" * 40, SEAL_SECRET="s" * 40, SHOP_URL="https://shop.example",
        ALLOWED_HOSTS="shop.example,127.0.0.1", MAIL_URL="smtp://127.0.0.1:9", STRIPE_SECRET_KEY="sk_live_none",
        STRIPE_WEBHOOK_SECRET="whsec_none", ALERT_SLACK=slack, ENABLE_FILE_LOGGING="true", LOG_LEVEL="error",
        BACKUP_AT="30 3 * * *", DRILL_AT="30 5 * * 0", START_TIME="20000", **UNLIMITED,
    )  # fmt: skip


@pytest.fixture
def served(production, tmp_path):
    """The shop, served by one worker of a release that a link leads to."""
    (tmp_path / "current").symlink_to(BIN.parent.parent)
    with (tmp_path / "served").open("wb") as output:
        server = subprocess.Popen(
            [str(tmp_path / "current/bin/tfmshop"), "serve"],
            env=production,
            start_new_session=True,
            stdout=output,
            stderr=output,
            cwd=tmp_path,
        )
        try:
            wait_for(f"http://127.0.0.1:{production['PORT']}/health/ready", server)
            yield server
            server.terminate()
            assert server.wait(timeout=60) == 0
        finally:
            kill_group(server)


class Shoppers:
    """Those who read lists, each another one, make carts and probe, over connections that stay open, for the time of a
    block.
    """

    def __init__(self, port: str) -> None:
        self._port, self.over, self.done, self.failed = int(port), False, Counter(), []
        self._threads = [threading.Thread(target=self._go, args=(one,)) for one in range(3)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self._threads:
            thread.join()

    def _go(self, who: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        for n in itertools.count():
            if self.over:
                break
            ways = (
                ("GET", f"/api/v1/products?min_price={who + 1}{n}", 200), ("POST", "/api/v1/carts", 201),
                ("GET", "/health/live", 200),
            )  # fmt: skip
            method, path, wanted = ways[n % 3]
            try:
                line.request(method, path)
                answer = line.getresponse()
                answer.read()
                if answer.status != wanted:
                    self.failed.append((method, path, answer.status))
                self.done[method] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append((method, path, repr(error)))
                line.close()
            time.sleep(0.03)
        line.close()


def spoiled(folder: Path) -> Path:
    """A release whose workers can work, and leave a header off."""
    program = folder / "spoiled/bin/tfmshop"
    program.parent.mkdir(parents=True)
    program.write_text(f"""#!{BIN.parent}/python
import sys
from tfmshop.surface.http.edge import headers
headers.API[:] = [pair for pair in headers.API if pair[0] != b"x-content-type-options"]
from tfmshop.__main__ import main
sys.exit(main())
""")
    program.chmod(0o755)
    return program.parent.parent


def lead_to(link: Path, folder: Path) -> None:
    """Have a link lead elsewhere, all at once."""
    link.with_suffix(".new").symlink_to(folder)
    link.with_suffix(".new").replace(link)


def generation(served) -> int | None:
    """The process that holds the workers."""
    children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
    return int(children[-1]) if children else None


def serving(served) -> str:
    """How the generation that serves was called."""
    return Path(f"/proc/{generation(served)}/cmdline").read_text()


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    over = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < over
        time.sleep(0.05)


def told(production) -> dict:
    return json.loads(Path(production["TFMSHOP_HOME"], f"serve-{production['PORT']}.json").read_bytes())


def run(url: str, statement: str, *args: object) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement, *args)
        await connection.close()

    asyncio.run(work())


def test_a_release_takes_the_place_of_another_or_does_not_and_no_request_fails(served, production, tmp_path):
    with Shoppers(production["PORT"]) as shoppers:
        done = tfmshop("deploy", "--json", cwd=tmp_path, **production)
        assert done.returncode == 0, done.stderr
        told_of = json.loads(done.stdout)
        assert (told_of["deployed"], told_of["why"]) == (True, None)
        assert [one["step"] for one in told_of["steps"]] == [
            "check", "backup", "migrate", "exchange the workers", "warm the cache", "verify",
        ]  # fmt: skip
        assert re.fullmatch(r"[\d,]+ pages in the memory of 1 processes", told_of["steps"][4]["said"][0])
        assert (told(production)["generation"], told(production)["state"]) == (2, "serving")
        assert str(BIN) in serving(served)

        run(production["DATABASE_URL"], HEALED, "0036")  # the next migration will find its own work there, and fail
        closed = production | {"BACKUP_KEY": encryption.new()[1]}  # nobody here can open the backup
        planned = tfmshop("deploy", "--json", cwd=tmp_path, **closed)
        assert planned.returncode == 1
        assert json.loads(planned.stdout)["steps"][-1]["step"] == "plan"
        assert "What it had begun was undone." in json.loads(planned.stdout)["why"]
        migrated = tfmshop("deploy", "--no-plan", cwd=tmp_path, **production)
        assert migrated.returncode == 1
        assert "What it had begun was undone." in migrated.stderr
        assert told(production)["generation"] == 2

        unfit = tfmshop("deploy", "reload", cwd=tmp_path, **production)  # its schema is too old for the new workers
        assert unfit.returncode == 1
        assert "those before go on" in unfit.stderr
        assert (told(production)["generation"], told(production)["state"]) == (3, "failed")
        run(production["DATABASE_URL"], HEALED, migrate.newest())
        assert tfmshop("deploy", "reload", cwd=tmp_path, **production).returncode == 0

        lead_to(tmp_path / "current", spoiled(tmp_path))
        refused = tfmshop("deploy", "--no-backup", cwd=tmp_path, **production | {"ENABLE_CACHING": "false"})
        assert refused.returncode == 1
        assert "verify\n" in refused.stdout
        assert "warm the cache" not in refused.stdout, "there is none"
        assert "answers lack x-content-type-options" in refused.stdout + refused.stderr
        assert f"{BIN} serves again" in " ".join(refused.stderr.split())
        assert (told(production)["generation"], told(production)["state"]) == (6, "serving")
        assert str(BIN) in serving(served)
        headers = urllib.request.urlopen(f"http://127.0.0.1:{production['PORT']}/health/live").headers
        assert headers["x-content-type-options"] == "nosniff"
    assert shoppers.failed == []
    assert shoppers.done["GET"] > 500
    assert shoppers.done["POST"] > 250
    killed = generation(served)
    os.kill(killed, signal.SIGKILL)  # what comes in its place is of the same release, wherever the path leads
    wait_until(lambda: generation(served) not in (None, killed) and told(production)["state"] == "serving")
    assert str(BIN) in serving(served)


BREAKS = """
DROP INDEX accounts.address_customer;
INSERT INTO jobs.pgqueuer (priority, entrypoint, status, created, updated, execute_after, heartbeat)
SELECT 0, 'nobody', 'queued', past, past, past, past FROM (SELECT now() - interval '1 hour') AS t (past);
"""


def test_the_checklist_names_exactly_what_is_broken(served, production, tmp_path):
    whole = json.loads(tfmshop("production", "checklist", "--json", cwd=tmp_path, **production).stdout)
    assert {one["name"] for one in whole if one["result"]["state"] == "fail"} == {"job runner"}
    run(production["DATABASE_URL"], BREAKS)
    (tmp_path / "logs").rename(tmp_path / "elsewhere")
    (tmp_path / "logs").write_text("in the way")
    broken = production | {
        "ENABLE_RATE_LIMIT": "false", "ALERT_SLACK": "http://127.0.0.1:9/", "BACKUP_FOLDER": "/proc/none",
        "REDIS_URL": "redis://127.0.0.1:9", "SHOP_URL": "http://shop.example", "MAIL_URL": "", "SEAL_SECRET": "j" * 40,
    }  # fmt: skip
    found = tfmshop("production", "checklist", "--json", cwd=tmp_path, **broken)
    assert found.returncode == 1
    failed = {one["name"]: one["result"] for one in json.loads(found.stdout) if one["result"]["state"] == "fail"}
    assert failed.keys() == {
        "job runner", "indexes", "truths", "log folder", "protection", "alerts", "backup",
        "cache service", "environment", "letters and payments", "secrets",
    }  # fmt: skip
    assert "accounts.address_customer" in failed["indexes"]["found"]
    assert all(one.get("mend") for one in failed.values())


async def test_the_checklist_warns_of_servers_that_are_spoken_to_in_the_open(settings):
    box = next(one for one in BOXES if one.name == "encryption")
    assert (await box.check(Place(settings, None, [], ""))).state == "pass"
    found = await box.check(Place(settings.replace(MAIL_URL="smtp://mail.example"), None, [], ""))
    assert found == Result("warn", "what goes to MAIL_URL may be read on its way", "Use smtps://.")
