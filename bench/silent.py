"""`python -m bench.silent COMMAND ...`: the command `tfmshop` with everything taken out that tells what happens.

Nothing is counted, timed, logged, sampled or watched: what is left is the shop, to be compared with.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

from tfmshop import __main__ as program
from tfmshop import app
from tfmshop.platform.db import query
from tfmshop.surface.http.edge import measure, ready


def nothing(*_: Any, **__: Any) -> None:
    """Do not tell."""


@asynccontextmanager
async def unobserved(*_: Any) -> Any:
    """Do not measure the process, and work out no alerts."""
    yield


measure.answered = nothing  # type: ignore[assignment]
ready.Ready.add = nothing  # type: ignore[assignment, method-assign]
query.Statistics.ran = query.Statistics.failed = nothing  # type: ignore[method-assign, assignment]
app.observed = unobserved  # type: ignore[assignment]

if __name__ == "__main__":
    program.main()
