-- Sessions that are renewed, and proofs that a person can read an address.
-- Nothing was released before this revision, so indexes are made while nobody is served:
-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE accounts.customer ADD COLUMN verified_at timestamptz;
COMMENT ON COLUMN accounts.customer.verified_at IS 'When the person proved that they read the address.';

-- A sign-in. Its refresh token is made out of the row and a key that is not here: a stolen table opens nothing.
CREATE TABLE accounts.session (
    id uuid NOT NULL CONSTRAINT session_pkey PRIMARY KEY,
    customer_id uuid NOT NULL CONSTRAINT session_customer_fkey REFERENCES accounts.customer (id) ON DELETE CASCADE,
    salt bytea NOT NULL,
    -- How often it was renewed: the token of this number is good, that of the one before for some seconds.
    number integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_why text NOT NULL DEFAULT '',
    user_agent text NOT NULL,
    address text NOT NULL
);
CREATE INDEX session_customer ON accounts.session (customer_id, created_at DESC) WHERE ended_at IS NULL;
CREATE INDEX session_expires ON accounts.session (expires_at);

-- A letter with a link was sent: whoever comes with it reads that address.
CREATE TABLE accounts.proof (
    id uuid NOT NULL CONSTRAINT proof_pkey PRIMARY KEY,
    customer_id uuid NOT NULL CONSTRAINT proof_customer_fkey REFERENCES accounts.customer (id) ON DELETE CASCADE,
    purpose text NOT NULL CONSTRAINT proof_purpose CHECK (purpose IN ('reset', 'verify', 'email')),
    email text NOT NULL,
    salt bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX proof_customer ON accounts.proof (customer_id, purpose, created_at DESC);
CREATE INDEX proof_expires ON accounts.proof (expires_at);
