"""What Schemathesis sends where the document asks for a picture, a file or an e-mail address: small real ones."""

from __future__ import annotations

import io

import schemathesis
from hypothesis import strategies
from PIL import Image


def _made(kind: str) -> strategies.SearchStrategy[bytes]:
    def draw(size: tuple[int, int]) -> bytes:
        target = io.BytesIO()
        Image.new("RGB", size, (10, 20, 30)).save(target, kind)
        return target.getvalue()

    return strategies.tuples(strategies.integers(1, 8), strategies.integers(1, 8)).map(draw)


for media, kind in (("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/webp", "WEBP"), ("image/avif", "AVIF")):
    schemathesis.openapi.media_type(media, _made(kind))

FILES = [b"sku,title,price\nA,Lamp,100\n", b'{"sku": "A", "title": "Lamp", "price": 100}\n', b"", b"\xff\x00"]
for media in ("text/csv", "application/x-ndjson", "application/octet-stream"):
    schemathesis.openapi.media_type(media, strategies.sampled_from(FILES))

schemathesis.openapi.format(
    "email", strategies.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}@[a-z0-9]{1,20}\.[a-z]{2,9}", fullmatch=True)
)
