-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- A file that staff sent: tried, looked at, applied, taken back. Its run, once it is applied, has the same id.
CREATE TABLE transfer.staged (
    id uuid PRIMARY KEY,
    file text NOT NULL,
    mapping text NOT NULL,
    currency text NOT NULL,
    content bytea,
    size bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('trying', 'tried', 'applying', 'applied', 'undoing', 'undone', 'failed')),
    force boolean NOT NULL DEFAULT false,
    done bigint NOT NULL DEFAULT 0,
    tried text,
    applied text,
    undone text,
    why text,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN transfer.staged.content IS 'Forgotten some days after the last change.';
COMMENT ON COLUMN transfer.staged.done IS 'Bytes of the file that the step in hand has read.';
CREATE INDEX staged_created ON transfer.staged (created_at DESC, id DESC);
CREATE INDEX staged_kept ON transfer.staged (changed_at) WHERE content IS NOT NULL;
