"""Copies of the database that are known to be good: made, encrypted, restored, compared, and thrown away in time."""

from tfmshop.platform.backup.compare import Comparison
from tfmshop.platform.backup.drill import drill, restored
from tfmshop.platform.backup.dump import dump
from tfmshop.platform.backup.encryption import Key
from tfmshop.platform.backup.files import Backup, BackupFailed, Vault
from tfmshop.platform.backup.physical import base
from tfmshop.platform.backup.replace import replace_database, replace_server, restore_into
from tfmshop.platform.backup.wal import receive

__all__ = [
    "Backup", "BackupFailed", "Comparison", "Key", "Vault", "base", "drill", "dump", "receive", "replace_database",
    "replace_server", "restore_into", "restored",
]  # fmt: skip
