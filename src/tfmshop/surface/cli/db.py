"""`tfmshop db`: the schema, what statements cost, and what PostgreSQL is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from tfmshop.platform import Platform, clock, done
from tfmshop.platform.analysis import plans, queries, statements
from tfmshop.platform.db import check_server, migrate, roles
from tfmshop.platform.db.query import FAMILIES, QUERIES
from tfmshop.platform.observe import blocks, readings
from tfmshop.platform.observe.process import METRICS
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, out, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="The database: migrations, what statements cost, what it is doing.")
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")]


class By(StrEnum):
    """What statements are ordered by."""

    TOTAL = "total"
    MEAN = "mean"
    P95 = "p95"
    MOST = "most"
    CALLS = "calls"
    ERRORS = "errors"
    SLOW = "slow"


@app.command("migrate")
def migrate_command(
    context: typer.Context,
    lock_timeout: Annotated[
        float, typer.Option(min=0.001, max=3600, help="Longest wait for a lock on a table, in seconds.")
    ] = 3.0,
    as_json: AsJson = False,
) -> None:
    """Bring the schema to this release; a second process waits for the first.

    Examples: `tfmshop db migrate`, `tfmshop db migrate --lock-timeout 1`
    """
    host = host_of(context)
    with host.running(host.read_config()) as config:
        url = config.text("DATABASE_URL")
        asyncio.run(check_server(url))
        done = asyncio.run(migrate.upgrade(url, lock_timeout_seconds=lock_timeout))
    if as_json:
        print_json({"applied": done, "revision": migrate.newest()})
        return
    for name in done:
        typer.echo(f"applied {name}")
    typer.echo(f"The schema is at {migrate.newest()}.")


@app.command("grant")
def grant(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="A role that PostgreSQL has.")],
    as_json: AsJson = False,
) -> None:
    """Let a role of PostgreSQL serve the shop without owning it: it changes rows, never tables, and no history.

    Run it as the owner, whose DATABASE_URL migrates; web servers and job runners then use the role's.
    Example: `tfmshop db grant tfmshop_app`
    """

    async def work(platform: Platform) -> list[str]:
        async with platform.db.tx() as tx:
            return await roles.let_serve(tx, role)

    statements = host_of(context).with_platform(work)
    if as_json:
        print_json({"role": role, "statements": statements})
        return
    typer.echo(f"{role} may serve the shop and work for it. It cannot change tables, nor rows of:")
    for name in roles.WRITTEN_ONCE:
        typer.echo(f"  {name}")


@app.command("queries")
def show_queries(
    context: typer.Context,
    by: Annotated[By, typer.Option(help="The order.")] = By.TOTAL,
    only: Annotated[str, typer.Option(help="Only names that have this in them.")] = "",
    limit: Limit = 25,
    server: Annotated[
        bool, typer.Option("--server", help="With PostgreSQL's own count, where it has pg_stat_statements.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what each statement costs: over all web servers and job runners of this installation, since they started.

    Percentiles are estimated within the buckets of /metrics. Examples: `tfmshop db queries`,
    `tfmshop db queries --by p95 --only orders.`, `tfmshop db queries --server`
    """
    folder = host_of(context).read_config().home / METRICS
    costs = queries.costs(readings.summed(blocks.read(folder)))
    columns: dict[By, Callable[[queries.Cost], float]] = {
        By.TOTAL: lambda c: c.total_ms, By.MEAN: lambda c: c.mean_ms, By.P95: lambda c: c.p95_ms,
        By.MOST: lambda c: c.most_ms, By.CALLS: lambda c: c.calls, By.ERRORS: lambda c: c.errors,
        By.SLOW: lambda c: c.slow,
    }  # fmt: skip
    found = sorted((c for c in costs if only in c.name), key=lambda c: -columns[by](c))[:limit]
    counted = _counted(context, {cost.name for cost in found}) if server and found else {}
    if as_json:
        print_json([{"cost": cost, "server": counted.get(cost.name)} for cost in found] if server else found)
    elif server and found:
        print_table(
            ("statement", "calls", "mean ms", "server calls", "server ms", "rows a call", "pages in memory"),
            [(c.name, f"{c.calls:,}", f"{c.mean_ms:.2f}", *_by_server(counted.get(c.name))) for c in found],
        )
    elif not found:
        such = f" whose name has {only!r} in it" if only else ""
        typer.echo(f"No statement{such} was run by a web server or a job runner that counts in {folder}.")
    else:
        print_table(
            ("statement", "calls", "share", "mean ms", "p95", "p99", "most", "rows", "errors", "slow"),
            [(c.name, f"{c.calls:,}", f"{c.share:.1%}", f"{c.mean_ms:.2f}", f"{c.p95_ms:.1f}", f"{c.p99_ms:.1f}",
              f"{c.most_ms:.1f}", f"{c.rows:,}", c.errors, c.slow) for c in found],
        )  # fmt: skip


def _counted(context: typer.Context, names: set[str]) -> dict[str, statements.Counted]:
    found = host_of(context).with_platform(lambda platform: statements.counted(platform.db, names))
    if found is None:
        raise Failure("PostgreSQL does not count statements: set shared_preload_libraries=pg_stat_statements there, "
                      "and CREATE EXTENSION pg_stat_statements.")  # fmt: skip
    return found


def _by_server(one: statements.Counted | None) -> tuple[str, str, str, str]:
    if one is None:
        return "-", "-", "-", "-"
    return f"{one.calls:,}", f"{one.mean_ms:.2f}", f"{one.rows / max(1, one.calls):,.1f}", f"{one.hit_ratio:.1%}"


@app.command("explain")
def explain(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The statement, such as orders.find.")],
    as_json: AsJson = False,
) -> None:
    """Show the SQL of a statement and the plan that PostgreSQL makes for any values; of a family, its first shape.

    Example: `tfmshop db explain orders.find`
    """
    query = QUERIES.get(name)
    if query is None and name in FAMILIES:
        query = FAMILIES[name].of(next(FAMILIES[name].shapes()))
    if query is None:
        near = [one for one in [*QUERIES, *FAMILIES] if name.rpartition(".")[2] in one][:5]
        raise Failure(f"There is no statement {name!r}{': is it ' + ', '.join(near) + '?' if near else '.'}")
    if not plans.PLANNED.match(query.sql):
        raise Failure(f"{name} has no plan: {query.sql.split()[0]}.")
    found = query
    lines = host_of(context).with_platform(lambda platform: plans.plan(platform.db, found))
    if as_json:
        print_json({"name": name, "sql": query.sql.strip(), "plan": lines})
        return
    for line in (query.sql.strip(), "", *lines):
        out.print(line, markup=False)


@app.command("backed-up")
def backed_up(context: typer.Context) -> None:
    """Note that a backup was made just now, by whatever makes yours: BackupLate then looks at how old it is.

    Example: `pg_dump --format=custom --file=shop.dump "$DATABASE_URL" && tfmshop db backed-up`
    """

    async def work(platform: Platform) -> None:
        async with platform.db.tx() as tx:
            await done.note(tx, done.BACKUP, clock.now())

    host_of(context).with_platform(work)
    typer.echo("Noted.")
