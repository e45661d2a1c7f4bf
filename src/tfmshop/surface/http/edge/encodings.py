"""Which form of a body a client gets: as it is, or compressed with zstd, Brotli or gzip."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

IDENTITY: Final = b""
SMALLEST: Final = 512
"""Bytes from which a body is compressed: below that the headers are most of the answer."""

COMPRESS: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"zstd": lambda body: zstd.compress(body, 6),
    b"br": lambda body: brotli.compress(body, mode=brotli.MODE_TEXT, quality=5),
    b"gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
"""The encodings, the one that is liked best first; each gives the same bytes every time."""


@lru_cache(maxsize=1024)
def chosen(accepted: bytes) -> bytes:
    """The encoding for an `Accept-Encoding`: the one with the highest quality, of several the one liked best.

    What cannot be read is taken as not said (RFC 9110, section 12.5.3).
    """
    qualities = {}
    for part in accepted.lower().split(b","):
        name, _, rest = part.partition(b";")
        qualities[name.strip()] = _quality(rest)
    others = qualities.get(b"*", 0.0)
    liked = {name: qualities.get(name, others) for name in COMPRESS}
    best = max(liked, key=lambda name: liked[name])
    plain = qualities.get(b"identity", 0.0)
    return best if liked[best] > 0 and liked[best] >= plain else IDENTITY


def _quality(parameters: bytes) -> float:
    name, _, value = parameters.strip().partition(b"=")
    if name.strip() != b"q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
