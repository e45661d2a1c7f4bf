"""Every statement about offers. Rows of limited offers are locked in the order of their ids."""

from tfmshop.platform.db import Query, Truth

SAVE = Query(
    "promotions.save",
    """
INSERT INTO promotions.offer (id, name, code, kind, value, currency, buy, get, products, categories, minimum,
    starts_at, ends_at, max_uses, max_uses_per_customer, stackable, priority)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
""",
)

END = Query(
    "promotions.end",
    """
UPDATE promotions.offer SET ends_at = now(), version = version + 1 WHERE id = $1
""",
)

HOLD = Query(
    "promotions.hold",
    "SELECT offer::text FROM promotions.running WHERE id = $1::uuid OR code = $2 FOR NO KEY UPDATE",
)

FIND = Query("promotions.find", "SELECT offer::text FROM promotions.running WHERE id = $1::uuid OR code = $2")

CHANGE = Query(
    "promotions.change",
    """
UPDATE promotions.offer SET name = $2, value = $3, products = $4, categories = $5, minimum = $6, starts_at = $7,
    ends_at = $8, max_uses = $9, max_uses_per_customer = $10, stackable = $11, priority = $12, version = version + 1
WHERE id = $1
""",
)

LIST = Query("promotions.list", "SELECT offer::text FROM promotions.running ORDER BY id DESC LIMIT $1")

REDEEM = Query(
    "promotions.redeem",
    """
WITH wanted AS MATERIALIZED (
    SELECT o.id, o.max_uses, o.max_uses_per_customer, w.order_id, w.who
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w(id, order_id, who) JOIN promotions.offer AS o ON o.id = w.id
), locked AS MATERIALIZED (
    SELECT o.id FROM promotions.offer AS o WHERE o.id = ANY($1) AND o.max_uses IS NOT NULL ORDER BY o.id FOR UPDATE
), counted AS (
    UPDATE promotions.offer AS o SET used = o.used + n.uses
    FROM (SELECT l.id, count(*) AS uses FROM locked AS l JOIN wanted AS w ON w.id = l.id GROUP BY l.id) AS n
    WHERE o.id = n.id AND o.used + n.uses <= o.max_uses
    RETURNING o.id
), mine AS (
    INSERT INTO promotions.customer_use AS u (offer_id, who, used)
    SELECT w.id, w.who, count(*) FROM wanted AS w
    WHERE w.max_uses_per_customer > 0 AND (SELECT count(*) FROM counted) >= 0 -- the offers are locked before
    GROUP BY w.id, w.who
    HAVING count(*) <= min(w.max_uses_per_customer) ORDER BY w.id, w.who
    ON CONFLICT (offer_id, who) DO UPDATE SET used = u.used + excluded.used
        WHERE u.used + excluded.used <= (SELECT min(w.max_uses_per_customer) FROM wanted AS w WHERE w.id = u.offer_id)
    RETURNING u.offer_id, u.who
), noted AS (
    INSERT INTO promotions.redemption (order_id, offer_id, who) SELECT w.order_id, w.id, w.who FROM wanted AS w
)
SELECT w.order_id, w.id FROM wanted AS w
WHERE (w.max_uses IS NULL OR EXISTS (SELECT FROM counted AS c WHERE c.id = w.id))
    AND (w.max_uses_per_customer IS NULL
        OR EXISTS (SELECT FROM mine AS m WHERE m.offer_id = w.id AND m.who = w.who))
""",
)

GIVE_BACK = Query(
    "promotions.give_back",
    """
WITH gone AS (DELETE FROM promotions.redemption WHERE order_id = $1 RETURNING offer_id, who),
locked AS MATERIALIZED (
    SELECT o.id FROM promotions.offer AS o JOIN gone AS g ON g.offer_id = o.id WHERE o.max_uses IS NOT NULL
    ORDER BY o.id FOR UPDATE OF o
), counted AS (
    UPDATE promotions.offer AS o SET used = o.used - 1 FROM locked AS l WHERE o.id = l.id RETURNING o.id
), uses AS MATERIALIZED (
    -- After the offers, as it is done when they are used.
    SELECT u.offer_id, u.who FROM promotions.customer_use AS u
    JOIN gone AS g ON g.offer_id = u.offer_id AND g.who = u.who
    WHERE (SELECT count(*) FROM counted) >= 0 ORDER BY u.offer_id, u.who FOR UPDATE OF u
)
UPDATE promotions.customer_use AS u SET used = u.used - 1 FROM uses AS s
WHERE u.offer_id = s.offer_id AND u.who = s.who
""",
)

Truth(
    "a limited offer was used as often as its orders say",
    Query(
        "promotions.truth_used",
        """
SELECT o.name FROM promotions.offer AS o
WHERE o.max_uses IS NOT NULL
    AND o.used <> (SELECT count(*) FROM promotions.redemption AS r WHERE r.offer_id = o.id)
""",
    ),
)
