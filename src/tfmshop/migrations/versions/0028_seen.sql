-- What buyers and staff can see: refunds in their order, e-mail addresses for carts of customers.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- For other modules: what goes back of an order's money.
CREATE VIEW payments.given_back AS SELECT order_id, amount, why, asked_at, done_at FROM payments.refund;

-- For other modules: where letters to a customer go.
CREATE VIEW accounts.reachable AS SELECT id AS customer_id, email FROM accounts.customer WHERE is_active;
