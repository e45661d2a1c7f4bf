"""What can go wrong with lists."""

from tfmshop.platform.errors import Kind, ShopError


class PageTooDeep(
    ShopError,
    kind=Kind.NOT_FOUND,
    code="page_too_deep",
    says="Pages end after {most} products; follow next_cursor to go further.",
):
    """The page lies beyond the bound of LIMIT/OFFSET."""

    most: int


class NoSuchLanguage(
    ShopError, kind=Kind.INVALID, code="no_such_language", says="PostgreSQL has no text search for {language!r}."
):
    """The language is none of PostgreSQL's text search configurations."""

    language: str


class NoWords(ShopError, kind=Kind.CONFLICT, code="no_words", says="A synonym needs words that can be searched for."):
    """The words are stop words or punctuation only."""


class ReindexTakenOver(
    ShopError, kind=Kind.CONFLICT, code="reindex_taken_over", says="Another reindex began, and goes on from here."
):
    """Only one reindex runs at a time: the last that began."""


class NoVectors(
    ShopError, kind=Kind.CONFLICT, code="no_vectors", says="Meaning needs pgvector 0.7 or later in PostgreSQL."
):
    """The extension `vector` is not installed on the database server."""
