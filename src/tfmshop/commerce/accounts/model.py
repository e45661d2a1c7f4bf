"""People."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Role(StrEnum):
    """What a person may do."""

    CUSTOMER = "customer"
    SUPPORT = "support"
    CATALOG_MANAGER = "catalog_manager"
    ADMIN = "admin"


class Customer(msgspec.Struct, frozen=True):
    """A person with an account."""

    id: UUID
    email: str
    name: str
    role: str
    is_active: bool
    created_at: datetime


def normal_email(email: str) -> str:
    """The form in which addresses are compared: without surrounding space, in lower case."""
    return email.strip().lower()


def known_of(email: str, name: str = "") -> list[str]:
    """The words of a person that others know, too: no password is made of them."""
    local, _, host = normal_email(email).partition("@")
    plain = name.casefold()
    whole = [f"{local}@{host}", host, host.partition(".")[0], plain, "".join(plain.split())]
    return [*whole, *re.split(r"[\W_]+", f"{local} {plain}")]
