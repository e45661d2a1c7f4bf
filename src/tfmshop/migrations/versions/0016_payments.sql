-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid
-- Money that was taken and given back.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA payments;

-- The key makes a second capture of an order impossible.
CREATE TABLE payments.capture (
    order_id uuid NOT NULL CONSTRAINT capture_pkey PRIMARY KEY,
    provider text NOT NULL,
    reference text NOT NULL,
    amount bigint NOT NULL CONSTRAINT capture_amount CHECK (amount >= 0),
    currency text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE payments.refund (
    id uuid NOT NULL CONSTRAINT refund_pkey PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT refund_capture_fkey REFERENCES payments.capture (order_id),
    amount bigint NOT NULL CONSTRAINT refund_amount CHECK (amount > 0),
    who text NOT NULL,
    why text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    reference text,
    done_at timestamptz
);
CREATE INDEX refund_order ON payments.refund (order_id);

-- For other modules: what was taken for each order, and what of it goes back.
CREATE VIEW payments.balance AS
SELECT c.order_id, c.amount AS captured,
    coalesce((SELECT sum(r.amount) FROM payments.refund AS r WHERE r.order_id = c.order_id), 0)::bigint AS refunded
FROM payments.capture AS c;

-- For truths: refunds that the company has not made yet.
CREATE VIEW payments.owed AS SELECT order_id, asked_at FROM payments.refund WHERE done_at IS NULL;

ALTER TABLE orders.placed
    DROP CONSTRAINT placed_payment_status,
    ADD CONSTRAINT placed_payment_status CHECK (payment_status IN (
        'pending', 'action_required', 'authorized', 'captured', 'partially_refunded', 'refunded', 'declined', 'voided'
    ));

-- For truths: how each order says it is paid.
CREATE VIEW orders.payment AS
SELECT id AS order_id, number, status, payment_status, total, cart_id, placed_at, updated_at FROM orders.placed;
