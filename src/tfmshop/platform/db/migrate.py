"""Migrations: Alembic over plain SQL files, one at a time across processes, never waiting long for a lock.

Alembic and SQLAlchemy are imported where they are used: no request and few commands need them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from sqlalchemy import Connection

ADVISORY_LOCK = 7_236_401
"""Any constant: held while migrating, so that two processes never migrate at once."""

NAME = "tfmshop migrate"
"""What PostgreSQL calls who migrates."""


class CannotMigrate(Exception):
    """The schema cannot be brought to this release; the text says why."""


_FOLDER = Path(__file__).parents[2] / "migrations"


def newest() -> str:
    """The revision that this release wants."""
    return max(path.stem[:4] for path in (_FOLDER / "versions").glob("*.sql"))


async def applied(url: str) -> str | None:
    """The revision that the database at `url` has, or None when it was never migrated."""
    connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
    try:
        if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM public.alembic_version")
        return revision
    finally:
        await connection.close()


async def upgrade(url: str, *, lock_timeout_seconds: float = 3.0, done: list[str] | None = None) -> list[str]:
    """Bring the database at `url` to the newest revision; the names of the revisions applied, oldest first, which are
    added to `done` one by one.

    Each revision is one transaction. A second process waits for the first by an advisory lock. A lock on a table
    that is not granted within `lock_timeout_seconds` ends the migration with nothing changed: `CannotMigrate`.
    """
    from sqlalchemy import pool
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine

    has = await applied(url)
    if has is not None and has > newest():
        raise CannotMigrate(f"The database is at revision {has}, newer than this release's {newest()}: update TFMShop.")
    engine = create_async_engine(_for_sqlalchemy(url), poolclass=pool.NullPool)
    done = [] if done is None else done
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run, done, lock_timeout_seconds)
    except (asyncpg.PostgresError, SQLAlchemyError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        after = f"after {done[-1]}" if done else "at once"
        raise CannotMigrate(f"The migration stopped {after}: {reason}. What it had begun was undone.") from error
    finally:
        await engine.dispose()
    return done


def _run(connection: Connection, done: list[str], lock_timeout_seconds: float) -> None:
    from alembic import command
    from alembic.config import Config as Alembic
    from sqlalchemy import text

    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text(f"SET application_name = '{NAME}'"))
    connection.execute(text(f"SET lock_timeout = '{lock_timeout_seconds * 1000:.0f}ms'"))
    connection.commit()
    try:
        alembic = Alembic()
        alembic.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
        alembic.set_main_option("path_separator", "os")
        alembic.attributes.update(connection=connection, done=done)
        command.upgrade(alembic, "head")
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()


def run_file(connection: Connection, file: Path) -> None:
    """Run all statements of an SQL file in the migration's transaction."""
    from sqlalchemy.util import await_only

    driver: Any = connection.connection.driver_connection
    await_only(driver.execute(file.read_text(encoding="utf-8")))


def _for_sqlalchemy(url: str) -> str:
    scheme, _, rest = url.partition("://")
    assert scheme in {"postgresql", "postgres"}  # noqa: S101 - config checks the scheme
    return f"postgresql+asyncpg://{rest}"
