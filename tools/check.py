"""Every static check, side by side; prints each failure and exits with 1 when there was one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
MIGRATIONS = [str(path) for path in sorted(Path("src/tfmshop/migrations/versions").glob("*.sql"))]
CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "contracts": ["lint-imports", "--no-logo"],
    "migrations": [
        "squawk", "--assume-in-transaction", "--exclude", "prefer-bigint-over-int,prefer-identity", *MIGRATIONS,
    ],
    "shapes": ["python", "-m", "pytest", "-q", "-p", "no:xdist", "tests/shape/test_house.py"],
}  # fmt: skip


def main() -> int:
    """Run them all; 0 when each passed."""
    started = time.monotonic()
    running = {
        name: subprocess.Popen(
            [str(BIN / command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name, command in CHECKS.items()
    }
    failed = []
    for name, process in running.items():
        output, _ = process.communicate()
        print(f"{'ok    ' if process.returncode == 0 else 'FAILED'} {name}", flush=True)  # noqa: T201
        if process.returncode != 0:
            failed.append(name)
            print(output)  # noqa: T201
    print(f"{len(running) - len(failed)} of {len(running)} checks passed in {time.monotonic() - started:.0f} s")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
