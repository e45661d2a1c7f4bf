"""Pictures, in the width and format that fit."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from functools import partial
from typing import Annotated, Final, Literal

from litestar import Response, get
from litestar.params import Parameter

from tfmshop.platform import cache
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.files import Files, images
from tfmshop.platform.files.keys import is_original
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.tiers import limited

FOREVER = "public, max-age=31536000, immutable"
LARGEST_KEPT: Final = 64 << 10
"""Bytes of a picture that is kept in memory."""
_REFUSED: Final = re.compile(r"q\s*=\s*0(\.0*)?")
Format = Literal["avif", "webp", "jpg"] | None
Picture = tuple[bytes, str]
PICTURES: Final[cache.Kind[Picture | None]] = cache.Kind(
    "pictures", timedelta(days=1), None, None, lambda found: len(found[0]) if found else 0
)
"""Their content never changes; each process has its own, because the files are there for all."""


class FileNotFound(ShopError, kind=Kind.NOT_FOUND, code="file_not_found", says="There is no such file."):
    """No file has that key."""


@get(
    "/media/{key:str}",
    summary="A picture",
    tags=["media"],
    media_type="image/*",
    opt=limited("general"),
)
async def show_file(
    request: AnyRequest,
    key: str,
    width: Annotated[
        int | None,
        Parameter(schema_extra={"enum": [*images.WIDTHS]}, description="One of 160, 320, 640, 960, 1280, 1920 pixels."),
    ] = None,
    kind: Annotated[Format, Parameter(query="format", description="Without it, `Accept` decides.")] = None,
) -> Response[bytes]:
    """A picture by its key, never wider than it is; AVIF, WebP or JPEG, whichever the client takes.

    The content of an address never changes. Drawings (SVG) are sent as they are.

    Errors: `file_not_found`, `invalid_request`.
    """
    if width is not None and width not in images.WIDTHS:
        raise InvalidField("width", f"One of {', '.join(map(str, images.WIDTHS))}.")
    if not is_original(key):
        raise FileNotFound
    platform = shop_of(request).platform
    wanted = kind or _best(request.headers.get("accept", ""))
    name = key if key.endswith(".svg") else f"{key}?width={width or 0}&format={wanted}"
    found = await platform.cache.get(PICTURES, name, partial(_made, platform.files, key, width, wanted))
    if found is None:
        raise FileNotFound
    headers = {"cache-control": FOREVER, "content-disposition": f'inline; filename="{key}"'}
    return Response(found[0], media_type=found[1], headers=headers if kind else headers | {"vary": "accept"})


def _best(accept: str) -> str:
    """The smallest format that the client says it takes."""
    parts = (part.partition(";") for part in accept.lower().split(","))
    takes = {name.strip() for name, _, quality in parts if not _REFUSED.fullmatch(quality.strip())}
    return "avif" if "image/avif" in takes else "webp" if "image/webp" in takes else "jpg"


async def _made(files: Files, key: str, width: int | None, kind: str) -> cache.Made[Picture | None]:
    """A picture, made by one thread however many wait for it. Large ones stay in their store: that is as quick."""
    found = await asyncio.to_thread(_fitting, files, key, width, kind)
    return cache.Made(found, frozenset(), None if found and len(found[0]) <= LARGEST_KEPT else timedelta(0))


def _fitting(files: Files, key: str, width: int | None, kind: str) -> Picture | None:
    if key.endswith(".svg"):
        return files.get(key)
    stem, _, _ = key.partition(".")
    made = f"{stem}.{width or 0}.{kind}"
    if (ready := files.get(made)) is not None:
        return ready
    original = files.get(key)
    if original is None:
        return None
    files.keep(made, images.resized(original[0], width, kind))
    return files.get(made)


ROUTES = [show_file]
