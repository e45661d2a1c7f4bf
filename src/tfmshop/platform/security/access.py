"""Access tokens: signed, short-lived proof of who is asking (JWT, HS256 and nothing else)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import jwt

from tfmshop.platform import clock, ids

LIFETIME = timedelta(minutes=15)
ISSUER = "tfmshop"
AUDIENCE = "tfmshop-api"
KIND = "at+jwt"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: a signed-in person, their role, the session they signed in with; `strong` with a second factor.

    `watched_by` is the member of staff who looks at the shop as this person.
    """

    id: UUID
    role: str
    session: UUID | None = None
    strong: bool = False
    watched_by: UUID | None = None


class AccessTokens:
    """Issues and checks access tokens with one secret key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._key_id = hashlib.sha256(secret.encode()).hexdigest()[:8]

    def issue(self, viewer: Viewer) -> str:
        """A token that names `viewer` for 15 minutes."""
        now = clock.now()
        claims = {"sub": str(viewer.id), "role": viewer.role, "iss": ISSUER, "aud": AUDIENCE, "iat": now,
                  "exp": now + LIFETIME}  # fmt: skip
        if viewer.session is not None:
            claims["sid"] = str(viewer.session)
        if viewer.strong:
            claims["amr"] = ["pwd", "otp"]
        if viewer.watched_by is not None:
            claims["act"] = {"sub": str(viewer.watched_by)}
        return jwt.encode(claims, self._secret, "HS256", headers={"typ": KIND, "kid": self._key_id})

    def read(self, token: str) -> Viewer | None:
        """Who the token names, or None when it is not ours, altered or expired."""
        try:
            if jwt.get_unverified_header(token).get("typ") != KIND:
                return None
            claims = jwt.decode(
                token, self._secret, ["HS256"], audience=AUDIENCE, issuer=ISSUER,
                options={"require": ["exp", "iat", "sub"]},
            )  # fmt: skip
        except (jwt.InvalidTokenError, ValueError):
            return None
        person = ids.parse(str(claims["sub"]))
        session = ids.parse(str(claims.get("sid", "")))
        strong = "otp" in (claims.get("amr") or ())
        watched_by = ids.parse(str(claims["act"]["sub"])) if "act" in claims else None
        return Viewer(person, str(claims.get("role", "")), session, strong, watched_by) if person else None


def digest(token: str) -> bytes:
    """What is stored of a random token: SHA-256, so that a stolen table opens nothing."""
    return hashlib.sha256(token.encode()).digest()


def secret_kept_in(file: Path) -> str:
    """The installation's own secret, made on first use and readable by its owner only."""
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        try:
            file.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_text()
