"""What operators do by command, noted in the audit log."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tfmshop.commerce import audit
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.host import Failure, Host

T = TypeVar("T")


def in_transaction(host: Host, work: Callable[[Platform, Tx], Awaitable[T]]) -> T:
    """Run `work` in a transaction, in which it notes what it does. `Failure` without the key of the seals."""
    if host.read_config().text("DATABASE_URL"):
        has_seals(host)
    return host.with_platform(lambda platform: platform.db.transact(lambda tx: work(platform, tx)))


def has_seals(host: Host) -> None:
    """`Failure` where the key is not with which the entries of the audit log are sealed."""
    config = host.read_config()
    if not config.text("SEAL_SECRET") and not (config.home / "seal.secret").exists():
        raise Failure("The key of the seals is not here: set SEAL_SECRET, or TFMSHOP_HOME to the folder that has it.")


async def noted(
    platform: Platform, tx: Tx, action: str, subject: object, *, before: object = None, after: object = None
) -> None:
    """Note what an operator does, by the name that the machine knows; last of all in `tx`."""
    act = audit.Act(f"operator {_operator()}", action, str(subject), before, after, "the machine")
    await audit.note(tx, platform.seals, act)


def _operator() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
