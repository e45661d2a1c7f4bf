"""The web server as processes: one that stays, and generations of workers that come and go behind the same port."""

from tfmshop.surface.serving.sockets import listening
from tfmshop.surface.serving.status import Status, is_alive, read_status
from tfmshop.surface.serving.supervisor import Supervisor

__all__ = ["Status", "Supervisor", "is_alive", "listening", "read_status"]
