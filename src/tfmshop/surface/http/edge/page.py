"""An answer that anyone may have, prepared once: its headers and its body in each encoding that was asked for."""

from __future__ import annotations

from typing import Final
from zlib import adler32, crc32

from tfmshop.platform import codec
from tfmshop.surface.http.edge.encodings import COMPRESS, IDENTITY, SMALLEST
from tfmshop.surface.http.edge.headers import API, Headers, head
from tfmshop.surface.http.problems import Problem

PUBLIC: Final = (b"cache-control", b"public, no-cache")
"""Anyone may keep the answer, and asks with its ETag whether it still holds."""
FOR_CDN: Final = {b"cdn-cache-control", b"surrogate-key"}
_VARY: Final = (b"vary", b"accept-encoding")


class Page:
    """An answer without what is of one request only; or a problem, which names the request and is written for each."""

    __slots__ = ("_forms", "body", "extra", "problem", "status")

    def __init__(self, status: int, extra: Headers, body: bytes, problem: Problem | None = None) -> None:
        """`extra` are the headers that the route gave, and those for a CDN."""
        self.status = status
        self.extra = extra
        self.body = body
        self.problem = problem
        self._forms: dict[bytes, Form] = {}

    @property
    def size(self) -> int:
        """Bytes in memory, with the forms that are likely to be asked for."""
        return len(self.body) * 3 // 2 + 2000

    def form(self, encoding: bytes) -> Form:
        """The answer in an encoding, made when it is first asked for; short ones stay as they are."""
        if encoding and len(self.body) < SMALLEST:
            encoding = IDENTITY
        found = self._forms.get(encoding)
        if found is None:
            found = self._forms[encoding] = Form(self, encoding)
        return found

    def without_cdn(self) -> Page:
        """The same, for nobody to keep: what it shows may have changed since."""
        return Page(self.status, [pair for pair in self.extra if pair[0] not in FOR_CDN], self.body, self.problem)

    def pack(self) -> bytes:
        """As bytes, for other processes."""
        head = [self.status, [[name.decode(), value.decode()] for name, value in self.extra], self.problem]
        return codec.encode(head) + b"\n" + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> Page:
        """What `pack` made."""
        head, _, body = packed.partition(b"\n")
        status, extra, problem = codec.decode(head)
        headers = [(name.encode(), value.encode()) for name, value in extra]
        return cls(status, headers, body, Problem(**problem) if problem else None)


def tag_of(body: bytes, suffix: bytes = b"") -> bytes:
    """The strong `ETag` of a body; the suffix tells its form from others of the same body."""
    return b'"%x-%08x%08x%s"' % (len(body), crc32(body), adler32(body), suffix)


class Form:
    """A page in one encoding."""

    __slots__ = ("_heads", "body", "headers", "same", "status", "tag")

    def __init__(self, page: Page, encoding: bytes) -> None:
        self.status = page.status
        self.body = COMPRESS[encoding](page.body) if encoding else page.body
        self.tag = tag_of(page.body, b"-" + encoding if encoding else b"")
        kept = [*page.extra, PUBLIC, _VARY, (b"etag", self.tag), *API]
        self.same = [pair for pair in kept if pair[0] != b"content-type"]
        """The headers of a 304."""
        self.headers = [*kept, (b"content-length", b"%d" % len(self.body))]
        if encoding:
            self.headers.append((b"content-encoding", encoding))
        self._heads: dict[int, bytes] = {}

    def head(self, status: int) -> bytes:
        """The first line and the headers of an answer, as they are sent; to which more may be added."""
        found = self._heads.get(status)
        if found is None:
            found = self._heads[status] = head(status, self.same if status == 304 else self.headers)
        return found
