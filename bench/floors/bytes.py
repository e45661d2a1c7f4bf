"""Floor of P1: a bare ASGI callable that sends the same bytes with the content type, whatever is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

BODY = Path(os.environ["FLOOR_BODY"]).read_bytes()
START = {
    "type": "http.response.start", "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}  # fmt: skip
END = {"type": "http.response.body", "body": BODY}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """What the server calls."""
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    await send(START)
    await send(END)
