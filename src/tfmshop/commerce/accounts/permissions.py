"""What a role may do in the back office."""

from __future__ import annotations

from typing import Final

from tfmshop.platform.errors import Kind, ShopError

ROLES: Final = {
    "admin": frozenset({"audit", "catalog", "orders", "reviews", "search", "webhooks"}),
    "catalog_manager": frozenset({"catalog", "search"}),
    "support": frozenset({"orders", "reviews"}),
}
"""Permissions by role; whoever has another role has none."""


class NotAllowed(ShopError, kind=Kind.FORBIDDEN, code="not_allowed", says="This needs the permission {permission}."):
    """The person is signed in, and is not staff with that permission."""

    permission: str


class SecondFactorNeeded(
    ShopError, kind=Kind.FORBIDDEN, code="second_factor_needed", says="Staff must sign in with a second factor."
):
    """In production the back office is for those who signed in with one."""


def check(role: str, permission: str) -> None:
    """Raise `NotAllowed` unless `role` has `permission`."""
    if permission not in ROLES.get(role, frozenset()):
        raise NotAllowed(permission)
