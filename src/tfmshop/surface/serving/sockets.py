"""The sockets that a server listens on: one for each worker, held by the process that stays.

The system spreads connections over them. Since they outlive every worker, what waits to be accepted waits for the next
one: nobody is refused while a worker is killed or a release is exchanged.
"""

from __future__ import annotations

import socket
from typing import Final

CONNECTIONS: Final = 32_768
"""Connections that are held at once, over all processes: idle and slow ones cost little, and keep nobody out."""
BACKLOG: Final = 2048
"""Connections that wait to be accepted, for each worker."""


def listening(address: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets on one port, which children inherit. OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = []
    for _ in range(count):
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((address, port))
        one.listen(BACKLOG)
        one.setblocking(False)
        one.set_inheritable(True)
        found.append(one)
    return found
