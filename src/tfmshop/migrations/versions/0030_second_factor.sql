-- A second factor beside the password. Its secret is made out of the row and a key that is not here.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE accounts.second_factor (
    customer_id uuid NOT NULL CONSTRAINT second_factor_pkey PRIMARY KEY
    CONSTRAINT second_factor_customer_fkey REFERENCES accounts.customer (id) ON DELETE CASCADE,
    salt bytea NOT NULL,
    -- It counts once its owner showed that they have it.
    confirmed_at timestamptz,
    -- The time step of the code that was used last: no code is good twice.
    last_step bigint NOT NULL DEFAULT 0,
    recovery bytea[] NOT NULL DEFAULT '{}',
    failed integer NOT NULL DEFAULT 0,
    next_try_at timestamptz
);

ALTER TABLE accounts.session ADD COLUMN strong boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN accounts.session.strong IS 'Whether it was begun with a second factor.';
