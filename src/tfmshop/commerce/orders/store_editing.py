"""The statements of orders that are changed before they are sent, and of invoices."""

from typing import Final

from tfmshop.platform.db import Query, Truth

TO_LOWER = Query(
    "orders.to_lower",
    """
SELECT position, sku, variant_id, quantity, unit_price, discount, tax, tax_included FROM orders.line
WHERE order_id = $1 ORDER BY position
""",
)

LOWER = Query(
    "orders.lower",
    """
WITH less AS (
    SELECT * FROM unnest($2::integer[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS w(position, units, discount, tax, tax_included)
), fewer AS (
    UPDATE orders.line AS l SET quantity = l.quantity - w.units, total = l.unit_price * (l.quantity - w.units),
        discount = l.discount - w.discount, tax = l.tax - w.tax,
        tax_included = l.tax_included - w.tax_included
    FROM less AS w WHERE l.order_id = $1 AND l.position = w.position AND l.quantity > w.units
), gone AS (
    DELETE FROM orders.line AS l USING less AS w
    WHERE l.order_id = $1 AND l.position = w.position AND l.quantity = w.units
)
UPDATE orders.placed SET subtotal = subtotal - $7, discount = discount - $8, tax = tax - $9,
    tax_included = tax_included - $10, total = total - $11, lowered = lowered + $11, discounts = $12::text::jsonb
WHERE id = $1
""",
)

READDRESS = Query(
    "orders.readdress",
    """
UPDATE orders.placed SET email = coalesce($2, email), address = coalesce($3::text::jsonb, address),
    token_hash = CASE WHEN $2 <> email THEN NULL ELSE token_hash END,
    token_number = token_number + CASE WHEN $2 <> email THEN 1 ELSE 0 END
WHERE id = $1
""",
)

NOTE_EDIT = Query(
    "orders.note_edit",
    """
WITH edited AS (UPDATE orders.placed SET updated_at = $2 WHERE id = $1 RETURNING id, status)
INSERT INTO orders.history (order_id, at, status, who, why) SELECT id, $2, status, $3, $4 FROM edited
""",
)

_INVOICE = "year, nth, issued_at, document::text AS document"

INVOICE = Query("orders.find_invoice", f"SELECT {_INVOICE} FROM orders.invoice WHERE order_id = $1")

ISSUE = Query(
    "orders.issue_invoice",
    f"""
WITH next AS (
    INSERT INTO orders.invoice_year AS y (year, last) VALUES ($2, 1)
    ON CONFLICT (year) DO UPDATE SET last = y.last + 1
    RETURNING last
)
INSERT INTO orders.invoice (order_id, year, nth, issued_at, document)
SELECT $1, $2, last, $3, $4::text::jsonb FROM next
RETURNING {_INVOICE}
""",
)

UNDER_WAY = Query(
    "orders.under_way",
    """
SELECT count(*) FROM orders.placed WHERE customer_id = $1
    AND status IN ('placed', 'paid', 'packed', 'partially_shipped', 'shipped')
    AND NOT (status IN ('paid', 'packed') AND payment_status = 'refunded')
""",
)

FORGOTTEN: Final = "erased@erased.invalid"
"""The e-mail address of orders whose buyer was forgotten."""

ERASE = Query(
    "orders.erase",
    f"""
WITH mine AS (
    UPDATE orders.placed SET email = '{FORGOTTEN}', address = jsonb_strip_nulls(jsonb_build_object(
        'name', '-', 'line1', '-', 'city', '-', 'country', address ->> 'country', 'region', address ->> 'region'))
    WHERE customer_id = $1 RETURNING id
)
, silenced AS (
    UPDATE orders.return SET why = '' WHERE order_id IN (SELECT id FROM mine)
)
, unwritten AS (
    DELETE FROM orders.note WHERE order_id IN (SELECT id FROM mine)
)
SELECT id FROM mine
""",
)

SHIPPING_TAX_RATE = Query("orders.shipping_tax_rate", "SELECT shipping_tax_rate FROM orders.placed WHERE id = $1")

Truth(
    "invoices are numbered without a gap",
    Query(
        "orders.truth_invoices",
        """
SELECT y.year FROM orders.invoice_year AS y
WHERE y.last <> (SELECT count(*) FROM orders.invoice AS i WHERE i.year = y.year AND i.nth BETWEEN 1 AND y.last)
""",
    ),
)
