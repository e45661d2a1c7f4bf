"""Finding what belongs to a path before the framework's router is asked, by the same rules."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


def parts_of(path: str) -> list[str]:
    """What stands between the slashes; several in a row are one, as for the framework's router."""
    return [part for part in path.split("/") if part]


class Paths(Generic[V]):
    """Values by template, such as `/products/{id}`; of several that fit a path, the one with the fewest parameters."""

    def __init__(self) -> None:
        self._fitting: dict[int, list[tuple[list[str], V]]] = {}

    def add(self, template: str, value: V) -> None:
        """Have paths of this template find the value."""
        parts = ["" if part.startswith("{") else part for part in parts_of(template)]
        fitting = self._fitting.setdefault(len(parts), [])
        fitting.append((parts, value))
        fitting.sort(key=lambda one: one[0].count(""))

    def find(self, given: list[str]) -> V | None:
        """The value for the parts of a path."""
        for parts, value in self._fitting.get(len(given), ()):
            if all(wanted in ("", part) for wanted, part in zip(parts, given, strict=True)):
                return value
        return None
