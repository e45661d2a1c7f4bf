"""Brands by name, made where they are missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.catalog.store import ADD_BRANDS, FIND_BRANDS
from tfmshop.commerce.catalog.store_edit import ADD_BRAND, FIND_BRAND
from tfmshop.commerce.vocabulary import same_name, slug
from tfmshop.platform import ids
from tfmshop.platform.db import Tx, columns


class Brands:
    """Knows the id of every brand by its name."""

    def __init__(self) -> None:
        self._ids: dict[str, UUID] = {}
        self._slugs: set[str] = set()
        self._read = False
        self._made: list[UUID] = []

    def id_of(self, name: str | None) -> UUID | None:
        """The id of the brand with that name, or None."""
        return self._ids.get(same_name(name)) if name else None

    def take_made(self) -> list[UUID]:
        """Those that were made since this was asked last."""
        made, self._made = self._made, []
        return made

    async def ensure(self, tx: Tx, names: list[str], make_id: Callable[[datetime], UUID], now: datetime) -> None:
        """Make every brand of `names` that does not exist yet."""
        if not self._read:
            for row in await tx.rows(FIND_BRANDS):
                self._ids[row["name_key"]] = row["id"]
                self._slugs.add(row["slug"])
            self._read = True
        rows: list[tuple[UUID, str, str, str]] = []
        for name in names:
            key = same_name(name)
            if key not in self._ids:
                id = make_id(now)
                wanted = slug(name)
                free = wanted if wanted and wanted not in self._slugs else f"{wanted}-{id.hex[-12:]}".lstrip("-")
                self._ids[key] = id
                self._slugs.add(free)
                self._made.append(id)
                rows.append((id, free, name, key))
        if rows:
            await tx.execute(ADD_BRANDS, *columns(rows))


async def brand_id(tx: Tx, name: str | None) -> UUID | None:
    """The id of a brand, made if it is new, whoever makes it at the same time; None without a name."""
    if name is None:
        return None
    key = same_name(name)
    found: UUID | None = await tx.value(FIND_BRAND, key)
    while found is None:
        await tx.execute(ADD_BRAND, ids.new(), slug(name), " ".join(name.split()), key)
        found = await tx.value(FIND_BRAND, key)
    return found
