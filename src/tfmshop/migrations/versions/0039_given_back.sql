-- squawk-ignore-file require-concurrent-index-deletion, require-concurrent-index-creation
-- Refunds that a bank sent back after they were made; who owns a product of an order that is sent in parts.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- `failed` says why while staff must decide; `tries` is how often they had it given again. Owed from `owed_since` on, else
-- from when it was asked for.
ALTER TABLE payments.refund
    ADD COLUMN failed text, ADD COLUMN tries integer NOT NULL DEFAULT 0, ADD COLUMN owed_since timestamptz;

CREATE OR REPLACE VIEW payments.owed AS
SELECT order_id, coalesce(owed_since, asked_at) AS asked_at FROM payments.refund WHERE done_at IS NULL;

CREATE OR REPLACE VIEW payments.given_back AS
SELECT order_id, amount, why, asked_at, done_at, id, failed FROM payments.refund;

CREATE OR REPLACE VIEW orders.owned AS
SELECT DISTINCT o.customer_id, l.product_id FROM orders.placed AS o JOIN orders.line AS l ON l.order_id = o.id
WHERE o.customer_id IS NOT NULL
    AND o.status IN ('paid', 'packed', 'partially_shipped', 'shipped', 'delivered', 'refunded');

-- Carts of customers are left behind, too, also without an address in them; of those long ago nobody is reminded now.
UPDATE cart.cart SET reminded_at = now() WHERE status = 'open' AND email IS NULL AND customer_id IS NOT NULL
    AND reminded_at IS NULL AND updated_at < now() - interval '3 days';
CREATE INDEX cart_left_behind ON cart.cart (updated_at)
WHERE status = 'open' AND reminded_at IS NULL AND (email IS NOT NULL OR customer_id IS NOT NULL);
DROP INDEX cart.cart_left;
