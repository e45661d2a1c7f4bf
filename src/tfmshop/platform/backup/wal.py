"""Receiving PostgreSQL's log as it is written, so that a base backup can be brought to any moment since.

`pg_receivewal` writes into a folder of its own; what is complete is moved (and encrypted) from there. A replication
slot keeps what was not received yet on the server.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import asyncpg

from tfmshop.platform.backup.dump import major_of
from tfmshop.platform.backup.files import BackupFailed, Vault, keep_names
from tfmshop.platform.backup.programs import connected, program

SLOT: Final = "tfmshop_backup"
INCOMING: Final = "incoming"
PARTIAL: Final = ".partial"
LOOK_SECONDS: Final = 1.0


async def receive(url: str, vault: Vault, stopping: asyncio.Event, told: Callable[[str], None]) -> None:
    """Receive until told to stop; `told` hears of each segment that is complete. `BackupFailed` where the server does
    not let us, or goes away.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        pg_receivewal = program("pg_receivewal", await major_of(connection))
    finally:
        await connection.close()
    incoming = vault.log / INCOMING
    for folder in (vault.folder, vault.log, incoming):
        folder.mkdir(exist_ok=True, mode=0o700)
    address, environment = connected(url)
    shared = [pg_receivewal, f"--directory={incoming}", f"--slot={SLOT}", f"--dbname={address}", "--no-loop"]
    await _ended(await _started([*shared, "--create-slot", "--if-not-exists"], environment))
    process = await _started([*shared, "--status-interval=1"], environment)
    stop = asyncio.create_task(stopping.wait())
    try:
        while process.returncode is None and not stop.done():
            await asyncio.to_thread(collect, vault, told)
            await asyncio.wait({stop, asyncio.create_task(process.wait())}, timeout=LOOK_SECONDS,
                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await _ended(process)
        await asyncio.to_thread(collect, vault, told)
    finally:
        stop.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


def collect(vault: Vault, told: Callable[[str], None]) -> None:
    """Move what is complete to where it stays, encrypted where there is a key."""
    incoming = vault.log / INCOMING
    for path in sorted(incoming.iterdir()):
        if path.suffix == PARTIAL:
            continue
        with path.open("rb") as content:
            Vault(vault.log, vault.key).write(path.name, content)
        path.unlink()
        keep_names(incoming)
        told(path.name)


async def _started(command: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stderr=asyncio.subprocess.PIPE, cwd="/", start_new_session=True
    )


async def _ended(process: asyncio.subprocess.Process) -> None:
    _, errors = await process.communicate()
    if process.returncode:
        words = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
        raise BackupFailed(words[-1] if words else f"pg_receivewal ended with {process.returncode}")
