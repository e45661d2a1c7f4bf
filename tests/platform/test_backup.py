"""Backups: what comes back is what went in, and what is not is told."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tfmshop import app  # noqa: F401 - registers every truth
from tfmshop.platform import backup, clock, jobs
from tfmshop.platform.backup import BackupFailed, Key, Vault, scratch
from tfmshop.platform.backup.compare import compare
from tfmshop.platform.backup.encryption import new
from tfmshop.platform.db import migrate
from tfmshop.platform.embedded import Postgres
from tfmshop.surface import backups


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "backups")


async def run(url: str, *statements: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetch(statements[-1])
    finally:
        await connection.close()


async def people(url: str) -> int:
    return (await run(url, "SELECT count(*) FROM accounts.customer WHERE name = 'n'"))[0][0]


NEW = """INSERT INTO accounts.customer (id, email, name, password_hash, role, created_at)
    SELECT gen_random_uuid(), gen_random_uuid() || '@example.com', 'n', '', 'customer', now()
    FROM generate_series(1, 50)"""


async def test_a_dump_comes_back_as_it_was_while_the_database_goes_on(vault, fresh_url):
    await run(fresh_url, NEW)
    made = await backup.dump(fresh_url, vault)
    assert made.rows["accounts.customer"] == 54
    await run(fresh_url, NEW)
    found = await backup.drill(made, vault)
    assert found.is_good
    assert found.counted == sum(made.rows.values())
    assert [one.name for one in vault.backups()] == [made.name]
    assert not list(vault.folder.glob("scratch*"))
    assert (vault.folder / made.file).stat().st_mode & 0o077 == 0


async def test_the_clock_makes_backups_and_drills_the_newest(fresh_url, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs.queue, "SCHEDULES", {})
    config = settings.replace(
        DATABASE_URL=fresh_url, BACKUP_FOLDER=str(tmp_path / "backups"), BACKUP_AT="1 * * * *", DRILL_AT="2 * * * *"
    )
    backups.schedule(config)
    by_name = {one.name: (one.cron, one.task) for one in jobs.queue.SCHEDULES.values()}
    assert {name: cron for name, (cron, _) in by_name.items()} == {
        "platform.backup": "1 * * * *", "platform.drill": "2 * * * *",
    }  # fmt: skip
    back_up, drill = (task for _, task in by_name.values())
    with pytest.raises(BackupFailed):
        await drill(None)
    await back_up(None)
    noted = "SELECT what FROM platform.done ORDER BY at"
    assert [row["what"] for row in await run(fresh_url, noted)] == ["backup"]
    await drill(None)
    assert [row["what"] for row in await run(fresh_url, noted)] == ["backup", "drill"]
    (made,) = backups.vault_of(config).backups()
    file = backups.vault_of(config).folder / made.file
    file.write_bytes(file.read_bytes()[:-100])
    await run(fresh_url, "DELETE FROM platform.done WHERE what = 'drill'", "SELECT 1")
    with pytest.raises(BackupFailed, match="was changed after it was made"):
        await drill(None)
    assert [row["what"] for row in await run(fresh_url, noted)] == ["backup"]


@pytest.mark.parametrize("harm", ["cut", "changed"])
async def test_a_file_that_was_harmed_is_no_backup(vault, fresh_url, harm):
    made = await backup.dump(fresh_url, vault)
    file = vault.folder / made.file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if harm == "changed" else content[:-100])
    with pytest.raises(BackupFailed, match="was changed after it was made"):
        await backup.drill(made, vault)


async def test_what_is_missing_in_a_restored_backup_is_told(vault, fresh_url):
    made = await backup.dump(fresh_url, vault)
    async with backup.restored(made, vault) as url:
        await run(url, NEW)
        found = await compare(made, url, began=clock.now())
    assert not found.is_good
    assert found.differing == {"accounts.customer": (4, 54)}


async def test_only_who_has_the_key_can_open_what_it_closed(vault, fresh_url):
    (secret, public), (other, _) = new(), new()
    closing = Vault(vault.folder, Key.of(public))
    made = await backup.dump(fresh_url, closing)
    assert made.file.endswith(".age")
    assert b"accounts" not in (vault.folder / made.file).read_bytes()
    assert (await backup.drill(made, Vault(vault.folder, Key.of(secret)))).is_good
    for key, why in (("", "set BACKUP_KEY"), (public, "is a public key"), (other, "cannot be decrypted")):
        with pytest.raises(BackupFailed, match=why):
            Vault(vault.folder, Key.of(key)).open(made, io.BytesIO())


async def test_a_backup_that_ends_badly_leaves_nothing(vault, fresh_url, monkeypatch):
    monkeypatch.setattr(Vault, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        await backup.dump(fresh_url, vault)
    assert vault.backups() == []
    assert list(vault.folder.iterdir()) == []


async def test_a_dump_takes_the_place_of_the_database(vault, fresh_url):
    await run(fresh_url, NEW)
    made = await backup.dump(fresh_url, vault)
    open_before = await asyncpg.connect(fresh_url)
    await run(fresh_url, NEW)
    found, before = await backup.replace_database(made, vault, fresh_url)
    assert found.is_good
    assert await people(fresh_url) == 50
    assert open_before.is_closed() or not await _alive(open_before)
    old = fresh_url.replace(fresh_url.partition("?")[0].rpartition("/")[2], before, 1)
    assert await people(old) == 100
    await run(
        fresh_url.replace(fresh_url.partition("?")[0].rpartition("/")[2], "postgres", 1), f"DROP DATABASE {before}"
    )


async def _alive(connection) -> bool:
    try:
        await connection.execute("SELECT 1")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True


async def test_old_backups_go_but_not_the_last(vault, fresh_url):
    made = [await backup.dump(fresh_url, vault) for _ in range(5)]
    assert vault.expire(1) == []
    with clock.held(clock.now() + timedelta(days=2)):
        assert sorted(vault.expire(1)) == sorted(one.name for one in made[:2])
    assert len(list(vault.folder.iterdir())) == 6


def test_what_a_killed_drill_left_behind_goes_a_day_later(vault):
    vault.folder.mkdir()
    killed, going_on = (vault.folder / f"scratch-{name}" for name in ("killed", "going-on"))
    for home in (killed, going_on):
        home.mkdir()
        home.chmod(0o755)
    left = Postgres(killed, {"fsync": "off"})
    left.start()
    for name in ("dump-1.dump.unfinished", "dump-2.dump.unfinished", "dump-1.json"):
        (vault.folder / name).touch()
    yesterday = clock.now().timestamp() - 25 * 3600
    for path in (killed, vault.folder / "dump-1.dump.unfinished", vault.folder / "dump-1.json"):
        os.utime(path, (yesterday, yesterday))
    assert scratch.clear(vault) == ["dump-1.dump.unfinished"], "somebody is still there"
    os.close(left._lease._shared)  # as when its process is killed
    os.utime(killed, (yesterday, yesterday))
    assert scratch.clear(vault) == ["scratch-killed"]
    assert {path.name for path in vault.folder.iterdir()} == {
        "scratch-going-on",
        "dump-2.dump.unfinished",
        "dump-1.json",
    }
    assert not left.is_running


@pytest.fixture
async def server():
    """A server of its own: whose log and files may be copied."""
    home = Path(tempfile.mkdtemp(prefix="tfmshop-own-"))
    os.chmod(home, 0o755)  # noqa: PTH101 - nothing else runs
    postgres = Postgres(home, {"fsync": "off"})
    url = postgres.start()
    await migrate.upgrade(url)
    yield home, postgres, url
    postgres.stop()
    shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(home)


async def test_a_server_comes_back_as_of_any_moment(server, tmp_path):
    home, postgres, url = server
    vault = Vault(tmp_path / "backups", Key.of(new()[0]))
    stopping, received = asyncio.Event(), []
    receiving = asyncio.create_task(backup.receive(url, vault, stopping, received.append))
    made = await backup.base(url, vault)
    with pytest.raises(BackupFailed, match="take an older one"):
        await backup.drill(made, vault, made.ended - timedelta(seconds=1))
    moments = []
    for _ in range(2):
        await run(url, NEW, "SELECT pg_switch_wal()")
        await asyncio.sleep(0.05)
        moments.append(clock.now())
        await asyncio.sleep(0.05)
    await run(url, NEW, "SELECT pg_switch_wal()")
    async with asyncio.timeout(30):
        while len(received) < 3:  # noqa: ASYNC110 - another program receives
            await asyncio.sleep(0.05)
    stopping.set()
    await receiving
    for n, moment in enumerate(moments, 1):
        async with backup.restored(made, vault, moment) as there:
            assert await people(there) == 50 * n
    async with backup.restored(made, vault) as there:
        assert await people(there) == 150
    with pytest.raises(BackupFailed, match="ends before that moment"):
        await backup.drill(made, vault, clock.now() + timedelta(hours=1))
    with pytest.raises(BackupFailed, match="stop the shop first"):
        await backup.replace_server(made, vault, home, moments[0])
    postgres.stop()
    found, before = await backup.replace_server(made, vault, home, moments[0])
    assert found.is_good
    assert await people(postgres.start()) == 50
    postgres.stop()
    shutil.rmtree(before)


async def test_the_log_that_no_backup_needs_goes(server, tmp_path):
    _, _, url = server
    vault = Vault(tmp_path / "backups")
    stopping = asyncio.Event()
    receiving = asyncio.create_task(backup.receive(url, vault, stopping, lambda _: None))
    await asyncio.sleep(0.5)
    for _ in range(4):
        await run(url, NEW, "SELECT pg_switch_wal()")
        made = await backup.base(url, vault)
    stopping.set()
    await receiving
    before = list(vault.segments())
    with clock.held(clock.now() + timedelta(days=2)):
        (gone,) = vault.expire(1)
    oldest = min(one.wal for one in vault.backups())
    assert list(vault.segments()) == [one for one in before if one >= oldest]
    assert len(vault.segments()) < len(before)
    assert gone != made.name
