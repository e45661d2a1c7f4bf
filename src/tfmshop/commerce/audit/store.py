"""Every statement about what staff did."""

from tfmshop.platform.db import Query

HOLD_HEAD = Query("audit.hold_head", "SELECT number, seal FROM audit.head FOR UPDATE")

NOTE = Query(
    "audit.note",
    """
WITH noted AS (
    INSERT INTO audit.entry (number, at, who, action, subject, before, after, address, request_id, previous, seal)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
)
UPDATE audit.head SET number = $1, seal = $11
""",
)

_ENTRY = "number, at, who, action, subject, before, after, address, request_id"

LIST = Query("audit.list", f"SELECT {_ENTRY} FROM audit.entry WHERE number < $1 ORDER BY number DESC LIMIT $2")
LIST_OF_SUBJECT = Query(
    "audit.list_of_subject",
    f"SELECT {_ENTRY} FROM audit.entry WHERE subject = $3 AND number < $1 ORDER BY number DESC LIMIT $2",
)
LIST_BY = Query(
    "audit.list_by", f"SELECT {_ENTRY} FROM audit.entry WHERE who = $3 AND number < $1 ORDER BY number DESC LIMIT $2"
)

CHAIN = Query(
    "audit.chain",
    f"SELECT {_ENTRY}, previous, seal FROM audit.entry WHERE number > $1 AND number <= $3 ORDER BY number LIMIT $2",
)
STRAY = Query(
    "audit.stray",
    """
SELECT e.number FROM audit.entry AS e, audit.head AS h WHERE e.number < 1 OR e.number > h.number ORDER BY e.number
""",
)
HEAD = Query("audit.head", "SELECT number, seal FROM audit.head")
SEALS_OF = Query("audit.seals_of", "SELECT number, seal FROM audit.entry WHERE number = ANY($1::bigint[])")
