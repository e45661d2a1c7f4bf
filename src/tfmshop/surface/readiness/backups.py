"""The box that cost others their shop: a backup that was never restored."""

from __future__ import annotations

from tfmshop.platform.backup import BackupFailed
from tfmshop.platform.backup.encryption import PUBLIC
from tfmshop.surface import backups
from tfmshop.surface.readiness.box import AFTER, Place, Result, box


@box("backup", AFTER, 3600.0)
async def restored(place: Place) -> Result:
    """A backup is made now, restored into a server of its own, and compared with what was copied."""
    key = place.config.text("BACKUP_KEY")
    try:
        made, _ = await backups.make(place.platform.config, "dump")
        if key.startswith(PUBLIC):
            return Result("warn", f"{made.name} was made; only the secret key can open it",
                          "Run `tfmshop db drill` where that key is.")  # fmt: skip
        found = await backups.drill(place.platform.config, made)
    except BackupFailed as error:
        return Result("fail", str(error), "See `tfmshop db backup` and `tfmshop db drill`.")
    if not found.is_good:
        return Result("fail", f"{made.name} is not what was copied", f"See `tfmshop db drill {made.name}`.")
    if missing := [name for name in ("BACKUP_AT", "DRILL_AT") if not place.config.text(name)]:
        return Result("warn", f"{made.name} restored and compared, but the clock does not: no {', no '.join(missing)}",
                      f"Set {' and '.join(missing)}, or note your own (`tfmshop db backed-up`).")  # fmt: skip
    return Result("pass", f"{made.name}: {found.counted:,} rows restored and compared in {found.seconds:.1f} s")
