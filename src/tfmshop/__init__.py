"""TFMShop: an online shop's backend on PostgreSQL and Redis."""

__version__ = "0.1.0"
