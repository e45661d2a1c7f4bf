"""Who the shop is on its invoices."""

from __future__ import annotations

from tfmshop.commerce import orders
from tfmshop.platform import Config


def seller_of(config: Config) -> orders.invoices.Seller:
    """The seller that the settings name."""
    address = [line.strip() for line in config.text("SHOP_ADDRESS").split(",")]
    return orders.invoices.Seller(
        config.text("SHOP_NAME"), [line for line in address if line], config.text("SHOP_TAX_ID")
    )
