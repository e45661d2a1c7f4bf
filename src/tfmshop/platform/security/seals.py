"""Tokens that name a row and prove that the shop made them. Nothing of a token is kept: it can be made again.

A token is the row's id, a number, and 128 bits of HMAC-SHA256 over purpose, id, number and the row's own salt. Who
reads the table lacks the key, who has the key lacks the salt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

SIZE: Final = 36
"""Bytes of a token: 16 of the id, 4 of the number, 16 of proof; 48 characters of base64url."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a token says, and its proof, which is not checked yet."""

    id: UUID
    number: int
    proof: bytes


class Seals:
    """Makes and checks tokens with one secret key."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"tfmshop seals", hashlib.sha256)

    def token(self, purpose: str, id: UUID, salt: bytes, number: int = 0) -> str:
        """The token of a row."""
        body = id.bytes + number.to_bytes(4, "big")
        return base64.urlsafe_b64encode(body + self._proof(purpose, body, salt)).decode()

    def fits(self, sealed: Sealed, purpose: str, salt: bytes) -> bool:
        """Whether the shop made that token, for that purpose, of a row with that salt."""
        body = sealed.id.bytes + sealed.number.to_bytes(4, "big")
        return hmac.compare_digest(sealed.proof, self._proof(purpose, body, salt))

    def seal(self, part: bytes) -> bytes:
        """32 bytes that only whoever has the key can make of `part` (HMAC-SHA256)."""
        return hmac.digest(self._key, b"seal\0" + part, hashlib.sha256)

    def _proof(self, purpose: str, body: bytes, salt: bytes) -> bytes:
        return hmac.digest(self._key, b"\0".join((purpose.encode(), body, salt)), hashlib.sha256)[:16]


def opened(token: str) -> Sealed | None:
    """What a token says; None when it is none."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    if len(raw) != SIZE:
        return None
    return Sealed(UUID(bytes=raw[:16]), int.from_bytes(raw[16:20], "big"), raw[20:])
