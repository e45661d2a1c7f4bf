-- Entries made faster: what the products of a category share is made once for all of them, and no text is read twice.
-- Only the statements of the shop itself call the function that goes:
-- squawk-ignore-file ban-drop-function
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- The numbers with a unit that only `joined_units` makes into one word.
CREATE FUNCTION search.units_in(words text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN words ~ '\d' THEN ARRAY(
        SELECT found[1]
        FROM regexp_matches(search.joined_units(words), '(?<![[:alnum:].])(\d+(?:\.\d+)?[a-z]{1,3})(?![[:alnum:]])', 'g')
            AS found
    ) ELSE '{}' END
$$;

-- The entries of products, from what the catalogue says of them now; products that are not on sale have none.
CREATE OR REPLACE FUNCTION search.entries_of(products uuid[], language regconfig, tier_open boolean) RETURNS TABLE (
    product_id uuid, category_id uuid, brand_id uuid, price bigint, rating real, popularity bigint,
    published_at timestamptz, in_stock boolean, first_tier boolean, dice integer, title text, facts text[], kind text,
    head tsvector, dilution real, words tsvector
) LANGUAGE sql STABLE AS $$
    WITH found AS MATERIALIZED (
        SELECT f.id, f.category_id, f.brand_id, f.brand, f.title, f.model, f.sku, f.external_id, f.codes,
            f.description, f.specifications, f.tags, f.price, f.rating, f.popularity, f.published_at, f.in_stock
        FROM catalog.findable AS f WHERE f.id = ANY(products)
    ), shelf AS MATERIALIZED (
        -- What every product of a category has in common, made once.
        SELECT c.id, array_to_string(tsvector_to_array(named.words), ' ') AS kind,
            setweight(named.words, 'B') AS head,
            setweight(to_tsvector(language, (
                SELECT string_agg(up.name, ' ') FROM catalog.category_tree AS up WHERE up.id = ANY(c.ancestors)
            )), 'B') || setweight(named.words, 'B') AS every,
            ARRAY(SELECT 'c:' || above FROM unnest(c.ancestors) AS above) AS facts
        FROM catalog.category_tree AS c
        CROSS JOIN LATERAL (SELECT to_tsvector(language, c.name) AS words OFFSET 0) AS named
        WHERE c.id IN (SELECT category_id FROM found)
    )
    SELECT f.id, f.category_id, f.brand_id, f.price, f.rating, f.popularity, f.published_at, f.in_stock, tier_open,
        hashtext(f.id::text), f.title,
        ARRAY(SELECT 't:' || tag FROM unnest(f.tags) AS tag WHERE length(tag) <= 200)
            || ARRAY(
                SELECT 's:' || replace(s.key, '=', '_') || '=' || s.value FROM jsonb_each_text(f.specifications) AS s
                WHERE length(s.key) <= 100 AND length(s.value) <= 200)
            || coalesce(shelf.facts, '{}')
            || CASE WHEN f.brand_id IS NULL THEN '{}' ELSE ARRAY['b:' || f.brand_id] END,
        nullif(shelf.kind, ''),
        title_words || coalesce(shelf.head, '')
            || CASE WHEN position(lower(f.brand) IN lower(f.title)) > 0 THEN '' ELSE brand_words END || beginning,
        (0.3 * (0.8 + 0.02 * length(title_words)))::real,
        title_words || brand_words || coalesce(shelf.every, '')
            || setweight(array_to_tsvector(ARRAY(
                SELECT code FROM (SELECT search.code(c) AS code
                    FROM unnest(f.codes || f.sku || f.model || f.external_id) AS c
                    WHERE length(c) BETWEEN 3 AND 60 OFFSET 0) AS made WHERE code <> ''
            ) || search.units_in(f.title)), 'A')
            || setweight(to_tsvector('simple', coalesce(f.model, '')), 'A')
            || CASE WHEN length(f.description) <= 300 THEN beginning
                ELSE setweight(to_tsvector(language, left(f.description, 20000)), 'C') END
            || setweight(array_to_tsvector(search.units_in(left(f.description, 2000))), 'C')
            || setweight(jsonb_to_tsvector(language, f.specifications, '["string"]')
                || to_tsvector(language, array_to_string(f.tags, ' ')), 'D')
    FROM found AS f LEFT JOIN shelf ON shelf.id = f.category_id
    CROSS JOIN LATERAL (
        SELECT setweight(to_tsvector(language, f.title), 'A') AS title_words,
            setweight(to_tsvector('simple', coalesce(f.brand, '')), 'B') AS brand_words,
            setweight(to_tsvector(language, left(f.description, 300)), 'C') AS beginning
        OFFSET 0
    ) AS made
$$;

DROP FUNCTION search.unit_words(text);
