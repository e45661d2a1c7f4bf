"""Reminding people of the carts they left, once each."""

from __future__ import annotations

from datetime import timedelta

from tfmshop.commerce import cart
from tfmshop.commerce.news.letters import write
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Tx


async def remind(tx: Tx, after: timedelta) -> int:
    """Write to whoever left a cart with goods and an e-mail address that long ago, up to 100 at once; how many."""
    left = await cart.closing.left_behind(tx, clock.now() - after)
    for one in left:
        if not one.lines:
            continue
        lines = [{"title": title, "quantity": quantity} for title, quantity in one.lines]
        await write(tx, f"cart {one.id}", "abandoned", one.email, one.id, codec.encode_text({"lines": lines}))
    return len(left)
