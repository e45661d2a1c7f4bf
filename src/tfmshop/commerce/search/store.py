"""Every statement of search, except the families of lists and facets."""

from tfmshop.platform.db import Query, Truth

CORRECT = Query(
    "search.correct",
    """
SELECT t.typed, k.known, CASE WHEN t.typed = ANY($2) AND NOT k.known THEN coalesce(
        (SELECT word FROM search.near(t.typed) WHERE distance = 1 ORDER BY products DESC LIMIT 1),
        (SELECT a.word || ' ' || b.word FROM generate_series(3, length(t.typed) - 3) AS n
            JOIN search.word AS a ON a.word = left(t.typed, n) JOIN search.word AS b ON b.word = substr(t.typed, n + 1)
            ORDER BY least(a.products, b.products) DESC LIMIT 1),
        (SELECT word FROM search.near(t.typed) WHERE distance = 2 AND length(t.typed) > 4
            ORDER BY products DESC LIMIT 1)
    ) END AS better
FROM unnest($1::text[]) AS t(typed)
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM search.word WHERE word = t.typed) AS known) AS k
""",
)

SUGGEST = Query(
    "search.suggest",
    """
WITH asked AS MATERIALIZED (SELECT search.begun($1) AS words),
first AS MATERIALIZED (
    SELECT e.product_id, e.popularity FROM search.entry AS e, asked WHERE e.first_tier AND e.words @@ asked.words
    LIMIT 1000
), others AS MATERIALIZED (
    SELECT e.product_id, e.popularity FROM search.entry AS e, asked
    WHERE NOT e.first_tier AND e.words @@ asked.words AND (SELECT count(*) FROM first) < 8 LIMIT 1000
), best AS (
    SELECT product_id, popularity FROM first UNION ALL SELECT product_id, popularity FROM others
    ORDER BY popularity DESC, product_id DESC LIMIT 8
)
(SELECT 'category' AS kind, slug, name AS title, 0 AS place FROM catalog.category_tree
    WHERE lower(name) LIKE $2 || '%' AND cardinality(ancestors) > 0 ORDER BY cardinality(ancestors), name LIMIT 2)
UNION ALL
(SELECT 'product', p.slug, p.title, -best.popularity - 1 FROM best JOIN catalog.card AS p ON p.id = best.product_id
    ORDER BY best.popularity DESC, best.product_id DESC)
""",
)

NOTE_MISSED = Query(
    "search.note_missed",
    """
INSERT INTO search.missed AS m (words) VALUES ($1)
ON CONFLICT (words) DO UPDATE SET times = m.times + 1, last_at = now()
""",
)

MISSED = Query(
    "search.list_missed",
    "SELECT words, times, first_at, last_at FROM search.missed ORDER BY times DESC, last_at DESC LIMIT $1",
)

FORGET_MISSED = Query(
    "search.forget_missed",
    """
DELETE FROM search.missed WHERE words IN (
    SELECT words FROM search.missed ORDER BY times DESC, last_at DESC OFFSET $1
)
""",
)

SYNONYMS = Query("search.list_synonyms", "SELECT language, term, means FROM search.synonym ORDER BY language, term")

SET_SYNONYM = Query(
    "search.set_synonym",
    """
INSERT INTO search.synonym (language, term, means, target, substitute)
SELECT $1, $2, $3, t.target, t.target || m.substitute
FROM (SELECT phraseto_tsquery($1::text::regconfig, $2) AS target) AS t
CROSS JOIN (
    SELECT string_agg('(' || phraseto_tsquery($1::text::regconfig, means)::text || ')', ' | ')::tsquery AS substitute
    FROM unnest($3::text[]) AS means WHERE numnode(phraseto_tsquery($1::text::regconfig, means)) > 0
) AS m
WHERE numnode(t.target) > 0 AND m.substitute IS NOT NULL
ON CONFLICT (language, term) DO UPDATE SET means = excluded.means, substitute = excluded.substitute
""",
)

DROP_SYNONYM = Query(
    "search.drop_synonym",
    "DELETE FROM search.synonym WHERE language = $1 AND term = $2 RETURNING language, term, means",
)

LANGUAGE = Query("search.language", "SELECT language FROM search.state")

HAS_LANGUAGE = Query("search.has_language", "SELECT EXISTS (SELECT FROM pg_ts_config WHERE cfgname = $1)")

IN_CATEGORY = Query(
    "search.in_category",
    """
SELECT e.product_id FROM search.entry AS e JOIN catalog.category_tree AS c ON c.id = e.category_id
WHERE c.ancestors @> ARRAY[$1::uuid] AND e.product_id > $2 ORDER BY e.product_id LIMIT $3
""",
)

REWRITE = Query("search.rewrite", "SELECT search.rewrite($1::uuid[])")

BEGIN_SHADOW = Query("search.begin_shadow", "SELECT search.begin_shadow($1, $2)")
FILL_SHADOW = Query("search.fill_shadow", "SELECT search.fill_shadow($1, $2)")
CATCH_UP_SHADOW = Query("search.catch_up_shadow", "SELECT search.catch_up_shadow($1, $2)")
DURABLY = Query("search.commit_durably", "SELECT set_config('synchronous_commit', 'on', true)")
SWAP_SHADOW = Query("search.swap_shadow", "SELECT search.swap_shadow($1, $2)")
TIDY_SHADOW = Query("search.tidy_shadow", "SELECT search.tidy_shadow()")
SHADOW_COLUMNS = Query(
    "search.shadow_columns",
    """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass('search.entry_shadow') AND attnum > 0 AND NOT attisdropped ORDER BY attnum
""",
)
SHADOW_STATE = Query(
    "search.shadow_state",
    """
SELECT s.shadow_done, (SELECT count(*) FROM catalog.findable) AS products FROM search.state AS s
""",
)

HAS_VECTORS = Query(
    "search.has_vectors",
    "SELECT EXISTS (SELECT FROM pg_available_extension_versions WHERE name = 'vector' AND version >= '0.7')",
)
BEGIN_MEANING = Query("search.begin_meaning", "SELECT search.begin_meaning($1, $2)")
END_MEANING = Query("search.end_meaning", "SELECT search.end_meaning()")
LOCK_MEANING = Query("search.lock_meaning", "SELECT pg_advisory_xact_lock(hashtext('search.meaning'))")
LACK_MEANING = Query("search.lack_meaning", "SELECT * FROM search.lack_meaning($1, $2)")
MEANING_TEXTS = Query(
    "search.meaning_texts",
    """
SELECT id, concat_ws('. ', title, category, brand, left(description, 300)) AS text FROM catalog.findable
WHERE id = ANY($1::uuid[])
""",
)
PUT_MEANING = Query("search.put_meaning", "SELECT search.put_meaning($1, $2, $3, $4)")
HAS_MEANING_INDEX = Query(
    "search.has_meaning_index",
    "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('search.meaning_near') AND indisvalid)",
)
ENTRIES = Query("search.count_entries", "SELECT count(*) FROM search.entry")

STATUS = Query(
    "search.status",
    """
SELECT language, (SELECT count(*) FROM search.entry) AS entries, (SELECT count(*) FROM search.word) AS words, learnt_at,
    CASE WHEN shadow THEN shadow_language END AS reindexing, shadow_done AS reindexed, model,
    coalesce(pg_stat_get_live_tuples(to_regclass('search.meaning')), 0) AS meant
FROM search.state
""",
)

CHANGES = Query(
    "search.count_changes",
    """
SELECT coalesce(n_tup_ins + n_tup_upd + n_tup_del, 0) AS changes, learnt_changes, learnt_at,
    (SELECT reltuples::bigint FROM pg_class WHERE oid = 'search.entry'::regclass) AS entries
FROM search.state LEFT JOIN pg_stat_user_tables ON relid = 'search.entry'::regclass
""",
)

LOCK_LEARNING = Query("search.lock_learning", "SELECT pg_advisory_xact_lock(hashtext('search.learn'))")

DROP_WORDS = Query("search.drop_words", "DELETE FROM search.word")

LEARN_WORDS = Query(
    "search.learn_words",
    """
INSERT INTO search.word (word, products)
SELECT word, ndoc FROM ts_stat($q$
    SELECT to_tsvector('simple', e.title || ' ' || coalesce(b.name, '') || ' ' || coalesce(c.name, ''))
    FROM search.entry AS e LEFT JOIN catalog.brand_name AS b ON b.id = e.brand_id
    LEFT JOIN catalog.category_tree AS c ON c.id = e.category_id
$q$) WHERE word ~ '^[[:alpha:]]{2,40}$'
""",
)

INDEXES = Query(
    "search.list_indexes",
    """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'search' AND tablename = 'entry' AND indexname <> 'entry_pkey' ORDER BY indexname
""",
)

SET_TIERS = Query(
    "search.set_tiers",
    """
WITH last AS MATERIALIZED (
    SELECT popularity, product_id FROM search.entry ORDER BY popularity DESC, product_id DESC OFFSET $1 - 1 LIMIT 1
)
UPDATE search.entry AS e SET first_tier = NOT e.first_tier
WHERE e.first_tier IS DISTINCT FROM coalesce(
    (e.popularity, e.product_id) >= ((SELECT popularity FROM last), (SELECT product_id FROM last)), true)
""",
)

LEARNT = Query(
    "search.learnt",
    """
UPDATE search.state SET learnt_at = now(), learnt_changes = $1,
    tier_open = (SELECT count(*) FROM (SELECT FROM search.entry LIMIT $2 + 1) AS bounded) <= $2
""",
)

ANALYZE = Query("search.analyze", "ANALYZE search.entry, search.word")

Truth(
    "lists show what is on sale, as the catalogue has it",
    Query(
        "search.truth_entries",
        """
SELECT coalesce(f.id, e.product_id) FROM catalog.findable AS f
FULL JOIN search.entry AS e ON e.product_id = f.id
WHERE f.id IS NULL OR e.product_id IS NULL
    OR (f.category_id, f.brand_id, f.price, f.rating, f.popularity, f.published_at, f.in_stock, f.title)
    IS DISTINCT FROM (e.category_id, e.brand_id, e.price, e.rating, e.popularity, e.published_at, e.in_stock, e.title)
""",
    ),
)
