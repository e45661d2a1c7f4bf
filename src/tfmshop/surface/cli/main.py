"""The command `tfmshop` and what it does with errors: one sentence, no traceback, exit code not 0."""

from __future__ import annotations

import sys

import typer

from tfmshop import __version__
from tfmshop.platform.backup import BackupFailed
from tfmshop.platform.db import WrongServer
from tfmshop.platform.db.migrate import CannotMigrate
from tfmshop.platform.embedded import CannotStart
from tfmshop.platform.errors import ShopError
from tfmshop.surface.cli import (
    accounts,
    alerts,
    audit,
    backup,  # noqa: F401 - adds its commands to those of db
    cache,
    catalog,
    categories,
    dashboard,
    db,
    db_server,  # noqa: F401 - adds its commands to those of db
    deploy,
    doctor,
    inventory,
    jobs,
    logs,
    monitor,
    moving,  # noqa: F401 - adds its command to those of orders
    optimize,
    orders,
    plan,  # noqa: F401 - adds its command to those of db
    prices,
    pricing,
    production,
    promotions,
    search,
    security,
    seed,
    serve,
    settings,
    up,
    webhooks,
)
from tfmshop.surface.cli.host import Failure, Host
from tfmshop.surface.cli.output import err
from tfmshop.surface.cli.spans import WrongUsage

app = typer.Typer(
    name="tfmshop", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Run and look after a shop. Settings come from the environment and .env: see `tfmshop config`.",
)  # fmt: skip
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("work")(serve.work)
app.command("schedule")(serve.schedule)
app.command("config")(settings.config)
app.command("doctor")(doctor.doctor)
app.add_typer(db.app, name="db")
app.add_typer(seed.app, name="seed")
app.add_typer(catalog.app, name="catalog")
app.add_typer(categories.app, name="categories")
app.add_typer(search.app, name="search")
app.add_typer(inventory.app, name="inventory")
app.add_typer(prices.prices, name="prices")
app.add_typer(prices.sales, name="sales")
app.add_typer(pricing.tax, name="tax")
app.add_typer(pricing.shipping, name="shipping")
app.add_typer(promotions.app, name="promotions")
app.add_typer(orders.app, name="orders")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(jobs.app, name="jobs")
app.add_typer(accounts.app, name="accounts")
app.add_typer(audit.app, name="audit")
app.add_typer(security.app, name="security")
app.add_typer(cache.app, name="cache")
app.add_typer(logs.app, name="logs")
app.add_typer(alerts.app, name="alerts")
app.add_typer(monitor.app, name="monitor")
app.add_typer(dashboard.app, name="dashboard")
app.add_typer(optimize.app, name="optimize")
app.add_typer(production.app, name="production")
app.add_typer(deploy.app, name="deploy")


@app.command()
def version() -> None:
    """Print the version.

    Example: `tfmshop version`
    """
    typer.echo(__version__)


def run(host: Host, settings_error: type[Exception]) -> int:
    """Run the command that the arguments name; the exit code."""
    _keep(sys.argv[1] if len(sys.argv) > 1 else "")
    code = _ended(host, settings_error)
    return code if _printed() else code or 1


def _ended(host: Host, settings_error: type[Exception]) -> int:
    try:
        app(obj=host)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except settings_error as error:
        for sentence in str(error).splitlines():
            err.print(sentence, markup=False)
        return 2
    except (Failure, CannotStart, BackupFailed, WrongServer, CannotMigrate, ShopError) as error:
        err.print(str(error), markup=False)
        return 2 if isinstance(error, WrongUsage) else 1
    except OSError as error:
        if error.filename is not None:
            err.print(f"{error.filename}: {error.strerror}.", markup=False)
        elif _printed("\n"):
            raise
        return 1
    return 0


def _printed(last: str = "") -> bool:
    """Whether standard output took all that was printed, and `last`, without which one that took nothing and kept
    nothing looks well; told where it did not, but to who does not read on.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.write(last)
            sys.stdout.flush()
    except OSError as error:
        sys.stdout = None  # or Python tries once more at its end
        if not isinstance(error, BrokenPipeError):
            err.print(f"What is to be printed: {error.strerror}.", markup=False)
        return False
    return True


def _keep(named: str) -> None:
    """Leave Typer only the group that is named: making the commands of all takes longer than most of them."""
    if found := [group for group in app.registered_groups if group.name == named]:
        app.registered_groups = found
        app.registered_commands = []
