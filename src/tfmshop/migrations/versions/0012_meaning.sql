-- Meaning: which products are alike in what their words mean. Its table needs the extension pgvector, so it exists only
-- where it was switched on.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- The model that made the numbers of search.meaning; none where meaning is switched off.
ALTER TABLE search.state ADD COLUMN model text;

-- Switch meaning on with the numbers of a model; those of another one go. Writers wait for a moment, so that every
-- change from now on is told to a job.
CREATE FUNCTION search.begin_meaning(wanted text, dimensions integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM search.state WHERE model = wanted) THEN
        RETURN;
    END IF;
    CREATE EXTENSION IF NOT EXISTS vector;
    LOCK TABLE catalog.product IN SHARE MODE;
    DROP TABLE IF EXISTS search.meaning;
    EXECUTE format('CREATE TABLE search.meaning (
        product_id uuid NOT NULL CONSTRAINT meaning_pkey PRIMARY KEY, numbers halfvec(%s) NOT NULL)', dimensions);
    UPDATE search.state SET model = wanted;
END
$$;

CREATE FUNCTION search.end_meaning() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE search.state SET model = NULL;
    DROP TABLE IF EXISTS search.meaning;
END
$$;

-- The next products on sale, by id, whose meaning is not known yet.
CREATE FUNCTION search.lack_meaning(beyond uuid, so_many integer) RETURNS SETOF uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT e.product_id FROM search.entry AS e
        WHERE e.product_id > beyond AND NOT EXISTS (SELECT FROM search.meaning AS m WHERE m.product_id = e.product_id)
        ORDER BY e.product_id LIMIT so_many;
END
$$;

-- Keep the numbers of products, and forget those of others; nothing where another model is in use by now. No model only
-- forgets.
CREATE FUNCTION search.put_meaning(by_model text, products uuid[], made text[], gone uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM search.state WHERE model = coalesce(by_model, model)) THEN
        RETURN;
    END IF;
    DELETE FROM search.meaning WHERE product_id = ANY(gone);
    INSERT INTO search.meaning (product_id, numbers)
    SELECT id, numbers::halfvec FROM unnest(products, made) AS m(id, numbers)
    ON CONFLICT (product_id) DO UPDATE SET numbers = excluded.numbers;
END
$$;

-- The products nearest in meaning, with how alike they are: 1 the same, 0 nothing in common. Below 0.2, and far below the
-- nearest, likeness is chance. None before the index is there, or where the numbers are another model's.
CREATE FUNCTION search.alike(by_model text, wanted text, so_many integer)
RETURNS TABLE (product_id uuid, likeness real) LANGUAGE plpgsql STABLE ROWS 100 AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', '400', true);
    IF EXISTS (SELECT FROM search.state WHERE model = by_model)
        AND EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('search.meaning_near') AND indisvalid) THEN
        RETURN QUERY SELECT near.id, near.alike::real FROM (
            SELECT found.id, found.alike, max(found.alike) OVER () AS nearest FROM (
                SELECT m.product_id AS id, 1 - (m.numbers <=> wanted::halfvec) AS alike FROM search.meaning AS m
                ORDER BY m.numbers <=> wanted::halfvec LIMIT so_many
            ) AS found WHERE found.alike BETWEEN 0.2 AND 1.1
        ) AS near WHERE near.alike >= 0.6 * near.nearest;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION search.keep(products uuid[], gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    state search.state;
BEGIN
    SELECT * INTO state FROM search.state;
    IF cardinality(products) > 0 THEN
        PERFORM search.put('search.entry', products, state.language::regconfig, state.tier_open);
        IF state.shadow THEN
            PERFORM search.put('search.entry_shadow', products, state.shadow_language::regconfig, state.tier_open);
        END IF;
        -- The shop outgrows the first tier: new products stay out of it until the tiers are learnt anew.
        IF state.tier_open AND cardinality(products) >= 100
            AND (SELECT count(*) FROM (SELECT FROM search.entry LIMIT 20001) AS some_of_them) > 20000 THEN
            UPDATE search.state SET tier_open = false;
        END IF;
    END IF;
    IF cardinality(gone) > 0 THEN
        DELETE FROM search.entry WHERE product_id = ANY(gone);
        IF state.shadow THEN
            EXECUTE 'DELETE FROM search.entry_shadow WHERE product_id = ANY($1)' USING gone;
            INSERT INTO search.shadow_gone SELECT unnest(gone) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    -- What products mean is made outside of the database: a job does it.
    IF state.model IS NOT NULL AND cardinality(products || gone) > 0 THEN
        PERFORM jobs.enqueue('search.meaning', convert_to(to_json(products || gone)::text, 'UTF8'));
    END IF;
END
$$;
