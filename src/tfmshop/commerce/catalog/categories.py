"""Categories by their path of names, made where they are missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.catalog.store import ADD_CATEGORIES, FIND_CATEGORIES
from tfmshop.commerce.catalog.store_edit import LOCK_TREE
from tfmshop.commerce.vocabulary import same_name, slug
from tfmshop.platform.db import Tx, columns

Path = tuple[str, ...]
RESERVED = frozenset({"tree", "order"})
"""Words that the addresses of all categories, and of their order, have where one's has its slug."""


class CategoryPaths:
    """Knows the id of every category by the slugs on the way to it."""

    def __init__(self) -> None:
        self._ids: dict[Path, UUID] = {}
        self._ancestors: dict[UUID, list[UUID]] = {}
        self._slugs: set[str] = set(RESERVED)
        self._read = False
        self._made: list[UUID] = []

    def id_of(self, path: Path) -> UUID | None:
        """The id of the category at `path`, or None for the empty path or an unknown one."""
        return self._ids.get(_key(path))

    def take_made(self) -> list[UUID]:
        """Those that were made since this was asked last, parents first."""
        made, self._made = self._made, []
        return made

    async def ensure(self, tx: Tx, paths: list[Path], make_id: Callable[[datetime], UUID], now: datetime) -> None:
        """Make every category on `paths` that does not exist yet."""
        if not self._read:
            await self._read_all(tx)
        if any(_key(path[:depth]) not in self._ids for path in paths for depth in range(1, len(path) + 1)):
            await tx.rows(LOCK_TREE)
            await self._read_all(tx)
        rows: list[tuple[UUID, UUID | None, str, str, int, str]] = []
        for path in paths:
            for depth in range(1, len(path) + 1):
                part = path[:depth]
                if _key(part) not in self._ids:
                    rows.append(self._add(part, make_id(now), len(rows)))
        if rows:
            await tx.execute(ADD_CATEGORIES, *columns(rows))

    def _add(self, path: Path, id: UUID, position: int) -> tuple[UUID, UUID | None, str, str, int, str]:
        parent = self._ids.get(_key(path[:-1])) if len(path) > 1 else None
        ancestors = [*(self._ancestors[parent] if parent else []), id]
        name = slug(path[-1]) or id.hex
        wanted = (name, slug(" ".join(path[-2:])), f"{name}-{id.hex[-12:]}")
        free = next(candidate for candidate in wanted if candidate and candidate not in self._slugs)
        self._ids[_key(path)] = id
        self._ancestors[id] = ancestors
        self._slugs.add(free)
        self._made.append(id)
        return id, parent, free, path[-1], position, " ".join(str(ancestor) for ancestor in ancestors)

    async def _read_all(self, tx: Tx) -> None:
        """Read the tree as it is now: while it is locked, nobody moves what is about to be added to."""
        rows = await tx.rows(FIND_CATEGORIES)
        names = {row["id"]: row["name"] for row in rows}
        for row in rows:
            self._ids[_key(tuple(names[id] for id in row["ancestors"]))] = row["id"]
            self._ancestors[row["id"]] = row["ancestors"]
            self._slugs.add(row["slug"])
        self._read = True


def _key(path: Path) -> Path:
    return tuple(same_name(name) for name in path)
