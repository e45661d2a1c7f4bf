SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- A job belongs to the trace of the change it tells of, where there is one: the headers are those that PgQueuer reads.
CREATE OR REPLACE FUNCTION jobs.enqueue(in_entrypoint text, in_payload bytea)
RETURNS bigint LANGUAGE sql AS $$
    WITH added AS (
        INSERT INTO jobs.pgqueuer (priority, entrypoint, payload, status, headers)
        SELECT 0, in_entrypoint, in_payload, 'queued',
            CASE WHEN t.traceparent <> '' THEN jsonb_build_object('otel', jsonb_build_object('traceparent', t.traceparent)) END
        FROM current_setting('tfmshop.traceparent', true) AS t(traceparent)
        RETURNING id
    ), logged AS (
        INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
        SELECT id, 'queued', in_entrypoint, 0 FROM added
    )
    SELECT id FROM added
$$;
