SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- What was renamed before 0048.
UPDATE inventory.stock AS s SET sku = v.sku FROM catalog.variant AS v WHERE v.id = s.variant_id AND v.sku <> s.sku;
