SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- Words and tiers are learnt every ten minutes where enough was changed; only what is searched for by words depends on
-- them. Until now everything in the cache went, all pages of products too.
DROP TRIGGER state_changed_stale ON search.state;
CREATE TRIGGER words_learnt_stale AFTER UPDATE OF learnt_at, tier_open ON search.state FOR EACH ROW
    WHEN (NEW.learnt_at IS DISTINCT FROM OLD.learnt_at OR NEW.tier_open <> OLD.tier_open)
    EXECUTE FUNCTION search.words_stale();
CREATE TRIGGER projection_changed_stale AFTER UPDATE OF language, model ON search.state
    FOR EACH STATEMENT EXECUTE FUNCTION platform.everything_stale();
-- Nothing is learnt of a catalogue that was emptied.
CREATE TRIGGER words_forgotten_stale AFTER UPDATE OF learnt_at ON search.state FOR EACH ROW
    WHEN (NEW.learnt_at IS NULL) EXECUTE FUNCTION platform.everything_stale();
