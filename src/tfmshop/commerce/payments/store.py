"""Every statement about money."""

from tfmshop.platform.db import Query, Truth

CAPTURED = Query(
    "payments.captured",
    """
INSERT INTO payments.capture (order_id, provider, reference, amount, currency) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (order_id) DO NOTHING
""",
)

BALANCE = Query("payments.balance_of", "SELECT captured, refunded FROM payments.balance WHERE order_id = $1")

ASK_REFUND = Query(
    "payments.ask_refund", "INSERT INTO payments.refund (id, order_id, amount, who, why) VALUES ($1, $2, $3, $4, $5)"
)

REFUND = Query(
    "payments.load_refund",
    """
SELECT r.order_id, r.amount, c.currency, c.provider, r.done_at, r.failed, r.tries FROM payments.refund AS r
JOIN payments.capture AS c ON c.order_id = r.order_id WHERE r.id = $1
""",
)

REFUNDED = Query(
    "payments.refunded",
    """
UPDATE payments.refund SET reference = $2, done_at = now()
WHERE id = $1 AND tries = $3 AND done_at IS NULL AND failed IS NULL
""",
)

REFUND_FAILED = Query(
    "payments.refund_failed",
    """
UPDATE payments.refund SET reference = NULL, done_at = NULL, failed = $2, owed_since = now()
WHERE id = $1 AND tries = $3 AND failed IS NULL
""",
)

REFUND_AGAIN = Query(
    "payments.refund_again",
    """
UPDATE payments.refund SET failed = NULL, tries = tries + 1, owed_since = now() WHERE id = $1 AND failed IS NOT NULL
""",
)

Truth(
    "no more was given back than was taken",
    Query("payments.truth_refunds", "SELECT order_id FROM payments.balance WHERE refunded > captured"),
)
