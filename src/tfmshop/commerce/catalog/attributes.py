"""What may be said of products: attributes of a category and of those above it, as data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tfmshop.commerce.catalog.errors import BadSpecification, CategoryNotFound
from tfmshop.commerce.catalog.store_edit import (
    ATTRIBUTES,
    DEFINE_ATTRIBUTE,
    DROP_ATTRIBUTE,
    FIND_CATEGORY,
    OWN_ATTRIBUTE,
)
from tfmshop.commerce.catalog.units import in_unit
from tfmshop.platform import ids
from tfmshop.platform.db import Tx

Label = Annotated[str, Meta(min_length=1, max_length=200)]
Kind = Literal["text", "number", "flag"]
Unit = Annotated[str, Meta(min_length=1, max_length=20)]


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attribute: `name` is the key in specifications, `label` is for people; only numbers have a `unit`."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    label: Label
    kind: Kind = "text"
    unit: Unit | None = None


def defined(name: str, label: str, kind: Kind, unit: str | None) -> Definition:
    """A definition by that name. `BadSpecification`."""
    if not 0 < len(name) <= 100:
        raise BadSpecification(name=name[:100], why="a name has 1 to 100 characters")
    return Definition(name, label, kind, unit)


async def define(tx: Tx, category: str | None, definition: Definition) -> None:
    """Say what a specification means in a category and below it; None: everywhere. `CategoryNotFound`.

    Products keep what they have; what is written from now on is checked.
    """
    if definition.unit is not None and definition.kind != "number":
        raise BadSpecification(name=definition.name, why="only numbers have a unit")
    await tx.execute(
        DEFINE_ATTRIBUTE, ids.new(), await _id_of(tx, category), definition.name, definition.label, definition.kind,
        definition.unit,
    )  # fmt: skip


async def drop(tx: Tx, category: str | None, name: str) -> bool:
    """Take a definition out; whether it was there. Products keep what they have."""
    return bool(await tx.execute(DROP_ATTRIBUTE, await _id_of(tx, category), name))


async def own(tx: Tx, category: UUID, name: str) -> Definition | None:
    """What a category itself says of a specification, not those above it."""
    row = await tx.row(OWN_ATTRIBUTE, category, name)
    return Definition(*row) if row else None


async def listed(tx: Tx, category: str | None) -> list[Definition]:
    """The definitions that hold in a category by slug or id (None: everywhere), by name. `CategoryNotFound`."""
    id = await _id_of(tx, category)
    return list((await of(tx, [id])).get(id, {}).values())


async def of(tx: Tx, categories: Collection[UUID | None]) -> dict[UUID | None, dict[str, Definition]]:
    """The definitions that hold in each of some categories, its own before those above it; only those that have any."""
    found: dict[UUID | None, dict[str, Definition]] = {}
    for row in await tx.rows(ATTRIBUTES, list(categories)):
        found.setdefault(row["category_id"], {})[row["name"]] = Definition(*row[1:])
    return found


async def checked(tx: Tx, category_id: UUID | None, given: dict[str, Any]) -> dict[str, Any]:
    """Specifications as they are kept: defined ones by their kind, numbers in their unit. `BadSpecification`."""
    return as_defined((await of(tx, [category_id])).get(category_id, {}), given)


def as_defined(known: Mapping[str, Definition], given: dict[str, Any]) -> dict[str, Any]:
    """Specifications as definitions want them. `BadSpecification`."""
    return {name: _as_defined(known[name], value) if name in known else value for name, value in given.items()}


def _as_defined(definition: Definition, value: Any) -> Any:
    if definition.kind == "number":
        number = value if isinstance(value, int | float) else in_unit(str(value), definition.unit)
        if number is None or isinstance(value, bool):
            unit = f" in {definition.unit}" if definition.unit else ""
            raise BadSpecification(name=definition.name, why=f"expected a number{unit}, not {value!r:.60}")
        return number
    if definition.kind == "flag":
        if not isinstance(value, bool):
            raise BadSpecification(name=definition.name, why=f"expected true or false, not {value!r:.60}")
        return value
    return str(value)


async def _id_of(tx: Tx, category: str | None) -> UUID | None:
    if category is None:
        return None
    id = ids.parse(category)
    found: UUID | None = await tx.value(FIND_CATEGORY, id, None if id else category)
    if found is None:
        raise CategoryNotFound
    return found
