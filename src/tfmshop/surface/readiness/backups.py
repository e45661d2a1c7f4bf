"""The box that cost others their shop: a backup that was never restored."""

from __future__ import annotations

from datetime import timedelta

from tfmshop.platform import clock, done
from tfmshop.platform.backup import BackupFailed
from tfmshop.platform.backup.encryption import PUBLIC
from tfmshop.surface import backups
from tfmshop.surface.readiness.box import AFTER, BEFORE, Place, Result, box, judged


@box("age of backups", BEFORE)
async def age(place: Place) -> Result:
    """Backups are made and tried out as often as the settings want."""
    async with place.platform.db.read() as tx:
        found = {row["what"]: row["at"] for row in await tx.rows(done.LAST)}
    failing, warning = [], []
    hours, days = place.config.number("ALERT_BACKUP_HOURS"), place.config.number("ALERT_DRILL_DAYS")
    for what, setting, longest in (
        (done.BACKUP, "BACKUP_AT", timedelta(hours=hours)), (done.DRILL, "DRILL_AT", timedelta(days=days)),
    ):  # fmt: skip
        mend = f"Run `tfmshop db {what}`."
        if what in found and clock.now() - found[what] > longest:
            failing.append(f"the last {what} was {found[what]:%Y-%m-%d %H:%M} UTC: Is `tfmshop work` running? {mend}")
        elif what not in found and place.config.text(setting):
            warning.append(f"no {what} was made yet: {mend}")
    said = [f"{what} {at:%Y-%m-%d %H:%M} UTC" for what, at in found.items() if what in (done.BACKUP, done.DRILL)]
    return judged(failing, warning, ", ".join(said) or "none is asked for")


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
