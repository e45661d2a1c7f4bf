-- People: customers and staff, and their addresses.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA accounts;

CREATE TABLE accounts.customer (
    id uuid NOT NULL CONSTRAINT customer_pkey PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL DEFAULT 'customer'
        CONSTRAINT customer_role CHECK (role IN ('customer', 'support', 'catalog_manager', 'admin')),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX customer_email ON accounts.customer (lower(email));
CREATE INDEX customer_role_created_at ON accounts.customer (role, created_at DESC, id DESC);
CREATE INDEX customer_inactive ON accounts.customer (created_at DESC, id DESC) WHERE NOT is_active;
CREATE INDEX customer_created_at ON accounts.customer (created_at DESC, id DESC);

CREATE TABLE accounts.address (
    id uuid NOT NULL CONSTRAINT address_pkey PRIMARY KEY,
    customer_id uuid NOT NULL CONSTRAINT address_customer_fkey REFERENCES accounts.customer (id) ON DELETE CASCADE,
    address jsonb NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX address_customer ON accounts.address (customer_id, created_at);
CREATE UNIQUE INDEX address_default ON accounts.address (customer_id) WHERE is_default;
