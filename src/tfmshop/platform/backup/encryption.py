"""Encryption of backups by age (age-encryption.org/v1): one key, and any age program can open them without us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import pyrage
from pyrage import x25519

SECRET, PUBLIC = "AGE-SECRET-KEY-1", "age1"


@dataclass(frozen=True, slots=True)
class Key:
    """The key of backups: a secret one opens what it closed, a public one only closes."""

    recipient: x25519.Recipient
    identity: x25519.Identity | None

    @classmethod
    def of(cls, text: str) -> Key | None:
        """The key that the setting has, None where it has none. ValueError."""
        if not text:
            return None
        try:
            if text.startswith(PUBLIC):
                return cls(x25519.Recipient.from_str(text), None)
            identity = x25519.Identity.from_str(text)
        except (pyrage.RecipientError, pyrage.IdentityError) as error:
            raise ValueError(f"it is no key of age: {error}") from None
        return cls(identity.to_public(), identity)

    def close(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Encrypt a stream."""
        pyrage.encrypt_io(source, target, [self.recipient])

    def open(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Decrypt a stream. ValueError where it was closed by another key, or was changed."""
        if self.identity is None:
            raise ValueError("BACKUP_KEY is a public key: it cannot open what it closed; use the secret one here")
        try:
            pyrage.decrypt_io(source, target, [self.identity])
        except (pyrage.DecryptError, OSError) as error:
            raise ValueError(f"it cannot be decrypted: {error}") from None


def new() -> tuple[str, str]:
    """A new secret key and its public one."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def wrong(text: str) -> str | None:
    """What is wrong with the text of a key, or None."""
    try:
        Key.of(text)
    except ValueError as error:
        return f"must be a key of age ({SECRET}... or {PUBLIC}...): {error}"
    return None
