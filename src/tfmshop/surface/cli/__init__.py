"""`tfmshop`, the command line: one file for each group of commands."""

from tfmshop.surface.cli.host import Host
from tfmshop.surface.cli.main import run

__all__ = ["Host", "run"]
