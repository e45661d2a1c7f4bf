"""`tfmshop categories`: the tree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeVar

import msgspec
import typer

from tfmshop.commerce import catalog
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

T = TypeVar("T")


app = typer.Typer(no_args_is_help=True, help="The tree of categories: add, rename, move, put in order, take out.")

Category = Annotated[str, typer.Argument(help="Slug or id.")]
Slug = Annotated[str | None, typer.Option(help="Its address; an old one goes on leading to it.")]


@app.command("list")
def list_categories(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the tree with the number of products on sale in and below each category.

    Examples: `tfmshop categories list`, `tfmshop categories list --json`
    """

    async def work(platform: Platform) -> list[catalog.model.Branch]:
        async with platform.db.read() as tx:
            return await catalog.tree(tx)

    tree = host_of(context).with_platform(work)
    if as_json:
        print_json(tree)
    else:
        _print(tree, 0)


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name.")],
    below: Annotated[str | None, typer.Option(help="Slug or id of the category above.")] = None,
    slug: Slug = None,
) -> None:
    """Add a category, at the top or below another.

    Examples: `tfmshop categories add Garden`, `tfmshop categories add Hoses --below garden`
    """
    typer.echo(str(_change(context, lambda tx: catalog.arrange.add(tx, name, below, slug))))


@app.command("rename")
def rename(
    context: typer.Context,
    category: Category,
    name: Annotated[str, typer.Argument(help="Its new name.")],
    slug: Slug = None,
) -> None:
    """Give a category another name, and another slug if wanted.

    Example: `tfmshop categories rename grills Barbecues --slug barbecues`
    """
    _change(context, lambda tx: catalog.arrange.rename(tx, category, name, slug))


@app.command("move")
def move(
    context: typer.Context,
    category: Category,
    below: Annotated[
        str | None, typer.Option(help="Slug or id of the new category above; without it, the top.")
    ] = None,
) -> None:
    """Move a category with everything below it.

    Examples: `tfmshop categories move lamps --below lighting`, `tfmshop categories move lamps`
    """
    moved = _change(context, lambda tx: catalog.arrange.move(tx, category, below))
    typer.echo(f"Categories moved: {moved}.")


@app.command("order")
def order(
    context: typer.Context,
    categories: Annotated[list[str], typer.Argument(help="Slugs or ids of sister categories, first to last.")],
) -> None:
    """Put sister categories in order; those that are not named come after.

    Example: `tfmshop categories order sheds grills hoses`
    """
    _change(context, lambda tx: catalog.arrange.order(tx, categories))


@app.command("drop")
def drop(context: typer.Context, category: Category) -> None:
    """Take out a category that has nothing in or below it.

    Example: `tfmshop categories drop hoses`
    """
    _change(context, lambda tx: catalog.arrange.drop(tx, category))


@app.command("attributes")
def attributes(
    context: typer.Context,
    category: Annotated[str | None, typer.Argument(help="Slug or id; without it, what holds everywhere.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what specifications mean in a category: its own attributes and those of the categories above it.

    Examples: `tfmshop categories attributes laptops`, `tfmshop categories attributes --json`
    """
    rows = _change(context, lambda tx: catalog.attributes.listed(tx, category))
    if as_json:
        print_json(rows)
    else:
        print_table(("name", "label", "kind", "unit"), [(r.name, r.label, r.kind, r.unit or "") for r in rows])


@app.command("attribute")
def attribute(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The key in specifications.")],
    category: Annotated[str | None, typer.Option(help="Slug or id; without it, everywhere.")] = None,
    label: Annotated[str | None, typer.Option(help="What people read; default: the name.")] = None,
    kind: Annotated[Literal["text", "number", "flag"], typer.Option(help="What its values are.")] = "text",
    unit: Annotated[str | None, typer.Option(help="The unit that numbers are kept in, such as GB.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Take the attribute out.")] = False,
) -> None:
    """Say what a specification means in a category and below it; what is written from now on is checked.

    Examples: `tfmshop categories attribute capacity --category disks --kind number --unit GB`,
    `tfmshop categories attribute capacity --category disks --drop`
    """
    if drop:
        if not _change(context, lambda tx: catalog.attributes.drop(tx, category, name)):
            raise Failure(f"There is no attribute {name!r} there.")
        return
    try:
        given = {"name": name, "label": label or name, "kind": kind, "unit": unit}
        definition = msgspec.convert(given, catalog.attributes.Definition)
    except msgspec.ValidationError as error:
        raise Failure(f"Cannot use that attribute: {error}.") from None
    _change(context, lambda tx: catalog.attributes.define(tx, category, definition))


def _change(context: typer.Context, change: Callable[[Tx], Awaitable[T]]) -> T:
    async def work(platform: Platform) -> T:
        return await platform.db.transact(change)

    return host_of(context).with_platform(work)


def _print(branches: list[catalog.model.Branch], depth: int) -> None:
    for branch in branches:
        typer.echo(f"{'  ' * depth}{branch.name} ({branch.slug}): {branch.product_count:,}")
        _print(branch.children, depth + 1)
