"""News about orders."""

from __future__ import annotations

from uuid import UUID

import msgspec


class OrderPaid(msgspec.Struct, frozen=True):
    """An order is paid: count its sales, and whatever else hangs on it."""

    order_id: UUID
