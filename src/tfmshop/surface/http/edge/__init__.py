"""The first and last code of every request, in front of the framework."""

from tfmshop.surface.http.edge.door import Edge
from tfmshop.surface.http.edge.sender import Rules

__all__ = ["Edge", "Rules"]
