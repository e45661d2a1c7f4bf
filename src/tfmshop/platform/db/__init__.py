"""PostgreSQL: named queries over a pool, transactions, retry, migrations, truths."""

from tfmshop.platform.db import replicas
from tfmshop.platform.db.database import (
    Database,
    Options,
    WrongServer,
    check_server,
    connect,
    open_connection,
    unopened,
)
from tfmshop.platform.db.faults import NoAnswer, Unkept
from tfmshop.platform.db.listening import Listener
from tfmshop.platform.db.query import Copy, Family, Query, listening, written
from tfmshop.platform.db.truth import Truth, broken
from tfmshop.platform.db.tx import Refused, Row, Tx, columns

__all__ = [
    "Copy",
    "Database",
    "Family",
    "Listener",
    "NoAnswer",
    "Options",
    "Query",
    "Refused",
    "Row",
    "Truth",
    "Tx",
    "Unkept",
    "WrongServer",
    "broken",
    "check_server",
    "columns",
    "connect",
    "listening",
    "open_connection",
    "replicas",
    "unopened",
    "written",
]
