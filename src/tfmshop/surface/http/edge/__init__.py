"""The first and last code of every request, in front of the framework."""

from tfmshop.surface.http.edge.door import Edge
from tfmshop.surface.http.edge.sender import Rules
from tfmshop.surface.http.edge.watch import Watch

__all__ = ["Edge", "Rules", "Watch"]
