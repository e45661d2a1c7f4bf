"""What the driver's faults mean to the shop."""

from __future__ import annotations

import asyncpg

from tfmshop.platform.errors import DatabaseUnavailable, Kind, ShopError, TookTooLong

LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


class NoAnswer(TookTooLong, kind=Kind.UNAVAILABLE, code="no_answer_in_time", says="The shop's database took too long."):
    """PostgreSQL did not answer in time: what it does with the statement is not known, the connection is given up."""


class Unkept(ShopError, kind=Kind.INVALID, code="cannot_be_kept", says="Something is too long or out of range."):
    """PostgreSQL cannot keep a value: a number out of range, or more text than an index or a search entry takes."""


UNKEPT = (
    asyncpg.ProgramLimitExceededError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.DatetimeFieldOverflowError,
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    OverflowError,
)


def as_fact(error: BaseException) -> Exception | None:
    """What a fault of PostgreSQL means to the shop, or None when it is not such a fault."""
    if isinstance(error, asyncpg.QueryCanceledError | asyncpg.LockNotAvailableError):
        return TookTooLong()
    if isinstance(error, TimeoutError):
        return NoAnswer()
    if isinstance(error, UNKEPT) or type(error) is asyncpg.DataError:
        return Unkept()
    if isinstance(error, (asyncpg.ReadOnlySQLTransactionError, *LOST)):
        return DatabaseUnavailable()
    return None
