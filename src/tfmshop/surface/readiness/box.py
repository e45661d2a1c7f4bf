"""What a box is: something that is tried, how it came out, and how it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from tfmshop.platform import Config, Platform
from tfmshop.platform.observe.alerts.channels import Channel

BEFORE, AFTER = "before", "after"
"""Whether a box can be tried before a release serves, or needs a shop that is open."""
LONGEST_SECONDS: Final = 30.0


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a box came out: `pass`, `warn` (it works, and should not stay so), `fail`, or `skip` where it could not be
    tried because another failed; what was found; the mend.
    """

    state: Literal["pass", "warn", "fail", "skip"]
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The installation that is looked at: its settings as they were given, what they lead to, who is told of alerts,
    and where its web server answers.
    """

    config: Config
    platform: Platform
    channels: list[Channel]
    url: str


Check = Callable[[Place], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Box:
    """Something to try, for at most so many seconds; `mend` is what helps where the try itself breaks."""

    name: str
    when: str
    check: Check
    seconds: float
    mend: str


class Checked(msgspec.Struct, frozen=True):
    """A box that was tried."""

    name: str
    when: str
    result: Result


BOXES: Final[list[Box]] = []


class NotTried(Exception):
    """What a box looks at is not there, which another box is about; the text says what."""


def box(
    name: str,
    when: str,
    seconds: float = LONGEST_SECONDS,
    mend: str = "See `tfmshop logs errors`.",
) -> Callable[[Check], Check]:
    """Declare a box."""

    def declare(check: Check) -> Check:
        BOXES.append(Box(name, when, check, seconds, mend))
        return check

    return declare


async def tick(boxes: Iterable[Box], place: Place, told: Callable[[str, int, int], None]) -> list[Checked]:
    """Try boxes one after another; one that breaks has failed."""
    found, todo = [], list(boxes)
    for number, one in enumerate(todo, 1):
        try:
            async with asyncio.timeout(one.seconds):
                result = await one.check(place)
        except NotTried as why:
            result = Result("skip", str(why))
        except TimeoutError:
            result = Result("fail", f"there was no answer in {one.seconds:.0f} s", one.mend)
        except Exception as error:  # noqa: BLE001 - whatever it is, the box is not ticked
            result = Result("fail", f"{type(error).__name__}: {error}", one.mend)
        found.append(Checked(one.name, one.when, result))
        told("boxes", number, len(todo))
    return found


def judged(failing: list[str], warning: list[str], well: str) -> Result:
    """One result of several: each is what was found, `: `, and the mend."""
    if not failing and not warning:
        return Result("pass", well)
    found, mends = zip(*(one.split(": ", 1) for one in [*failing, *warning]), strict=True)
    return Result("fail" if failing else "warn", "; ".join(found), " ".join(dict.fromkeys(mends)))
