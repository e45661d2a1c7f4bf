-- Products in and out of files: each import, and what it changed, so that it can be undone as a whole.
-- Nothing was released before this revision, so a table may move and an index block writers:
-- squawk-ignore-file require-concurrent-index-creation, ban-set-schema
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA transfer;
ALTER TABLE catalog.import_run SET SCHEMA transfer;
ALTER TABLE transfer.import_run
    ADD COLUMN made_categories uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN made_brands uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN undone_at timestamptz;
CREATE INDEX import_run_started ON transfer.import_run (started_at DESC, id DESC);

-- A product that an import added (before is NULL) or changed: how it was, and at which version the import left it.
CREATE TABLE transfer.change (
    run_id uuid NOT NULL CONSTRAINT change_run_fkey REFERENCES transfer.import_run (id) ON DELETE CASCADE,
    product_id uuid NOT NULL,
    before jsonb,
    after_version integer NOT NULL,
    CONSTRAINT change_pkey PRIMARY KEY (run_id, product_id)
);
