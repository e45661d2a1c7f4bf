"""`tfmshop accounts`: people for staff."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.commerce import accounts
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.noting import in_transaction, noted
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Accounts: list customers and staff, put customers into groups.")


@app.command("list")
def list_accounts(
    context: typer.Context,
    role: Annotated[accounts.Role | None, typer.Option(help="Only people of this role.")] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Only closed accounts.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List accounts, newest first.

    Examples: `tfmshop accounts list --role admin`, `tfmshop accounts list --inactive --json`
    """

    async def work(platform: Platform) -> list[accounts.Customer]:
        async with platform.db.read() as tx:
            return await accounts.listing(tx, role=role, inactive=inactive, limit=limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("e-mail", "name", "role", "active", "since"),
            [(r.email, r.name, r.role, "yes" if r.is_active else "no", f"{r.created_at:%Y-%m-%d}") for r in rows],
        )


@app.command("group")
def set_group(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="Whose account.")],
    group: Annotated[str | None, typer.Argument(help="The group; without it, none.")] = None,
) -> None:
    """Put a customer into a group, for which price lists may hold.

    Examples: `tfmshop accounts group ada@example.com wholesale`, `tfmshop accounts group ada@example.com`
    """

    async def work(platform: Platform, tx: Tx) -> None:
        person, before = await accounts.staff.set_group(tx, email, group)
        await noted(platform, tx, "customers.group", person, before={"group": before}, after={"group": group})

    in_transaction(host_of(context), work)
    typer.echo(f"{email} is in {f'the group {group}' if group else 'no group'}.")


@app.command("role")
def set_role(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="Whose account.")],
    role: Annotated[str, typer.Argument(help="customer, support, catalog_manager, admin, or one of the shop's own.")],
    verified: Annotated[bool, typer.Option("--verified", help="You know that the address is theirs.")] = False,
) -> None:
    """Give a person a role, as the first admin needs; their sessions end. The last admin stays one. Who shall be staff
    followed the link in their letter, or you vouch for the address.

    Examples: `tfmshop accounts role ada@example.com admin`, `tfmshop accounts role ada@example.com admin --verified`
    """

    async def work(platform: Platform, tx: Tx) -> str:
        person, before = await accounts.staff.appoint(tx, email, role, verified=verified)
        after = {"role": role, "vouched": verified}
        await noted(platform, tx, "staff.role", person, before={"role": before}, after=after)
        return before

    before = in_transaction(host_of(context), work)
    typer.echo(f"{email} is {role} now, and was {before}.")


@app.command("unlock")
def unlock(context: typer.Context, email: Annotated[str, typer.Argument(help="Whose account.")]) -> None:
    """Take away the second factor of somebody who lost their app and their recovery codes; their sessions end.

    Example: `tfmshop accounts unlock ada@example.com`
    """

    async def work(platform: Platform, tx: Tx) -> None:
        await noted(platform, tx, "customers.unlock", await accounts.second_factor.drop_lost(tx, email))

    in_transaction(host_of(context), work)
    typer.echo(f"{email} signs in with the password alone, and should set up a second factor again.")
