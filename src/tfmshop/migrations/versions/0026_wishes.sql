-- What people would like to have.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE accounts.wish (
    customer_id uuid NOT NULL CONSTRAINT wish_customer_fkey REFERENCES accounts.customer (id) ON DELETE CASCADE,
    product_id uuid NOT NULL,
    added_at timestamptz NOT NULL,
    CONSTRAINT wish_pkey PRIMARY KEY (customer_id, product_id)
);
