"""The drill: a backup is good when it was restored, and what came out is what went in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from tfmshop.platform import clock
from tfmshop.platform.backup import scratch
from tfmshop.platform.backup.compare import Comparison, compare
from tfmshop.platform.backup.dump import restore_dump
from tfmshop.platform.backup.files import Backup, BackupFailed, Vault
from tfmshop.platform.backup.physical import restore_base
from tfmshop.platform.backup.programs import programs_of
from tfmshop.platform.embedded import Postgres
from tfmshop.platform.embedded.owner import choose, data_folder


async def drill(backup: Backup, vault: Vault, to: datetime | None = None) -> Comparison:
    """Restore a backup into a server of its own, compare, and throw that server away. `BackupFailed`."""
    began = clock.now()
    async with restored(backup, vault, to) as url:
        return await compare(backup, url, to=to, began=began)


@asynccontextmanager
async def restored(backup: Backup, vault: Vault, to: datetime | None = None) -> AsyncIterator[str]:
    """The URL of the restored database, on a server that is there for the time of a block. `BackupFailed`."""
    if to is not None and backup.kind == "dump":
        raise BackupFailed(f"{backup.name} is a dump, of one moment: take a base backup for another.")
    with scratch.folder(vault) as home:
        settings, programs = dict(scratch.LIGHT), None
        if backup.kind == "base":
            owner = choose()
            data = data_folder(home, "postgres", owner)
            programs = programs_of(backup.server)
            settings |= await asyncio.to_thread(restore_base, backup, vault, data, to, owner)
        server = Postgres(home, settings, scratch.RECOVERY_SECONDS, programs)
        with scratch.started(server) as url:
            if backup.kind == "base":
                yield scratch.named(url, backup.database, backup.user)
            else:
                target = await scratch.empty_database(url)
                await restore_dump(backup, vault, target)
                yield target
