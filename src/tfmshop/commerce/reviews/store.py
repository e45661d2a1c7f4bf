"""Every statement of reviews."""

from tfmshop.platform.db import Query, Truth

WRITE = Query(
    "reviews.write",
    """
INSERT INTO reviews.review (id, product_id, customer_id, author, rating, title, body)
SELECT $1, $2, $3, $4, $5, $6, $7
WHERE EXISTS (SELECT FROM orders.owned WHERE customer_id = $3 AND product_id = $2)
""",
)

PUBLISHED = Query(
    "reviews.list_published",
    """
SELECT id, product_id, author, rating, title, body, status, created_at FROM reviews.review
WHERE product_id = $1 AND status = 'published' AND (created_at, id) < ($2, $3)
ORDER BY created_at DESC, id DESC LIMIT $4
""",
)

WAITING = Query(
    "reviews.list_waiting",
    """
SELECT id, product_id, author, rating, title, body, status, created_at FROM reviews.review
WHERE status = 'pending' ORDER BY created_at, id LIMIT $1
""",
)

MODERATE = Query(
    "reviews.moderate",
    """
WITH held AS MATERIALIZED (SELECT id, status FROM reviews.review WHERE id = $1 FOR UPDATE),
moderated AS (
    UPDATE reviews.review AS r SET status = $2, moderated_at = now(), moderated_by = $3 FROM held WHERE r.id = held.id
    RETURNING r.id, r.product_id, r.author, r.rating, r.title, r.body, r.status, r.created_at, held.status AS before
)
SELECT m.*, jobs.enqueue('reviews.moderated', convert_to(to_json(m.product_id)::text, 'UTF8')) FROM moderated AS m
""",
)

OF_CUSTOMER = Query(
    "reviews.of_customer",
    """
SELECT id, product_id, author, rating, title, body, status, created_at FROM reviews.review
WHERE customer_id = $1 ORDER BY created_at
""",
)

ANONYMOUS = Query("reviews.anonymous", "UPDATE reviews.review SET author = '' WHERE customer_id = $1")

RATING = Query(
    "reviews.rating",
    """
SELECT coalesce(avg(rating), 0)::real AS rating, count(*)::integer AS count FROM reviews.review
WHERE product_id = $1 AND status = 'published'
""",
)

Truth(
    "a published review is by someone who bought the product",
    Query(
        "reviews.truth_bought",
        """
SELECT r.id FROM reviews.review AS r WHERE r.status = 'published' AND NOT EXISTS (
    SELECT FROM orders.owned AS o WHERE o.customer_id = r.customer_id AND o.product_id = r.product_id)
""",
    ),
)
