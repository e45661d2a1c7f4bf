"""Floor of P1: a bare ASGI callable that sends the same bytes, whatever is asked for: a body with the headers of the
answer, or on `/body` with its content type alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ANSWER = json.loads(Path(os.environ["FLOOR_ANSWER"]).read_text())
BODY = ANSWER["body"].encode()
HEADERS = [(name.encode(), value.encode()) for name, value in ANSWER["headers"]]
START = {"type": "http.response.start", "status": 200, "headers": HEADERS}
START_OF_BODY = {**START, "headers": [pair for pair in HEADERS if pair[0] in (b"content-type", b"content-length")]}
END = {"type": "http.response.body", "body": BODY}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """What the server calls."""
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    await send(START_OF_BODY if scope["path"] == "/body" else START)
    await send(END)
