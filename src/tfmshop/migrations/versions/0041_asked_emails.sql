-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE INDEX proof_email ON accounts.proof (email, created_at DESC) WHERE purpose = 'email';
COMMENT ON INDEX accounts.proof_email IS 'How many letters an address got of late that somebody wants to have as theirs.';
