-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- Drafts and what was archived, newest first: few among many, which a walk through all by date would look for in vain.
CREATE INDEX product_off_sale ON catalog.product (status, created_at, id) WHERE status <> 'active';
