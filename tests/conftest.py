"""Fixtures: servers for the run, a database for each process, a rollback for each test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from aiosmtpd.controller import UnthreadedController

from tests.client import Client, client_of
from tests.processes import free_port
from tests.servers import HOME, POSTGRES, REDIS, Servers, create_database, drop_database, work_in_memory
from tfmshop import config
from tfmshop.commerce import checkout, news
from tfmshop.commerce.payments import FakeProvider, Provider, Providers
from tfmshop.platform import Config, Platform
from tfmshop.platform.cache.redis import Redis
from tfmshop.platform.db import Database, Options, Tx, connect, listening, open_connection
from tfmshop.platform.db.pool import PoolStatistics
from tfmshop.platform.files.local import LocalFiles
from tfmshop.platform.limits import admission
from tfmshop.platform.mail import LogMailer, SmtpMailer
from tfmshop.platform.outgoing import Outgoing
from tfmshop.platform.security.access import AccessTokens
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals
from tfmshop.surface.http.app import build
from tfmshop.surface.http.context import Shop

SEALS = Seals("a secret of the tests, long enough")
news.schedule_all(LogMailer(), Outgoing(), news.Sender("Test", seals=SEALS), None)
DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the process that leads the run."""
    work_in_memory()
    if not hasattr(config, "workerinput") and POSTGRES not in os.environ and not config.option.collectonly:
        servers = Servers()
        config.stash[_SERVERS] = servers
        try:
            servers.start()
        except BaseException:
            servers.stop()
            raise


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this process started."""
    servers = config.stash.get(_SERVERS, None)
    if servers is not None:
        servers.stop()


_SERVERS = pytest.StashKey[Servers]()


class HeldPool:
    """One connection for everybody, in a transaction that is rolled back; the others wait for their turn."""

    def __init__(self, connection) -> None:
        self._connection = connection
        self.statistics = PoolStatistics()
        self._turn = asyncio.Lock()

    async def acquire(self):
        await self._turn.acquire()
        return self._connection

    def release(self, connection, *, broken: bool = False) -> None:
        self._turn.release()

    async def close(self) -> None:
        """The fixture closes the connection."""


class Queries:
    """The names of the statements that ran."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def clear(self) -> None:
        self.names.clear()


@pytest.fixture
def queries() -> Iterator[Queries]:
    """Listens to every statement of this process."""
    heard = Queries()
    with listening(heard.names.append):
        yield heard


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data, or a skip that says so."""
    if not DATA.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not here")
    return DATA


@pytest.fixture(scope="session")
async def database_url() -> AsyncIterator[str]:
    """A database of this test process."""
    name = f"test_{uuid4().hex[:12]}"
    yield await create_database(name)
    await drop_database(name)


@pytest.fixture
async def fresh_url() -> AsyncIterator[str]:
    """A database of this test alone."""
    name = f"fresh_{uuid4().hex[:12]}"
    yield await create_database(name)
    await drop_database(name)


@pytest.fixture
def settings() -> Config:
    """The settings of a test; no variable of the environment reaches in."""
    return config.read({"APP_ENV": "test", "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": os.environ[HOME]}, None)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A database whose every change is rolled back at the end of the test."""
    connection = await open_connection(database_url, Options(statement_seconds=30, idle_transaction_seconds=60))
    outer = connection.transaction()
    await outer.start()
    yield Database(HeldPool(connection))
    await outer.rollback()
    await connection.close()


@pytest.fixture
async def tx(db: Database) -> AsyncIterator[Tx]:
    """A transaction, rolled back. Do not use `shop` while it is open."""
    async with db.tx() as tx:
        yield tx


@pytest.fixture
async def wide_db(fresh_url: str) -> AsyncIterator[Database]:
    """A database of this test alone, with a real pool."""
    db = await connect(fresh_url, Options(minimum=1, maximum=10, acquire_seconds=10))
    yield db
    await db.close()


def platform_of(settings: Config, db: Database) -> Platform:
    """A platform on a given database."""
    return Platform(
        config=settings,
        db=db,
        redis=Redis(settings.text("REDIS_URL"), 1.0),
        files=LocalFiles(settings.home / "media"),
        tokens=AccessTokens("a secret of the tests, long enough"),
        passwords=Passwords(),
        seals=SEALS,
    )


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn nobody away because the machine is slow, but in the tests of that: others ask what the shop answers then."""
    if not request.path.stem.startswith(("test_admission", "test_overload")):
        for name in ("BURST", "PATIENCE", "LONG_PATIENCE"):
            monkeypatch.setattr(admission, name, 60.0)


@pytest.fixture(autouse=True)
def loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no logger keep what one test made of it: the next one wants to hear it."""
    configure = structlog.configure
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**how | {"cache_logger_on_first_use": False}))


@pytest.fixture
def fake() -> FakeProvider:
    """The payment provider of the test's shop."""
    return FakeProvider()


@asynccontextmanager
async def open_client(
    settings: Config, db: Database, fake: Provider, name: str = "fake", **others: Provider
) -> AsyncIterator[Client]:
    """A client of a shop on a given database, with a payment company or more."""

    @asynccontextmanager
    async def open_shop() -> AsyncIterator[Shop]:
        platform = platform_of(settings, db)
        yield Shop(platform, Providers(**{name: fake}, **others), checkout.Till(db, platform.seals))
        await platform.redis.close()
        platform.passwords.close()

    async with client_of(build(open_shop)) as client:
        yield client


@pytest.fixture
async def shop(settings: Config, db: Database, fake: FakeProvider) -> AsyncIterator[Client]:
    """A client of a shop whose every change is rolled back."""
    async with open_client(settings, db, fake) as client:
        yield client


@pytest.fixture
async def busy_shop(settings: Config, wide_db: Database, fake: FakeProvider) -> AsyncIterator[Client]:
    """A client of a shop on a database of its own, where requests run at the same time."""
    async with open_client(settings, wide_db, fake) as client:
        yield client


class Postbox:
    """A mail server that keeps what it is given; it refuses `nobody@`, and everything while `closed`."""

    def __init__(self) -> None:
        self.letters = []
        self.closed = False

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the server's name for it
        if self.closed:
            return "451 come back later"
        if address.startswith("nobody@"):
            return "550 nobody lives here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's name for it
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
async def postbox():
    box, port = Postbox(), free_port()
    controller = UnthreadedController(box, hostname="127.0.0.1", port=port, loop=asyncio.get_running_loop())
    server = await controller._create_server()
    box.mailer = SmtpMailer(f"smtp://127.0.0.1:{port}", "Lamp & Co <shop@lamps.example>")
    yield box
    server.close()
