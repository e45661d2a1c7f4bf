-- A reindex that writers do not pay for: they only note which products changed, and the run makes those entries anew.
-- The swap is two renames; what is left to tidy up is done after it, while everybody goes on.
-- Only the statements of the shop itself call the functions that go:
-- squawk-ignore-file ban-drop-function, ban-drop-table
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- A reindex that was cut off begins anew.
UPDATE search.state SET shadow = false, shadow_language = NULL, shadow_run = NULL, shadow_after = NULL;
DROP TABLE search.shadow_gone;
DROP TABLE IF EXISTS search.entry_shadow;

-- Products that changed since the second projection was begun. Whoever changes one adds a row, and waits for nobody.
CREATE TABLE search.shadow_due (
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT shadow_due_pkey PRIMARY KEY,
    product_id uuid NOT NULL
);

CREATE OR REPLACE FUNCTION search.keep(products uuid[], gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    state search.state;
BEGIN
    SELECT * INTO state FROM search.state;
    IF cardinality(products) > 0 THEN
        PERFORM search.put('search.entry', products, state.language::regconfig, state.tier_open);
        -- The shop outgrows the first tier: new products stay out of it until the tiers are learnt anew.
        IF state.tier_open AND cardinality(products) >= 100
            AND (SELECT count(*) FROM (SELECT FROM search.entry LIMIT 20001) AS some_of_them) > 20000 THEN
            UPDATE search.state SET tier_open = false;
        END IF;
    END IF;
    IF cardinality(gone) > 0 THEN
        DELETE FROM search.entry WHERE product_id = ANY(gone);
    END IF;
    IF state.shadow THEN
        INSERT INTO search.shadow_due (product_id) SELECT unnest(products || gone);
    END IF;
    -- What products mean is made outside of the database: a job does it.
    IF state.model IS NOT NULL AND cardinality(products || gone) > 0 THEN
        PERFORM jobs.enqueue('search.meaning', convert_to(to_json(products || gone)::text, 'UTF8'));
    END IF;
END
$$;

-- What sells and what is in stock changes often and has no words: those entries are changed in place.
CREATE OR REPLACE FUNCTION search.product_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    numbers uuid[];
    whole uuid[];
    gone uuid[];
BEGIN
    SELECT coalesce(array_agg(n.id) FILTER (WHERE n.status = 'active' AND NOT same), '{}'),
        coalesce(array_agg(n.id) FILTER (WHERE n.status = 'active' AND same AND NOT still), '{}'),
        coalesce(array_agg(n.id) FILTER (WHERE n.status <> 'active' AND o.status = 'active'), '{}')
    INTO whole, numbers, gone
    FROM added AS n JOIN removed AS o ON o.id = n.id
    CROSS JOIN LATERAL (SELECT
        (n.status, n.title, n.model, n.description, n.brand_id, n.category_id, n.sku, n.codes, n.external_id, n.tags,
            n.specifications, n.published_at)
        IS NOT DISTINCT FROM
        (o.status, o.title, o.model, o.description, o.brand_id, o.category_id, o.sku, o.codes, o.external_id, o.tags,
            o.specifications, o.published_at) AS same,
        (n.price, n.rating, n.popularity, n.in_stock) = (o.price, o.rating, o.popularity, o.in_stock) AS still
    ) AS compared;
    IF cardinality(numbers) > 0 THEN
        UPDATE search.entry AS e
        SET price = n.price, rating = n.rating, popularity = n.popularity, in_stock = n.in_stock
        FROM added AS n WHERE n.id = ANY(numbers) AND e.product_id = n.id;
        IF (SELECT shadow FROM search.state) THEN
            INSERT INTO search.shadow_due (product_id) SELECT unnest(numbers);
        END IF;
    END IF;
    IF cardinality(whole) > 0 OR cardinality(gone) > 0 THEN
        PERFORM search.keep(whole, gone);
    END IF;
    RETURN NULL;
END
$$;

-- What a swap left behind: the projection of before, and indexes that have the names of the second one.
CREATE FUNCTION search.tidy_shadow() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    DROP TABLE IF EXISTS search.entry_before;
    FOR statement IN
        SELECT format('ALTER INDEX search.%I RENAME TO %I', indexname, substr(indexname, 8)) FROM pg_indexes
        WHERE schemaname = 'search' AND tablename = 'entry' AND indexname LIKE 'shadow\_%'
        UNION ALL
        SELECT format('ALTER INDEX %s RESET (fastupdate)', i.indexrelid::regclass) FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'search.entry'::regclass AND c.reloptions @> '{fastupdate=off}'
    LOOP
        EXECUTE statement;
    END LOOP;
    ALTER TABLE search.entry RESET (autovacuum_enabled);
END
$$;

-- Begin a second projection, or go on with one in the same language; whether it goes on. Writers wait for a moment, so
-- that every change from now on is noted.
CREATE OR REPLACE FUNCTION search.begin_shadow(wanted text, run uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    UPDATE search.state SET shadow_run = run;
    IF EXISTS (SELECT FROM search.state WHERE shadow AND shadow_language = wanted) THEN
        RETURN true;
    END IF;
    PERFORM search.tidy_shadow();
    DROP TABLE IF EXISTS search.entry_shadow;
    -- Nothing reads it yet, and it is analysed at the end.
    CREATE TABLE search.entry_shadow (LIKE search.entry) WITH (autovacuum_enabled = false);
    ALTER TABLE search.entry_shadow ADD CONSTRAINT shadow_entry_pkey PRIMARY KEY (product_id);
    FOR statement IN SELECT regexp_replace(indexdef, 'INDEX (entry_\w+) ON search\.entry ',
            'INDEX shadow_\1 ON search.entry_shadow ')
        FROM pg_indexes WHERE schemaname = 'search' AND tablename = 'entry' AND indexname <> 'entry_pkey' LOOP
        EXECUTE statement;
    END LOOP;
    -- No list of pending words, which somebody would have to work off all at once.
    FOR statement IN SELECT format('ALTER INDEX %s SET (fastupdate = off)', i.indexrelid::regclass) FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
        WHERE i.indrelid = 'search.entry_shadow'::regclass AND a.amname = 'gin' LOOP
        EXECUTE statement;
    END LOOP;
    LOCK TABLE catalog.product IN SHARE MODE;
    TRUNCATE search.shadow_due;
    UPDATE search.state SET shadow = true, shadow_language = wanted, shadow_after = NULL, shadow_done = 0;
    RETURN false;
END
$$;

-- Make entries of products that the second projection does not have; those that are not on sale get none. Planned once.
CREATE FUNCTION search.add_to_shadow(products uuid[], language regconfig, tier_open boolean) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO search.entry_shadow
    SELECT made.product_id, made.category_id, made.brand_id, made.price, made.rating, made.popularity,
        made.published_at, made.in_stock, coalesce(now.first_tier, made.first_tier), made.dice, made.title, made.facts,
        made.kind, made.head, made.dilution, made.words
    FROM search.entries_of(products, language, tier_open) AS made
    LEFT JOIN search.entry AS now ON now.product_id = made.product_id
    ON CONFLICT DO NOTHING;
END
$$;

-- Write the next entries of the second projection. How many, 0 at the end, -1 when another run took over. What a crash
-- takes away is done again, so nobody waits for the disk.
CREATE OR REPLACE FUNCTION search.fill_shadow(run uuid, so_many integer) RETURNS bigint LANGUAGE plpgsql AS $$
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
        -- Every product that is added from now on has been passed.
        UPDATE search.state SET shadow_after = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
        RETURN 0;
    END IF;
    PERFORM search.add_to_shadow(batch, state.shadow_language::regconfig, state.tier_open);
    UPDATE search.state SET shadow_after = batch[cardinality(batch)], shadow_done = shadow_done + cardinality(batch);
    RETURN cardinality(batch);
END
$$;

-- Bring the second projection up to date with the next products that changed; how many, 0 when it is. The rows go
-- before the products are read: whoever changes one later adds a row of its own. What is still to be filled is read then.
CREATE FUNCTION search.catch_up_shadow(run uuid, so_many integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    state search.state;
    due uuid[];
    noted_rows bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT * INTO state FROM search.state FOR UPDATE;
    IF state.shadow_run IS DISTINCT FROM run THEN
        RETURN -1;
    END IF;
    WITH noted AS (
        DELETE FROM search.shadow_due WHERE number IN (
            SELECT number FROM search.shadow_due ORDER BY number LIMIT so_many)
        RETURNING product_id
    )
    SELECT coalesce(array_agg(DISTINCT product_id) FILTER (WHERE product_id <= state.shadow_after), '{}'), count(*)
    INTO due, noted_rows FROM noted;
    IF cardinality(due) > 0 THEN
        DELETE FROM search.entry_shadow WHERE product_id = ANY(due);
        PERFORM search.add_to_shadow(due, state.shadow_language::regconfig, state.tier_open);
    END IF;
    RETURN noted_rows;
END
$$;

-- Put the second projection in the place of the first, in one transaction: writers wait until their last changes are in
-- it, readers for two renames. Whether it did: not when another run took over. A reader at work makes it fail at once
-- (lock_not_available) if it shall be `quick`: then nobody waits, and it is tried again.
CREATE FUNCTION search.swap_shadow(run uuid, quick boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE catalog.product IN SHARE MODE;
    IF NOT EXISTS (SELECT FROM search.state WHERE shadow AND shadow_run = run) THEN
        RETURN false;
    END IF;
    IF (SELECT count(*) FROM pg_index WHERE indrelid = 'search.entry'::regclass)
        <> (SELECT count(*) FROM pg_index WHERE indrelid = 'search.entry_shadow'::regclass) THEN
        RAISE 'the second projection lacks indexes';
    END IF;
    WHILE search.catch_up_shadow(run, 1000) > 0 LOOP
    END LOOP;
    IF quick THEN
        LOCK TABLE search.entry IN ACCESS EXCLUSIVE MODE NOWAIT;
    END IF;
    ALTER TABLE search.entry RENAME TO entry_before;
    ALTER TABLE search.entry_shadow RENAME TO entry;
    -- The words of the catalogue and who is in the first tier did not change with the projection.
    UPDATE search.state SET shadow = false, language = shadow_language, shadow_language = NULL, shadow_after = NULL,
        learnt_changes = coalesce((SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
            WHERE relid = 'search.entry'::regclass), 0);
    RETURN true;
END
$$;
DROP FUNCTION search.swap_shadow(uuid);
