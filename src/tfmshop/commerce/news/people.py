"""Letters about accounts: links to verify an address or set a password, and what somebody should know."""

from __future__ import annotations

import hashlib

from tfmshop.commerce import accounts
from tfmshop.commerce.news.letters import write
from tfmshop.platform import clock
from tfmshop.platform.db import Tx

NOTHING = "{}"


async def forgot(tx: Tx, asked: accounts.proofs.Asked) -> None:
    """Send a link to a new password, if there is such an account."""
    if await accounts.proofs.add(tx, "reset", asked):
        await write(tx, f"proof {asked.id}", "reset", asked.email, asked.id, NOTHING)


async def registered(tx: Tx, asked: accounts.proofs.Asked) -> None:
    """Send a link that verifies the address, or say, once an hour, that somebody tried to register with it again."""
    if asked.new:
        if await accounts.proofs.add(tx, "verify", asked):
            await write(tx, f"proof {asked.id}", "verify", asked.email, asked.id, NOTHING)
        return
    who = hashlib.sha256(asked.email.encode()).hexdigest()[:16]
    await write(tx, f"known {who} {clock.now():%Y%m%d%H}", "known", asked.email, asked.id, NOTHING)


async def new_email(tx: Tx, asked: accounts.proofs.Asked) -> None:
    """Send a link to the address that shall be somebody's from now on."""
    await write(tx, f"proof {asked.id}", "email", asked.email, asked.id, NOTHING)


async def email_changed(tx: Tx, asked: accounts.proofs.Asked) -> None:
    """Say, to the address that was, that it is another one now."""
    await write(tx, f"email {asked.id}", "moved", asked.email, asked.id, NOTHING)


async def identity_joined(tx: Tx, asked: accounts.proofs.Asked) -> None:
    """Say that another account opens this one: who did not do it should know."""
    await write(tx, f"identity {asked.id}", "joined", asked.email, asked.id, NOTHING)


async def password_changed(tx: Tx, asked: accounts.proofs.Asked) -> None:
    """Say that the password changed: who did not do it should know."""
    await write(tx, f"password {asked.id}", "password", asked.email, asked.id, NOTHING)
