"""Every statement of search. It reads the view that the catalogue publishes."""

from tfmshop.platform.db import Query

FIND = Query(
    "search.find",
    """
WITH query AS MATERIALIZED (SELECT websearch_to_tsquery('english', $1) AS words),
ranked AS MATERIALIZED (
    SELECT f.id, ts_rank_cd(f.search, query.words) AS rank FROM catalog.findable AS f, query
    WHERE f.search @@ query.words
), page AS (
    SELECT id, rank FROM ranked WHERE (rank, id) < ($2::real, $3::uuid) ORDER BY rank DESC, id DESC LIMIT $4
)
SELECT c.total, page.rank, f.id, f.slug, f.sku, f.external_id, f.title, f.brand, f.price, f.compare_at_price,
    f.currency, f.rating, f.review_count, f.in_stock, f.image, f.badge,
    ts_headline('english', f.title, query.words, 'StartSel=<em>, StopSel=</em>, HighlightAll=true')
FROM (SELECT count(*) AS total FROM ranked) AS c CROSS JOIN query
LEFT JOIN page ON true LEFT JOIN catalog.findable AS f ON f.id = page.id
ORDER BY page.rank DESC, page.id DESC
""",
)

SUGGEST = Query(
    "search.suggest",
    """
SELECT slug, title FROM catalog.findable WHERE title ILIKE '%' || $1 || '%' ORDER BY popularity DESC, title LIMIT 10
""",
)
