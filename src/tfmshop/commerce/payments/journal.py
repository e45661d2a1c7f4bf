"""What the fake payment company remembers, in memory or in a file that its processes share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import codec

What = Literal["asked", "authorized", "declined", "captured", "refunded", "refund_failed", "voided"]


class Entry(msgspec.Struct, frozen=True):
    """A line of the journal."""

    key: str
    what: What
    amount: int = 0
    currency: str = ""
    reference: str = ""


@dataclass
class Payment:
    """What the company knows of a key."""

    state: What
    amount: Money
    reference: str = ""
    captured: int = 0
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class Journal:
    """Payments by key. With a path every change is a line there, and the lines of other processes are read too."""

    def __init__(self, path: Path | None) -> None:
        self._payments: dict[str, Payment] = {}
        self._path = path
        self._read = 0

    def of(self, key: str) -> Payment:
        """The payment that was noted under a key."""
        return self._payments[key]

    def known(self, key: str) -> Payment | None:
        """What is known of a key now."""
        self._catch_up()
        return self._payments.get(key)

    def note(self, entry: Entry) -> None:
        """Write down what happened."""
        if self._path is None:
            self._apply(entry)
            return
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, codec.encode(entry) + b"\n")
        finally:
            os.close(file)
        self._catch_up()

    def _catch_up(self) -> None:
        """Learn what other processes wrote into the journal."""
        if self._path is None or not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            while (line := file.readline()).endswith(b"\n"):
                self._apply(codec.decode_as(line, Entry))
                self._read += len(line)

    def _apply(self, entry: Entry) -> None:
        amount = Money(entry.amount, entry.currency)
        known = self._payments.setdefault(entry.key, Payment(entry.what, amount))
        if entry.what == "refunded":
            known.refunds[entry.reference] = (f"refund_{entry.reference[:12]}", entry.amount)
            return
        if entry.what == "refund_failed":
            del known.refunds[entry.reference]
            known.failed.add(entry.reference)
            return
        if entry.what == "authorized" and known.reference:
            return
        known.state = entry.what
        if entry.what == "authorized":
            known.reference, known.amount = entry.reference, amount
        if entry.what == "captured":
            known.captured = entry.amount
