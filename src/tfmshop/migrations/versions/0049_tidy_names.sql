SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- As in 0021, but no index is spoken of by a name that this itself changes: which came first hung on the catalogue.
CREATE OR REPLACE FUNCTION search.tidy_shadow() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    DROP TABLE IF EXISTS search.entry_before;
    FOR statement IN
        SELECT format('ALTER INDEX %s RESET (fastupdate)', i.indexrelid::regclass) FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'search.entry'::regclass AND c.reloptions @> '{fastupdate=off}'
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('ALTER INDEX search.%I RENAME TO %I', indexname, substr(indexname, 8)) FROM pg_indexes
        WHERE schemaname = 'search' AND tablename = 'entry' AND indexname LIKE 'shadow\_%'
    LOOP
        EXECUTE statement;
    END LOOP;
    ALTER TABLE search.entry RESET (autovacuum_enabled);
END
$$;
