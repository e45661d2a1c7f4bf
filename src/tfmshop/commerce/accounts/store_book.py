"""The statements of addresses and wishes. Ownership is in each WHERE."""

from tfmshop.platform.db import Query

HOLD_PERSON = Query(
    "accounts.hold_person", "SELECT id FROM accounts.customer WHERE id = $1 AND is_active FOR NO KEY UPDATE"
)

RENAME = Query("accounts.rename", "UPDATE accounts.customer SET name = $2 WHERE id = $1 AND is_active")

BOOK = Query(
    "accounts.book",
    """
SELECT id, address::text AS address, is_default FROM accounts.address WHERE customer_id = $1 ORDER BY created_at, id
""",
)

ADD_ADDRESS = Query(
    "accounts.add_address",
    """
INSERT INTO accounts.address (id, customer_id, address, is_default, created_at)
SELECT $1, $2, $3::text::jsonb,
    $4 OR NOT EXISTS (SELECT FROM accounts.address WHERE customer_id = $2 AND is_default), $5
WHERE (SELECT count(*) FROM accounts.address WHERE customer_id = $2) < $6
RETURNING id
""",
)

CHANGE_ADDRESS = Query(
    "accounts.change_address",
    """
UPDATE accounts.address SET address = $3::text::jsonb, is_default = $4 OR is_default WHERE customer_id = $1 AND id = $2
""",
)

NO_DEFAULT = Query(
    "accounts.no_default", "UPDATE accounts.address SET is_default = false WHERE customer_id = $1 AND is_default"
)

DROP_ADDRESS = Query(
    "accounts.drop_address", "DELETE FROM accounts.address WHERE customer_id = $1 AND id = $2 RETURNING is_default"
)

NEXT_DEFAULT = Query(
    "accounts.next_default",
    """
UPDATE accounts.address SET is_default = true WHERE id = (
    SELECT id FROM accounts.address WHERE customer_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1)
""",
)

ERASE = Query(
    "accounts.erase",
    """
WITH gone AS (DELETE FROM accounts.address WHERE customer_id = $1),
wishes AS (DELETE FROM accounts.wish WHERE customer_id = $1),
sessions AS (DELETE FROM accounts.session WHERE customer_id = $1),
proofs AS (DELETE FROM accounts.proof WHERE customer_id = $1),
factor AS (DELETE FROM accounts.second_factor WHERE customer_id = $1)
UPDATE accounts.customer SET email = $2, name = '', password_hash = '!', is_active = false, verified_at = NULL,
    customer_group = NULL, role = 'customer'
WHERE id = $1
""",
)

WISHES = Query(
    "accounts.wishes",
    """
SELECT w.product_id, w.added_at, c.slug, c.title, c.price, c.currency, c.image, c.in_stock
FROM accounts.wish AS w JOIN catalog.card AS c ON c.id = w.product_id
WHERE w.customer_id = $1 ORDER BY w.added_at DESC, w.product_id
""",
)

WISH = Query(
    "accounts.wish",
    """
INSERT INTO accounts.wish (customer_id, product_id, added_at)
SELECT $1, $2, $3 WHERE (SELECT count(*) FROM accounts.wish WHERE customer_id = $1) < $4
    OR EXISTS (SELECT FROM accounts.wish WHERE customer_id = $1 AND product_id = $2)
ON CONFLICT (customer_id, product_id) DO UPDATE SET added_at = accounts.wish.added_at
RETURNING product_id
""",
)

UNWISH = Query(
    "accounts.unwish",
    """
DELETE FROM accounts.wish AS w WHERE w.customer_id = $1
    AND (w.product_id = $2::uuid OR EXISTS (SELECT FROM catalog.card AS c WHERE c.id = w.product_id AND c.slug = $3))
""",
)
