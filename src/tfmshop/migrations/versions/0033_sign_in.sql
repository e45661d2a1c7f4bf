-- Signing in with an account elsewhere (OpenID Connect).
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE accounts.customer VALIDATE CONSTRAINT customer_role_fkey;

-- Whom a provider knows by `subject`.
CREATE TABLE accounts.identity (
    provider text NOT NULL,
    subject text NOT NULL,
    customer_id uuid NOT NULL
    CONSTRAINT identity_customer_fkey REFERENCES accounts.customer (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    CONSTRAINT identity_pkey PRIMARY KEY (provider, subject)
);
CREATE INDEX identity_customer ON accounts.identity (customer_id);

-- Whether somebody signed in from an address before.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX session_place ON accounts.session (customer_id, address);
