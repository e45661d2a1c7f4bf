SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- Jobs that move money, and the news of an order that was paid, do not wait behind letters, webhooks and the search
-- index: an import of a whole catalogue makes a hundred thousand jobs.
CREATE FUNCTION jobs.priority_of(in_entrypoint text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN in_entrypoint IN ('orders.paid', 'payments.capture', 'payments.refund', 'checkout.let_go')
        THEN 1 ELSE 0 END
$$;

-- Enqueues a job in the transaction of the change it tells of.
CREATE OR REPLACE FUNCTION jobs.enqueue(in_entrypoint text, in_payload bytea)
RETURNS bigint LANGUAGE sql AS $$
    WITH added AS (
        INSERT INTO jobs.pgqueuer (priority, entrypoint, payload, status)
        VALUES (jobs.priority_of(in_entrypoint), in_entrypoint, in_payload, 'queued')
        RETURNING id, priority
    ), logged AS (
        INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
        SELECT id, 'queued', in_entrypoint, priority FROM added
    )
    SELECT id FROM added
$$;

UPDATE jobs.pgqueuer SET priority = jobs.priority_of(entrypoint)
WHERE status = 'queued' AND priority <> jobs.priority_of(entrypoint);
