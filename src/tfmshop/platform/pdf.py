"""PDF out of a layout and data, by Typst: the layout is ours, and the data never becomes part of it."""

from __future__ import annotations

from tfmshop.platform import codec
from tfmshop.platform.errors import Kind, ShopError


class CannotPrint(
    ShopError, kind=Kind.UNAVAILABLE, code="pdf_unavailable",
    says="This shop makes no PDF.",
):  # fmt: skip
    """The extra `pdf` is not installed, which makes it."""


def printed(layout: bytes, data: object) -> bytes:
    """A PDF of a layout in Typst, which reads `data` as JSON from `sys.inputs.data`. `CannotPrint`."""
    try:
        import typst
    except ImportError:
        raise CannotPrint from None
    return typst.compile(layout, format="pdf", sys_inputs={"data": codec.encode_text(data)})
