"""Backups of this installation: made, drilled, noted, and thrown away in time, by commands and by the clock."""

from __future__ import annotations

from pathlib import Path

import structlog

from tfmshop.platform import Config, backup, done, jobs
from tfmshop.platform.backup import Backup, BackupFailed, Comparison, Key, Vault, scratch
from tfmshop.platform.db import Database

log = structlog.get_logger("app")


def vault_of(config: Config) -> Vault:
    """Where the settings want backups. `BackupFailed` where the key is none."""
    folder = config.text("BACKUP_FOLDER")
    try:
        key = Key.of(config.text("BACKUP_KEY"))
    except ValueError as error:
        raise BackupFailed(f"BACKUP_KEY: {error}.") from None
    return Vault(Path(folder).absolute() if folder else config.home / "backups", key)


async def make(config: Config, kind: str) -> tuple[Backup, list[str]]:
    """Make a backup, note it, and throw old ones away: what was made, and the names of what went."""
    vault, url = vault_of(config), config.text("DATABASE_URL")
    made = await (backup.base if kind == "base" else backup.dump)(url, vault)
    await done.note_at(url, done.BACKUP)
    return made, vault.expire(config.number("BACKUP_DAYS")) + scratch.clear(vault)


async def drill(config: Config, made: Backup) -> Comparison:
    """Restore a backup aside and compare; noted where it is what was copied."""
    found = await backup.drill(made, vault_of(config))
    if found.is_good:
        await done.note_at(config.text("DATABASE_URL"), done.DRILL)
    return found


def schedule(config: Config) -> None:
    """Have backups and drills made by the clock, where the settings want it."""
    if when := config.text("BACKUP_AT"):

        @jobs.schedule("platform.backup", when)
        async def back_up(_: Database) -> None:
            made, gone = await make(config, config.text("BACKUP_KIND"))
            log.info("a backup was made", name=made.name, bytes=made.bytes, thrown_away=gone)

    if when := config.text("DRILL_AT"):

        @jobs.schedule("platform.drill", when)
        async def try_out(_: Database) -> None:
            found = await drill(config, vault_of(config).find("latest"))
            if not found.is_good:
                raise BackupFailed(f"{found.backup} is not what was copied: see `tfmshop db drill {found.backup}`.")
            log.info("a backup was restored and compared", name=found.backup, seconds=round(found.seconds, 1))
