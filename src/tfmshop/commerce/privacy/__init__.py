"""What the shop knows of a person: given to them, or forgotten."""

from tfmshop.commerce.privacy.erase import OrdersUnderWay, erase
from tfmshop.commerce.privacy.export import Known, export

__all__ = ["Known", "OrdersUnderWay", "erase", "export"]
