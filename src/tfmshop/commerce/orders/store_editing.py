"""The statements of orders that are changed before they are sent, and of invoices."""

from tfmshop.platform.db import Query, Truth

TO_LOWER = Query(
    "orders.to_lower",
    """
SELECT l.position, l.sku, l.variant_id, l.quantity, l.unit_price, l.discount, l.tax, o.tax AS all_tax,
    o.tax_included AS all_included
FROM orders.line AS l JOIN orders.placed AS o ON o.id = l.order_id WHERE l.order_id = $1 ORDER BY l.position
""",
)

LOWER = Query(
    "orders.lower",
    """
WITH less AS (
    SELECT * FROM unnest($2::integer[], $3::integer[], $4::bigint[], $5::bigint[]) AS w(position, units, discount, tax)
), fewer AS (
    UPDATE orders.line AS l SET quantity = l.quantity - w.units, total = l.unit_price * (l.quantity - w.units),
        discount = l.discount - w.discount, tax = l.tax - w.tax
    FROM less AS w WHERE l.order_id = $1 AND l.position = w.position AND l.quantity > w.units
), gone AS (
    DELETE FROM orders.line AS l USING less AS w
    WHERE l.order_id = $1 AND l.position = w.position AND l.quantity = w.units
)
UPDATE orders.placed SET subtotal = subtotal - $6, discount = discount - $7, tax = tax - $8,
    tax_included = tax_included - $9, total = total - $10, lowered = lowered + $10, discounts = $11::text::jsonb
WHERE id = $1
""",
)

READDRESS = Query(
    "orders.readdress",
    "UPDATE orders.placed SET email = coalesce($2, email), address = coalesce($3::text::jsonb, address) WHERE id = $1",
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
