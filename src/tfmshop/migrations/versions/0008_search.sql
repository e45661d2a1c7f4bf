-- Finding things: a projection of the products on sale that lists, search, facets and suggestions read.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '10min';

CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE SCHEMA search;

-- How the projection is made. One row.
CREATE TABLE search.state (
    only_row boolean NOT NULL DEFAULT true
        CONSTRAINT state_pkey PRIMARY KEY CONSTRAINT state_only_row CHECK (only_row),
    -- A text search configuration of PostgreSQL.
    language text NOT NULL DEFAULT 'english',
    -- Whether a second projection is being made, which every change goes to as well.
    shadow boolean NOT NULL DEFAULT false,
    shadow_language text,
    -- The run that makes it; another that goes on with it takes it over.
    shadow_run uuid,
    -- How far the second one is: the last product, and how many.
    shadow_after uuid,
    shadow_done bigint NOT NULL DEFAULT 0,
    -- Whether new products enter the first tier; the shop outgrows it.
    tier_open boolean NOT NULL DEFAULT true,
    learnt_at timestamptz,
    learnt_changes bigint NOT NULL DEFAULT 0
);
INSERT INTO search.state DEFAULT VALUES;

-- Products that left the shop while a second projection was being made.
CREATE TABLE search.shadow_gone (product_id uuid NOT NULL CONSTRAINT shadow_gone_pkey PRIMARY KEY);

-- One row for each product on sale. Narrow, so that filters read few pages.
CREATE TABLE search.entry (
    product_id uuid NOT NULL CONSTRAINT entry_pkey PRIMARY KEY,
    category_id uuid,
    brand_id uuid,
    price bigint NOT NULL,
    rating real NOT NULL,
    popularity bigint NOT NULL,
    published_at timestamptz NOT NULL,
    in_stock boolean NOT NULL,
    -- Among the products that broad searches look at first.
    first_tier boolean NOT NULL,
    -- A number without meaning, so that any range of it is a fair sample.
    dice integer NOT NULL,
    title text NOT NULL,
    -- s:name=value of each specification, t:name of each tag, c:id of the category and of each above it, b:id of the
    -- brand.
    facts text[] NOT NULL,
    -- The words of the category's name, sorted: who asks for just these means the kind of thing.
    kind text,
    -- What ranks: words of the title (A), the category, the brand where the title lacks it (B), the first 300
    -- characters of the description (C). Short, so that thousands are ranked in milliseconds.
    head tsvector NOT NULL,
    -- How much a long title dilutes its words.
    dilution real NOT NULL,
    -- What matches: every word, also of model, codes, categories above, specifications (D) and tags (D).
    words tsvector NOT NULL
);
CREATE INDEX entry_newest ON search.entry (published_at DESC, product_id DESC);
CREATE INDEX entry_price ON search.entry (price, product_id);
CREATE INDEX entry_rating ON search.entry (rating DESC, product_id DESC);
CREATE INDEX entry_title ON search.entry (title, product_id);
CREATE INDEX entry_popular ON search.entry (popularity DESC, product_id DESC);
CREATE INDEX entry_category_newest ON search.entry (category_id, published_at DESC, product_id DESC);
CREATE INDEX entry_category_price ON search.entry (category_id, price, product_id);
CREATE INDEX entry_category_rating ON search.entry (category_id, rating DESC, product_id DESC);
CREATE INDEX entry_category_title ON search.entry (category_id, title, product_id);
CREATE INDEX entry_category_popular ON search.entry (category_id, popularity DESC, product_id DESC);
CREATE INDEX entry_brand_newest ON search.entry (brand_id, published_at DESC, product_id DESC);
CREATE INDEX entry_brand_price ON search.entry (brand_id, price, product_id);
CREATE INDEX entry_sold_out ON search.entry (published_at DESC, product_id DESC) WHERE NOT in_stock;
CREATE INDEX entry_dice ON search.entry (dice);
-- Both columns in one index: conditions on either narrow each other down inside it.
CREATE INDEX entry_found ON search.entry USING gin (facts, words) WITH (gin_pending_list_limit = 256);
CREATE INDEX entry_found_first ON search.entry USING gin (facts, words) WITH (gin_pending_list_limit = 256)
    WHERE first_tier;

-- Letters and digits of a code, as codes are compared: `G55-MDDE32F` and `g55 mdde32f` are one.
CREATE FUNCTION search.code(code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT lower(regexp_replace(code, '[^[:alnum:]]+', '', 'g'))
$$;

-- A number and its unit written as one word: `1 TB` and `1tb` become `1tb`; `15,6"` and `15.6-inch` become `15.6in`.
CREATE FUNCTION search.joined_units(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(lower(words),
            '(\d),(\d{3})(?!\d)', '\1\2', 'g'), '(\d),(\d)', '\1.\2', 'g'),
        '(\d)[ -]?(?:inch(?:es)?|in(?=[,;)]|$)|"|″|”|'''')(?![[:alnum:]])', '\1in', 'g'),
        '(\d)[ -](tb|gb|mb|kb|ghz|mhz|khz|hz|mm|cm|km|kg|mg|mah|ah|wh|kw|mw|w|v|mp|fps|dpi|ml|cl|rpm|lm|db)(?![[:alnum:]])',
        '\1\2', 'g')
$$;

-- The words that only `joined_units` makes, as lexemes.
CREATE FUNCTION search.unit_words(words text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_to_tsvector(array_agg(DISTINCT found[1])), '')
    FROM regexp_matches(search.joined_units(words), '(?<![[:alnum:].])(\d+(?:\.\d+)?[a-z]{1,3})(?![[:alnum:]])', 'g')
        AS found
$$;

-- The entries of products, from what the catalogue says of them now; products that are not on sale have none.
CREATE FUNCTION search.entries_of(products uuid[], language regconfig, tier_open boolean) RETURNS TABLE (
    product_id uuid, category_id uuid, brand_id uuid, price bigint, rating real, popularity bigint,
    published_at timestamptz, in_stock boolean, first_tier boolean, dice integer, title text, facts text[], kind text,
    head tsvector, dilution real, words tsvector
) LANGUAGE sql STABLE AS $$
    SELECT f.id, f.category_id, f.brand_id, f.price, f.rating, f.popularity, f.published_at, f.in_stock, tier_open,
        hashtext(f.id::text), f.title,
        ARRAY(
            SELECT 't:' || tag FROM unnest(f.tags) AS tag WHERE length(tag) <= 200
            UNION
            SELECT 's:' || replace(s.key, '=', '_') || '=' || s.value FROM jsonb_each_text(f.specifications) AS s
            WHERE length(s.key) <= 100 AND length(s.value) <= 200
            UNION
            SELECT 'c:' || above FROM unnest(f.ancestors) AS above
            UNION
            SELECT 'b:' || f.brand_id WHERE f.brand_id IS NOT NULL
        ),
        nullif(array_to_string(tsvector_to_array(to_tsvector(language, coalesce(f.category, ''))), ' '), ''),
        title_words || category_words
            || CASE WHEN position(lower(f.brand) IN lower(f.title)) > 0 THEN '' ELSE brand_words END
            || setweight(to_tsvector(language, left(f.description, 300)), 'C'),
        (0.3 * (0.8 + 0.02 * length(title_words)))::real,
        title_words || category_words || brand_words
            || setweight(search.unit_words(f.title), 'A')
            || setweight(to_tsvector('simple', coalesce(f.model, '')), 'A')
            || setweight(array_to_tsvector(ARRAY(
                SELECT DISTINCT search.code(c) FROM unnest(f.codes || f.sku || f.model || f.external_id) AS c
                WHERE length(c) BETWEEN 3 AND 60 AND search.code(c) <> ''
            )), 'A')
            || setweight(to_tsvector(language, coalesce(f.categories, '')), 'B')
            || setweight(to_tsvector(language, left(f.description, 20000)), 'C')
            || setweight(search.unit_words(left(f.description, 2000)), 'C')
            || setweight(jsonb_to_tsvector(language, f.specifications, '["string"]'), 'D')
            || setweight(to_tsvector(language, array_to_string(f.tags, ' ')), 'D')
    FROM catalog.findable AS f
    CROSS JOIN LATERAL (
        SELECT setweight(to_tsvector(language, f.title), 'A') AS title_words,
            setweight(to_tsvector(language, coalesce(f.category, '')), 'B') AS category_words,
            setweight(to_tsvector('simple', coalesce(f.brand, '')), 'B') AS brand_words
        OFFSET 0
    ) AS made
    WHERE f.id = ANY(products)
$$;

-- Write the entries of products into a projection, or take them out of it.
CREATE FUNCTION search.put(projection regclass, products uuid[], language regconfig, tier_open boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($f$
        INSERT INTO %s AS e SELECT * FROM search.entries_of($1, $2, $3) ORDER BY product_id
        ON CONFLICT (product_id) DO UPDATE SET category_id = excluded.category_id, brand_id = excluded.brand_id,
            price = excluded.price, rating = excluded.rating, popularity = excluded.popularity,
            published_at = excluded.published_at, in_stock = excluded.in_stock, title = excluded.title,
            facts = excluded.facts, kind = excluded.kind, head = excluded.head, dilution = excluded.dilution,
            words = excluded.words
    $f$, projection) USING products, language, tier_open;
END
$$;

-- Write entries anew as the products are now. Nobody changes the products meanwhile, so nothing newer is overwritten.
CREATE FUNCTION search.rewrite(products uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM catalog.product WHERE id = ANY(products) ORDER BY id FOR NO KEY UPDATE;
    PERFORM search.keep(products, ARRAY(
        SELECT id FROM unnest(products) AS id WHERE NOT EXISTS (SELECT FROM catalog.findable AS f WHERE f.id = id)));
END
$$;

-- Begin a second projection, or go on with one in the same language; whether it goes on. Writers wait for a moment, so
-- that every change from now on goes to both.
CREATE FUNCTION search.begin_shadow(wanted text, run uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE search.state SET shadow_run = run;
    IF EXISTS (SELECT FROM search.state WHERE shadow AND shadow_language = wanted) THEN
        RETURN true;
    END IF;
    LOCK TABLE catalog.product IN SHARE MODE;
    DROP TABLE IF EXISTS search.entry_shadow;
    TRUNCATE search.shadow_gone;
    CREATE TABLE search.entry_shadow (LIKE search.entry);
    ALTER TABLE search.entry_shadow ADD CONSTRAINT entry_shadow_pkey PRIMARY KEY (product_id);
    UPDATE search.state SET shadow = true, shadow_language = wanted, shadow_after = NULL, shadow_done = 0;
    RETURN false;
END
$$;

-- Write the next entries of the second projection; the changes that came first stay. How many, 0 at the end, -1 when
-- another run took over.
CREATE FUNCTION search.fill_shadow(run uuid, so_many integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    state search.state;
    batch uuid[];
BEGIN
    SELECT * INTO state FROM search.state FOR UPDATE;
    IF state.shadow_run IS DISTINCT FROM run THEN
        RETURN -1;
    END IF;
    batch := ARRAY(SELECT id FROM catalog.findable
        WHERE state.shadow_after IS NULL OR id > state.shadow_after ORDER BY id LIMIT so_many);
    IF cardinality(batch) > 0 THEN
        EXECUTE 'INSERT INTO search.entry_shadow SELECT * FROM search.entries_of($1, $2, $3) ON CONFLICT DO NOTHING'
            USING batch, state.shadow_language::regconfig, state.tier_open;
        UPDATE search.state SET shadow_after = batch[cardinality(batch)], shadow_done = shadow_done + cardinality(batch);
    END IF;
    RETURN cardinality(batch);
END
$$;

-- Put the most popular products of the second projection into the first tier, before it has indexes to be kept.
CREATE FUNCTION search.promote_shadow(so_many integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT tier_open FROM search.state) THEN
        RETURN;
    END IF;
    EXECUTE 'UPDATE search.entry_shadow SET first_tier = true WHERE NOT first_tier AND product_id IN (
        SELECT product_id FROM search.entry_shadow ORDER BY popularity DESC, product_id DESC LIMIT $1)' USING so_many;
END
$$;

-- Indexes that were cut off while they were made.
CREATE FUNCTION search.drop_unfinished_indexes() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT indexrelid::regclass::text FROM pg_index
        WHERE indrelid = to_regclass('search.entry_shadow') AND NOT indisvalid LOOP
        EXECUTE 'DROP INDEX ' || name;
    END LOOP;
END
$$;

-- The statements that give the second projection the indexes of the first, and do not keep writers waiting.
CREATE FUNCTION search.shadow_indexes() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT regexp_replace(i.indexdef, 'INDEX (entry_\w+) ON search\.entry ',
        'INDEX CONCURRENTLY IF NOT EXISTS shadow_\1 ON search.entry_shadow ')
    FROM pg_indexes AS i WHERE i.schemaname = 'search' AND i.tablename = 'entry' AND i.indexname <> 'entry_pkey'
    ORDER BY i.indexname
$$;

-- Put the second projection in the place of the first, in one transaction.
-- Whether it did: not when another run took over.
CREATE FUNCTION search.swap_shadow(run uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    LOCK TABLE catalog.product IN SHARE MODE;
    IF NOT EXISTS (SELECT FROM search.state WHERE shadow AND shadow_run = run) THEN
        RETURN false;
    END IF;
    IF (SELECT count(*) FROM pg_index WHERE indrelid = 'search.entry'::regclass)
        <> (SELECT count(*) FROM pg_index WHERE indrelid = 'search.entry_shadow'::regclass AND indisvalid) THEN
        RAISE 'the second projection lacks indexes';
    END IF;
    DELETE FROM search.entry_shadow AS e USING search.shadow_gone AS g
    WHERE g.product_id = e.product_id AND NOT EXISTS (SELECT FROM catalog.findable WHERE id = e.product_id);
    UPDATE search.state SET shadow = false, language = shadow_language, shadow_language = NULL, shadow_after = NULL;
    TRUNCATE search.shadow_gone;
    DROP TABLE search.entry;
    ALTER TABLE search.entry_shadow RENAME TO entry;
    ALTER TABLE search.entry RENAME CONSTRAINT entry_shadow_pkey TO entry_pkey;
    FOR name IN SELECT indexname FROM pg_indexes
        WHERE schemaname = 'search' AND tablename = 'entry' AND indexname LIKE 'shadow\_%' LOOP
        EXECUTE format('ALTER INDEX search.%I RENAME TO %I', name, substr(name, 8));
    END LOOP;
    RETURN true;
END
$$;

-- Every change of a product reaches the projection in its own transaction, by whatever statement it was made.
CREATE FUNCTION search.keep(products uuid[], gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
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
END
$$;

CREATE FUNCTION search.product_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search.keep(ARRAY(SELECT id FROM added WHERE status = 'active'), '{}');
    RETURN NULL;
END
$$;
CREATE FUNCTION search.product_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search.keep('{}', ARRAY(SELECT id FROM removed));
    RETURN NULL;
END
$$;

-- What sells and what is in stock changes often and has no words: those entries are changed in place.
CREATE FUNCTION search.product_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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
            whole := whole || numbers;
        END IF;
    END IF;
    IF cardinality(whole) > 0 OR cardinality(gone) > 0 THEN
        PERFORM search.keep(whole, gone);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_added AFTER INSERT ON catalog.product REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION search.product_added();
CREATE TRIGGER search_removed AFTER DELETE ON catalog.product REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION search.product_removed();
CREATE TRIGGER search_changed AFTER UPDATE ON catalog.product REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION search.product_changed();

-- A category that moves or changes its name changes the words of everything in it: a job writes those entries anew.
CREATE FUNCTION search.category_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM jobs.enqueue('search.category_changed', convert_to(to_json(id)::text, 'UTF8')) FROM (
        SELECT n.id FROM added AS n JOIN removed AS o ON o.id = n.id
        WHERE n.name <> o.name OR n.parent_id IS DISTINCT FROM o.parent_id
    ) AS changed;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_category_changed AFTER UPDATE ON catalog.category
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION search.category_changed();

-- Words that mean the same, by language. `means` is what is looked for besides `term`.
CREATE TABLE search.synonym (
    language text NOT NULL,
    term text NOT NULL CONSTRAINT synonym_term CHECK (term <> ''),
    means text[] NOT NULL CONSTRAINT synonym_means CHECK (cardinality(means) > 0),
    target tsquery NOT NULL,
    substitute tsquery NOT NULL,
    CONSTRAINT synonym_pkey PRIMARY KEY (language, term)
);

-- English plurals that no stemmer brings together with their singular.
INSERT INTO search.synonym (language, term, means, target, substitute)
SELECT 'english', a, ARRAY[b], phraseto_tsquery('english', a),
    phraseto_tsquery('english', a) || phraseto_tsquery('english', b)
FROM (VALUES ('mouse', 'mice'), ('knife', 'knives'), ('shelf', 'shelves'), ('scarf', 'scarves'), ('foot', 'feet'),
    ('man', 'men'), ('woman', 'women'), ('child', 'children'), ('tooth', 'teeth'), ('leaf', 'leaves'),
    ('loaf', 'loaves'), ('half', 'halves')) AS p(one, many)
CROSS JOIN LATERAL (VALUES (one, many), (many, one)) AS both_ways(a, b);

-- The words of the catalogue as they are written, and in how many products: what typing errors are measured against.
CREATE TABLE search.word (
    word text NOT NULL CONSTRAINT word_pkey PRIMARY KEY,
    products bigint NOT NULL
);
CREATE INDEX word_trigrams ON search.word USING gist (word gist_trgm_ops(siglen = 64));

-- What was looked for in vain.
CREATE TABLE search.missed (
    words text NOT NULL CONSTRAINT missed_pkey PRIMARY KEY,
    times bigint NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX missed_times ON search.missed (times DESC, last_at DESC);

-- What someone typed as a query: words, "phrases", -exclusions, prefixes*, units and codes, with synonyms.
-- needed: all of it. partly: any of the words, and every phrase and exclusion. codes: all of it as one code.
-- kind: its words, as an entry has those of its category.
CREATE FUNCTION search.ask(typed text, OUT needed tsquery, OUT partly tsquery, OUT codes tsquery, OUT kind text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    configured text := (SELECT language FROM search.state);
    config regconfig := configured;
    part text[];
    one tsquery;
    code text;
    always tsquery := '';
    words text := '';
    also tsquery;
    several text;
BEGIN
    needed := '';
    partly := '';
    typed := translate(typed, '“”„«»', '"""""');
    -- Quotes come in pairs around phrases; a single one stands for inches.
    IF length(replace(typed, '"', '')) % 2 = length(typed) % 2 THEN
        typed := replace(typed, '"', chr(1));
    END IF;
    -- A synonym of several words is looked for as a phrase.
    FOR several IN SELECT term FROM search.synonym
        WHERE language = configured AND term LIKE '% %' AND position(term IN lower(typed)) > 0 LIMIT 5 LOOP
        EXIT WHEN position(chr(1) IN typed) > 0;
        typed := replace(lower(typed), several, chr(1) || several || chr(1));
    END LOOP;
    FOR part IN SELECT regexp_matches(
        search.joined_units(typed), '(-?)(?:\x01([^\x01]*)\x01|([^\s\x01]+))', 'g') LOOP
        one := CASE
            WHEN part[2] IS NOT NULL THEN phraseto_tsquery(config, part[2])
            WHEN part[3] ~ '[[:alnum:]]\*$' THEN search.prefix(config, part[3])
            ELSE phraseto_tsquery(config, part[3])
        END;
        -- Words that touch are found apart, too.
        IF part[3] ~ '[[:alnum:]][^[:alnum:]*.]+[[:alnum:]]' THEN
            one := one || plainto_tsquery(config, regexp_replace(part[3], '[^[:alnum:]]+', ' ', 'g'));
        END IF;
        code := search.code(coalesce(part[3], ''));
        IF part[3] ~ '\d' AND part[3] ~ '^\d+(\.\d+)?[a-z]{1,3}$' THEN
            one := one || quote_literal(part[3])::tsquery;
        ELSIF part[3] ~ '\d' AND code <> part[3] AND code <> '' THEN
            one := one || quote_literal(code)::tsquery;
        END IF;
        CONTINUE WHEN numnode(one) = 0;
        -- Each word is expanded once, by what its own row says.
        SELECT substitute INTO also FROM search.synonym
        WHERE language = configured AND target = phraseto_tsquery(config, coalesce(part[2], part[3])) LIMIT 1;
        IF FOUND THEN
            one := one || also;
        END IF;
        IF part[1] = '-' THEN
            always := always && !!one;
        ELSE
            needed := needed && one;
            words := words || ' ' || coalesce(part[2], part[3]);
            IF part[2] IS NULL THEN
                partly := partly || one;
            ELSE
                always := always && one;
            END IF;
        END IF;
    END LOOP;
    kind := array_to_string(tsvector_to_array(to_tsvector(config, words)), ' ');
    code := search.code(typed);
    IF numnode(always) = 0 AND typed ~ '\d' AND length(code) BETWEEN 3 AND 60 THEN
        codes := quote_literal(code)::tsquery;
        needed := needed || codes;
    END IF;
    IF numnode(needed) > 0 THEN
        IF numnode(always) > 0 THEN
            needed := needed && always;
            partly := CASE WHEN numnode(partly) > 0 THEN partly && always ELSE needed END;
        END IF;
    END IF;
END
$$;

-- A word that goes on, `lapt*`, as it stands and as the language would cut its ending off.
CREATE FUNCTION search.prefix(config regconfig, typed text) RETURNS tsquery LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg(
        '(' || quote_literal(word) || ':*' || coalesce(' | ' || nullif(to_tsquery(config, quote_literal(word))::text, ''), '') || ')',
        ' & '), '')::tsquery
    FROM regexp_split_to_table(lower(typed), '[^[:alnum:]]+') AS word WHERE word <> ''
$$;

-- What is being typed: every word whole but the last, all in titles, brands or categories.
CREATE FUNCTION search.begun(typed text) RETURNS tsquery LANGUAGE sql STABLE AS $$
    SELECT search.prefix(s.language::regconfig, regexp_replace(typed, '^.*\s', ''))
        && plainto_tsquery(s.language::regconfig, coalesce(substring(typed FROM '^(.*)\s'), ''))
    FROM search.state AS s
$$;

-- The words of the catalogue nearest to one, and how many letters away they are (Levenshtein distance).
CREATE FUNCTION search.near(typed text) RETURNS TABLE (word text, products bigint, distance integer)
LANGUAGE sql STABLE AS $$
    SELECT n.word, n.products, levenshtein(n.word, typed)
    FROM (SELECT w.word, w.products FROM search.word AS w ORDER BY w.word <-> typed LIMIT 40) AS n
$$;

-- How well an entry answers a query (decisions/0012-ranking.md): its weighted words saturate, more slowly in a long
-- title; all the words count twice; the name of its category counts; an exact code beats everything; what sells and is
-- in stock settles what is nearly equal.
CREATE FUNCTION search.score(
    head tsvector, dilution real, kind text, popularity bigint, in_stock boolean, words tsvector,
    asked_partly tsquery, asked_codes tsquery, asked_kind text, is_full boolean
) RETURNS real LANGUAGE sql IMMUTABLE AS $$
    SELECT ((1 - dilution / (dilution + greatest(ts_rank('{0, 0.2, 0.5, 1}', head, asked_partly), 0.06)))
        * CASE WHEN is_full THEN 2 ELSE 1 END
        * CASE WHEN kind = asked_kind THEN 1.3 ELSE 1 END
        * CASE WHEN in_stock THEN 1 ELSE 0.9 END
        * (1 + 0.01 * ln(1 + popularity))
        + CASE WHEN asked_codes IS NOT NULL AND words @@ asked_codes THEN 10 ELSE 0 END)::real
$$;

DO $$
BEGIN
    PERFORM search.put('search.entry', ARRAY(SELECT id FROM catalog.product), 'english', true);
END
$$;

-- Every row of the shop gone, for a sample shop that starts from nothing.
CREATE FUNCTION platform.empty_shop() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ')
        FROM pg_tables
        WHERE schemaname IN ('accounts', 'catalog', 'inventory', 'cart', 'orders', 'search')
            AND (schemaname, tablename) NOT IN (('search', 'state'), ('search', 'synonym'))
    );
    TRUNCATE platform.idempotency_key;
    UPDATE search.state SET tier_open = true, learnt_at = NULL, learnt_changes = 0;
END
$$;
