-- Who looks after the running shop, and when what must be done again and again was done last.
SET LOCAL lock_timeout = '3s';

UPDATE accounts.role SET permissions = ARRAY(SELECT unnest(permissions || '{operations}'::text[]) ORDER BY 1)
WHERE name = 'admin' AND NOT permissions @> '{operations}';

-- What statements cost by PostgreSQL's own count, where it may be had: nothing needs it.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
EXCEPTION WHEN OTHERS THEN
    NULL;
END
$$;

CREATE TABLE platform.done (
    what text PRIMARY KEY,
    at timestamptz NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}'
);
