-- Invoices, and orders that are changed before they are sent.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '300s';

ALTER TABLE orders.line ADD COLUMN tax_rate integer NOT NULL DEFAULT 0,
ADD COLUMN tax_included bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN orders.line.tax_included IS 'The part of the tax that the price had in it.';
UPDATE orders.line AS l SET tax_included = l.tax * o.tax_included / o.tax FROM orders.placed AS o
WHERE o.id = l.order_id AND l.tax > 0 AND o.tax_included > 0;
COMMENT ON COLUMN orders.line.tax_rate IS 'Millionths: 200000 is 20 percent.';
ALTER TABLE orders.placed ADD COLUMN shipping_tax_rate integer NOT NULL DEFAULT 0;
ALTER TABLE orders.placed ADD COLUMN lowered bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN orders.placed.lowered IS 'By how much the total was lowered after it was taken.';

-- For other modules: how orders are paid.
CREATE OR REPLACE VIEW orders.payment AS
SELECT id AS order_id, number, status, payment_status, total, cart_id, placed_at, updated_at, lowered
FROM orders.placed;

-- Numbers without a gap: the row is held from when a number is given until its invoice is written.
CREATE TABLE orders.invoice_year (
    year integer NOT NULL CONSTRAINT invoice_year_pkey PRIMARY KEY,
    last integer NOT NULL CONSTRAINT invoice_year_last CHECK (last > 0)
);

-- What was put into an invoice stays there, whatever becomes of its order.
CREATE TABLE orders.invoice (
    order_id uuid NOT NULL CONSTRAINT invoice_pkey PRIMARY KEY
    CONSTRAINT invoice_order_fkey REFERENCES orders.placed (id),
    year integer NOT NULL,
    nth integer NOT NULL,
    issued_at timestamptz NOT NULL,
    document jsonb NOT NULL,
    CONSTRAINT invoice_number UNIQUE (year, nth)
);
