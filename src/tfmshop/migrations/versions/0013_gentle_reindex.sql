-- A reindex that the shop hardly feels: the second projection has its indexes from the start and grows them in small
-- steps. Making them at the end took a core for seconds and wrote so much log that every commit waited for it.
-- Only the statements of the shop itself call the functions that go:
-- squawk-ignore-file ban-drop-function
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

DROP FUNCTION search.promote_shadow(integer);
DROP FUNCTION search.drop_unfinished_indexes();
DROP FUNCTION search.shadow_indexes();

-- A reindex that was cut off begins anew.
UPDATE search.state SET shadow = false, shadow_language = NULL, shadow_run = NULL, shadow_after = NULL;

-- Begin a second projection, or go on with one in the same language; whether it goes on. Writers wait for a moment, so
-- that every change from now on goes to both.
CREATE OR REPLACE FUNCTION search.begin_shadow(wanted text, run uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    UPDATE search.state SET shadow_run = run;
    IF EXISTS (SELECT FROM search.state WHERE shadow AND shadow_language = wanted) THEN
        RETURN true;
    END IF;
    LOCK TABLE catalog.product IN SHARE MODE;
    DROP TABLE IF EXISTS search.entry_shadow;
    TRUNCATE search.shadow_gone;
    -- Nothing reads it yet, and it is analysed at the end.
    CREATE TABLE search.entry_shadow (LIKE search.entry) WITH (autovacuum_enabled = false);
    ALTER TABLE search.entry_shadow ADD CONSTRAINT entry_shadow_pkey PRIMARY KEY (product_id);
    FOR statement IN SELECT regexp_replace(indexdef, 'INDEX (entry_\w+) ON search\.entry ',
            'INDEX shadow_\1 ON search.entry_shadow ')
        FROM pg_indexes WHERE schemaname = 'search' AND tablename = 'entry' AND indexname <> 'entry_pkey' LOOP
        EXECUTE statement;
    END LOOP;
    -- No list of pending words, which a writer would have to work off now and then.
    FOR statement IN SELECT format('ALTER INDEX %s SET (fastupdate = off)', i.indexrelid::regclass) FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
        WHERE i.indrelid = 'search.entry_shadow'::regclass AND a.amname = 'gin' LOOP
        EXECUTE statement;
    END LOOP;
    UPDATE search.state SET shadow = true, shadow_language = wanted, shadow_after = NULL, shadow_done = 0;
    RETURN false;
END
$$;

-- Write the next entries of the second projection; the changes that came first stay. How many, 0 at the end, -1 when
-- another run took over. What a crash takes away is done again, so nobody waits for the disk.
CREATE OR REPLACE FUNCTION search.fill_shadow(run uuid, so_many integer) RETURNS bigint LANGUAGE plpgsql
SET vacuum_cost_delay = 2 AS $$
DECLARE
    state search.state;
    batch uuid[];
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT * INTO state FROM search.state FOR UPDATE;
    IF state.shadow_run IS DISTINCT FROM run THEN
        RETURN -1;
    END IF;
    batch := ARRAY(SELECT id FROM catalog.findable
        WHERE state.shadow_after IS NULL OR id > state.shadow_after ORDER BY id LIMIT so_many);
    IF cardinality(batch) = 0 THEN
        EXECUTE 'ANALYZE search.entry_shadow';
        RETURN 0;
    END IF;
    EXECUTE 'INSERT INTO search.entry_shadow
        SELECT made.product_id, made.category_id, made.brand_id, made.price, made.rating, made.popularity,
            made.published_at, made.in_stock, coalesce(now.first_tier, made.first_tier), made.dice, made.title,
            made.facts, made.kind, made.head, made.dilution, made.words
        FROM search.entries_of($1, $2, $3) AS made LEFT JOIN search.entry AS now ON now.product_id = made.product_id
        ON CONFLICT DO NOTHING' USING batch, state.shadow_language::regconfig, state.tier_open;
    UPDATE search.state SET shadow_after = batch[cardinality(batch)], shadow_done = shadow_done + cardinality(batch);
    RETURN cardinality(batch);
END
$$;

-- Put the second projection in the place of the first, in one transaction.
-- Whether it did: not when another run took over.
CREATE OR REPLACE FUNCTION search.swap_shadow(run uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    LOCK TABLE catalog.product IN SHARE MODE;
    IF NOT EXISTS (SELECT FROM search.state WHERE shadow AND shadow_run = run) THEN
        RETURN false;
    END IF;
    IF (SELECT count(*) FROM pg_index WHERE indrelid = 'search.entry'::regclass)
        <> (SELECT count(*) FROM pg_index WHERE indrelid = 'search.entry_shadow'::regclass) THEN
        RAISE 'the second projection lacks indexes';
    END IF;
    EXECUTE 'DELETE FROM search.entry_shadow AS e WHERE product_id = ANY($1)
        AND NOT EXISTS (SELECT FROM catalog.findable AS f WHERE f.id = e.product_id)'
        USING ARRAY(SELECT product_id FROM search.shadow_gone);
    TRUNCATE search.shadow_gone;
    -- The words of the catalogue and who is in the first tier did not change with the projection.
    UPDATE search.state SET shadow = false, language = shadow_language, shadow_language = NULL, shadow_after = NULL,
        learnt_changes = coalesce((SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
            WHERE relid = 'search.entry_shadow'::regclass), 0);
    DROP TABLE search.entry;
    ALTER TABLE search.entry_shadow RENAME TO entry;
    ALTER TABLE search.entry RESET (autovacuum_enabled);
    ALTER TABLE search.entry RENAME CONSTRAINT entry_shadow_pkey TO entry_pkey;
    FOR statement IN SELECT format('ALTER INDEX search.%I RENAME TO %I', indexname, substr(indexname, 8))
        FROM pg_indexes WHERE schemaname = 'search' AND tablename = 'entry' AND indexname LIKE 'shadow\_%' LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN SELECT format('ALTER INDEX %s RESET (fastupdate)', i.indexrelid::regclass) FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
        WHERE i.indrelid = 'search.entry'::regclass AND a.amname = 'gin' LOOP
        EXECUTE statement;
    END LOOP;
    RETURN true;
END
$$;
