-- An offer that staff change has a version, so that of two who change it the second is told.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE promotions.offer ADD COLUMN version integer NOT NULL DEFAULT 1;
UPDATE promotions.offer SET starts_at = nullif(starts_at, '-infinity'), ends_at = nullif(ends_at, 'infinity')
WHERE starts_at = '-infinity' OR ends_at = 'infinity';
ALTER TABLE promotions.offer
    ADD CONSTRAINT offer_moments CHECK (isfinite(starts_at) AND isfinite(ends_at)) NOT VALID;

CREATE OR REPLACE VIEW promotions.running AS
SELECT o.id, o.code, json_build_object('id', o.id, 'name', o.name, 'kind', o.kind, 'value', o.value,
    'currency', o.currency, 'code', o.code, 'buy', o.buy, 'get', o.get, 'products', o.products,
    'categories', o.categories, 'minimum', o.minimum, 'starts_at', o.starts_at, 'ends_at', o.ends_at,
    'max_uses', o.max_uses, 'max_uses_per_customer', o.max_uses_per_customer, 'used', o.used,
    'stackable', o.stackable, 'priority', o.priority, 'version', o.version) AS offer
FROM promotions.offer AS o WHERE o.ends_at IS NULL OR o.ends_at > now();
