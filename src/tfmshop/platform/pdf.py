"""PDF out of a layout and data, by Typst: the layout is ours, and the data never becomes part of it."""

from __future__ import annotations

import re
from typing import Final

from tfmshop.platform import codec
from tfmshop.platform.errors import Kind, ShopError

_OTHER_SCRIPTS: Final = re.compile("[^\u0000-\u05ff\u1e00-\u22ff]")
"""Letters that the fonts which come with Typst do not have: they have Latin, Greek, Cyrillic, Armenian,
Hebrew, and signs (looked at on a page of each)."""


class CannotPrint(
    ShopError, kind=Kind.UNAVAILABLE, code="pdf_unavailable",
    says="This shop makes no PDF.",
):  # fmt: skip
    """The extra `pdf` is not installed, which makes it."""


def printed(layout: bytes, data: object) -> bytes:
    """A PDF of a layout in Typst, which reads `data` as JSON from `sys.inputs.data`. `CannotPrint`.

    The fonts of the machine are looked for only where the text needs them: that takes a second and more, once in a
    process, in which nothing else of it runs (20 ms without; measured with 23 fonts).
    """
    try:
        import typst
    except ImportError:
        raise CannotPrint from None
    text = codec.encode_text(data)
    return typst.compile(
        layout, format="pdf", sys_inputs={"data": text}, ignore_system_fonts=_OTHER_SCRIPTS.search(text) is None
    )
