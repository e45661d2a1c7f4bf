"""Finding what belongs to a path before the framework's router is asked, by the same rules."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


def parts_of(path: str) -> list[str]:
    """What stands between the slashes; several in a row are one, as for the framework's router."""
    return [part for part in path.split("/") if part]


class _Node(Generic[V]):
    """What may follow the beginning of a path; the parameter, whatever it is, as the empty text."""

    __slots__ = ("next", "value")

    def __init__(self) -> None:
        self.next: dict[str, _Node[V]] = {}
        self.value: V | None = None

    def find(self, given: list[str], at: int) -> V | None:
        """The value of what remains of a path."""
        if at == len(given):
            return self.value
        for part in (given[at], ""):
            node = self.next.get(part)
            if node is not None and (found := node.find(given, at + 1)) is not None:
                return found
        return None


class Paths(Generic[V]):
    """Values by template, such as `/products/{id}`; of several that fit a path, the one whose words come first."""

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()

    def add(self, template: str, value: V) -> None:
        """Have paths of this template find the value."""
        node = self._root
        for part in parts_of(template):
            node = node.next.setdefault("" if part.startswith("{") else part, _Node())
        node.value = value

    def find(self, given: list[str]) -> V | None:
        """The value for the parts of a path."""
        return self._root.find(given, 0)
