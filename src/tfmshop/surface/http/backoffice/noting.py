"""What staff do goes into the audit log, in the transaction of the change."""

from __future__ import annotations

from typing import Any, Final

from tfmshop.commerce import audit
from tfmshop.platform import codec
from tfmshop.platform.db import Tx
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in

PERSONAL: Final = {"email": "(an address)", "addresses": "(an address)"}
"""What stands for personal data: a chain of seals cannot forget."""


async def noted(
    request: AnyRequest, tx: Tx, action: str, subject: object, *, before: object = None, after: object = None
) -> None:
    """Note what the signed-in person did to a subject; last of all in `tx`, because the log is one for everybody.

    Of two things with names, only what differs between them is kept, and of addresses only that they do.
    """
    old, new = _different(before, after)
    act = audit.Act(
        str(signed_in(request)), action, str(subject), old, new, request.client.host if request.client else "",
        request.scope["state"]["request_id"],
    )  # fmt: skip
    await audit.note(tx, shop_of(request).platform.seals, act)


def _different(before: object, after: object) -> tuple[Any, Any]:
    old, new = (codec.decode(codec.encode(value)) for value in (before, after))
    if not isinstance(old, dict) or not isinstance(new, dict):
        return old, new
    names = [name for name in old | new if old.get(name) != new.get(name)]
    return {name: _kept(name, old) for name in names}, {name: _kept(name, new) for name in names}


def _kept(name: str, values: dict[str, Any]) -> Any:
    return PERSONAL.get(name, values.get(name))
