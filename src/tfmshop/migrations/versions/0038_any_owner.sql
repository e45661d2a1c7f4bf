-- As before, but made by any owner of a database: a setting of an extension may be kept with a function by superusers only.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- The products nearest in meaning, with how alike they are: 1 the same, 0 nothing in common. Below 0.2, and far below the
-- nearest, likeness is chance. None before the index is there, or where the numbers are another model's.
CREATE OR REPLACE FUNCTION search.alike(by_model text, wanted text, so_many integer)
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
