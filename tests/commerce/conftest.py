"""What tests of the shop's rules share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfmshop.commerce import transfer
from tfmshop.platform.db import Database
from tfmshop.platform.files.rows import RowFile


@pytest.fixture
def bring_in(db, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def bring_in(path: Path, *, dry_run: bool = False, into: Database = db) -> transfer.Outcome:
        how = transfer.Mapping()
        job = transfer.Import(into, path, RowFile(path), how, "USD", dry_run=dry_run, progress=lambda *_: None)
        return await job.run()

    return bring_in
