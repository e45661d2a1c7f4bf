"""Pictures: checked before they are decoded, made anew so that nothing hidden stays in them, resized on demand."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from tfmshop.platform.errors import Kind, ShopError

WIDTHS: Final = (160, 320, 640, 960, 1280, 1920)
LARGEST_BYTES: Final = 12 << 20
MOST_PIXELS: Final = 40_000_000
WIDEST: Final = 2560
_READ: Final = ("JPEG", "PNG", "WEBP", "AVIF")
_SAVED: Final[dict[str, tuple[str, dict[str, int]]]] = {
    "avif": ("AVIF", {"quality": 62, "speed": 8}),
    "webp": ("WEBP", {"quality": 82, "method": 4}),
    "jpg": ("JPEG", {"quality": 84}),
}
_encoders = threading.BoundedSemaphore(2)
"""How many pictures a process encodes at once; others wait, so that requests for pages are not starved."""


class BadPicture(ShopError, kind=Kind.INVALID, code="bad_picture", says="This is not a picture we can use: {why}."):
    """The file is no JPEG, PNG, WebP or AVIF, is damaged, or has too many pixels or bytes."""

    why: str


def accepted(content: bytes) -> bytes:
    """An uploaded picture as WebP, upright, without metadata, at most 2,560 pixels wide. `BadPicture`.

    What the file says it is does not count, only what it holds; its size is checked before a pixel is decoded.
    """
    if len(content) > LARGEST_BYTES:
        raise BadPicture(why=f"it has more than {LARGEST_BYTES >> 20} MiB")
    with _encoders, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=_READ) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise BadPicture(why=f"it has more than {MOST_PIXELS:,} pixels")
                picture.draft("RGB", (WIDEST, WIDEST))
                upright = ImageOps.exif_transpose(_eight_bits(picture))
                upright.thumbnail((WIDEST, WIDEST * 4))
                clean = upright.convert(
                    "RGBA" if "A" in upright.getbands() or "transparency" in upright.info else "RGB"
                )
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise BadPicture(why=f"it has more than {MOST_PIXELS:,} pixels") from None
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, OverflowError, RuntimeError):
            raise BadPicture(why="it is not a whole JPEG, PNG, WebP or AVIF file") from None
        return _encoded(clean, "webp", 90)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A picture whose grey has 16 bits, with 8: the library would cut instead of scale."""
    if not picture.mode.startswith("I"):
        return picture
    return picture.convert("I").point(lambda value: value / 256).convert("L")


def resized(content: bytes, width: int | None, kind: str) -> bytes:
    """A picture of ours in another width (never wider than it is) and format."""
    with _encoders, Image.open(io.BytesIO(content)) as picture:
        fitting: Image.Image = picture
        if width is not None and width < picture.width:
            height = max(1, round(picture.height * width / picture.width))
            fitting = picture.resize((width, height), Image.Resampling.LANCZOS)
        if kind == "jpg" and fitting.mode == "RGBA":
            ground = Image.new("RGB", fitting.size, "white")
            ground.paste(fitting, mask=fitting.getchannel("A"))
            fitting = ground
        return _encoded(fitting, kind)


def _encoded(picture: Image.Image, kind: str, quality: int | None = None) -> bytes:
    name, options = _SAVED[kind]
    target = io.BytesIO()
    picture.save(target, name, **(options | ({"quality": quality} if quality else {})))
    return target.getvalue()
