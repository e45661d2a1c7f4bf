"""JSON and typed decoding: the only door to a serialisation library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

DEEPEST: Final = 32
_TEXTS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A text without its end goes on to the end of the body, so that each letter is looked at once."""
_BRACKETS: Final = re.compile(rb"[\[\]{}]")

_encoder = msgspec.json.Encoder(uuid_format="canonical", decimal_format="number")
_encode = _encoder.encode


class Malformed(Exception):
    """The text is not JSON."""


class Unfit(Exception):
    """The value is JSON but not of the wanted shape; `where` is a path such as `lines[0].quantity`."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where


def check_depth(data: bytes) -> None:
    """Refuse JSON that is nested more than 32 deep: `Malformed`. Brackets inside of texts do not count."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_TEXTS.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise Malformed(f"it is nested more than {DEEPEST} deep")


def encode(value: object) -> bytes:
    """JSON of structs, dataclasses, dicts, UUIDs, datetimes and numbers, as UTF-8 bytes."""
    return _encode(value)


def encode_text(value: object) -> str:
    """As `encode`, as text."""
    return _encode(value).decode()


def encode_lines(values: Sequence[object]) -> bytes:
    """JSON lines: one value a line, each ended."""
    return _encoder.encode_lines(values)


def decode(data: bytes | str) -> Any:
    """Untyped JSON; `Malformed` when it is not JSON."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None


def decode_as(data: bytes | str, kind: type[T]) -> T:
    """JSON as a `kind`; `Malformed` when it is not JSON, `Unfit` when it is not a `kind`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        if "got `float`" not in str(error):
            raise _unfit(error) from None
        return convert(_whole(decode(data)), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None


def _whole(value: Any) -> Any:
    """The value with `2.0` as 2, which are the same number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return value


def convert(value: object, kind: type[T], *, from_text: bool = False) -> T:
    """A plain value as a `kind`; `from_text` also reads numbers, flags and lists out of strings. `Unfit` otherwise."""
    try:
        return msgspec.convert(value, type=kind, strict=not from_text)
    except msgspec.ValidationError as error:
        raise _unfit(error) from None


def shape(kind: Any, parts_at: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """JSON Schema of just what `decode_as` takes as a `kind`, and of its parts by name, found at `parts_at`."""
    (whole,), parts = msgspec.json.schema_components([kind], ref_template=parts_at)
    return whole, parts


def as_is(text: str) -> Any:
    """JSON that was made elsewhere, to be put into an encoded value as it is, without reading it."""
    return msgspec.Raw(text.encode())


def _unfit(error: msgspec.ValidationError) -> Unfit:
    message, _, path = str(error).partition(" - at `$")
    return Unfit(message, path.rstrip("`").lstrip("."))
