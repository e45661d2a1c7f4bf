"""The web server as processes: one that stays, and generations of workers that come and go behind the same port."""

from tfmshop.surface.serving.sockets import listening
from tfmshop.surface.serving.status import Status, read_status
from tfmshop.surface.serving.supervisor import Supervisor

__all__ = ["Status", "Supervisor", "listening", "read_status"]
