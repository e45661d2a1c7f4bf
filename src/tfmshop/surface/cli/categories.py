"""`tfmshop categories`: the tree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from tfmshop.commerce import catalog
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="The tree of categories: add, rename, move, put in order, take out.")

Category = Annotated[str, typer.Argument(help="Slug or id.")]
Slug = Annotated[str | None, typer.Option(help="Its address; an old one goes on leading to it.")]


@app.command("list")
def list_categories(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the tree with the number of products on sale in and below each category.

    Examples: `tfmshop categories list`, `tfmshop categories list --json`
    """

    async def work(platform: Platform) -> list[catalog.Branch]:
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


def _change(context: typer.Context, change: Callable[[Tx], Awaitable[T]]) -> T:
    async def work(platform: Platform) -> T:
        return await platform.db.transact(change)

    return host_of(context).with_platform(work)


def _print(branches: list[catalog.Branch], depth: int) -> None:
    for branch in branches:
        typer.echo(f"{'  ' * depth}{branch.name} ({branch.slug}): {branch.product_count:,}")
        _print(branch.children, depth + 1)
