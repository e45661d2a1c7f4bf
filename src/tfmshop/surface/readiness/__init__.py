"""Whether an installation is fit to be sold from: boxes that are tried, not ticked."""

from tfmshop.surface.readiness import backups, beside, database, log_files, room, running, settings  # noqa: F401 - they declare boxes
from tfmshop.surface.readiness.box import AFTER, BEFORE, BOXES, Box, Checked, Place, Result, tick

BOXES.sort(key=lambda one: (one.when == AFTER, one.seconds))

__all__ = ["AFTER", "BEFORE", "BOXES", "Box", "Checked", "Place", "Result", "tick"]
