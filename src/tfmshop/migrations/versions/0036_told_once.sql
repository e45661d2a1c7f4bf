-- What is told of a change names its transaction, so that processes that all hear of it tell others once: by its number,
-- which comes again after a failover that lost some, and the moment it began. How many units there are makes stale what
-- shows them, and not what shows that there are some.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE OR REPLACE FUNCTION platform.stale(tags text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    message text := (SELECT string_agg(DISTINCT t.tag, ',') FROM unnest(tags) AS t(tag));
BEGIN
    IF message IS NOT NULL THEN
        PERFORM pg_notify('stale', CASE WHEN octet_length(message) > 7000 THEN '*' ELSE message END
            || ',#' || pg_current_xact_id() || '-' || (extract(epoch FROM now()) * 1000000)::bigint);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION inventory.stock_changed_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'stock:' || n.product_id
        FROM added AS n JOIN removed AS o ON o.variant_id = n.variant_id AND o.warehouse = n.warehouse
        WHERE n.available <> o.available OR n.backorder_limit <> o.backorder_limit));
    RETURN NULL;
END
$$;
CREATE OR REPLACE FUNCTION inventory.stock_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'stock:' || product_id FROM changed));
    RETURN NULL;
END
$$;
