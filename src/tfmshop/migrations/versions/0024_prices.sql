-- Prices beside a product's own: lists for groups of customers and for other currencies, and sales by the clock.
-- Nothing was released before this revision, so indexes are made while nobody is served:
-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE EXTENSION IF NOT EXISTS btree_gist;

ALTER TABLE accounts.customer ADD COLUMN customer_group text;
-- For other modules: to which group a customer belongs.
CREATE VIEW accounts.membership AS
SELECT id AS customer_id, customer_group FROM accounts.customer WHERE customer_group IS NOT NULL;

CREATE TABLE pricing.price_list (
    code text NOT NULL CONSTRAINT price_list_pkey PRIMARY KEY
    CONSTRAINT price_list_code CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,29}$'),
    name text NOT NULL,
    currency text NOT NULL,
    -- For whom it is; nobody named: for everybody.
    customer_group text,
    starts_at timestamptz,
    ends_at timestamptz,
    CONSTRAINT price_list_times CHECK (ends_at > starts_at)
);

CREATE TABLE pricing.price (
    variant_id uuid NOT NULL,
    list_code text NOT NULL CONSTRAINT price_list_fkey REFERENCES pricing.price_list (code) ON DELETE CASCADE,
    amount bigint NOT NULL CONSTRAINT price_amount CHECK (amount >= 0),
    CONSTRAINT price_pkey PRIMARY KEY (variant_id, list_code)
);
CREATE INDEX price_list_variants ON pricing.price (list_code, variant_id);

-- For other modules: the lowest price that a list has now for a variant, a currency and a group of customers.
CREATE FUNCTION pricing.listed(in_variant uuid, in_currency text, in_group text)
RETURNS TABLE (amount bigint, list_name text) LANGUAGE sql STABLE AS $$
    SELECT p.amount, l.name FROM pricing.price AS p JOIN pricing.price_list AS l ON l.code = p.list_code
    WHERE p.variant_id = in_variant AND l.currency = in_currency
        AND (l.customer_group IS NULL OR l.customer_group = in_group)
        AND (l.starts_at IS NULL OR l.starts_at <= now()) AND (l.ends_at IS NULL OR l.ends_at > now())
    ORDER BY p.amount, l.code LIMIT 1
$$;

CREATE TABLE pricing.sale (
    id uuid NOT NULL CONSTRAINT sale_pkey PRIMARY KEY,
    variant_id uuid NOT NULL,
    price bigint NOT NULL CONSTRAINT sale_price CHECK (price >= 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'planned' CONSTRAINT sale_state CHECK (state IN ('planned', 'running', 'over')),
    -- What the variant cost before, from when the sale runs.
    regular bigint,
    regular_compare bigint,
    CONSTRAINT sale_times CHECK (ends_at > starts_at),
    -- Sales of one variant may follow each other, and never meet.
    CONSTRAINT sale_open EXCLUDE USING gist (variant_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
    WHERE (state <> 'over')
);
