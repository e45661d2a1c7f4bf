-- Tries that are counted, such as passwords for an account, and who is kept out for a while.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- The moments of the tries that still count for a key, oldest first.
CREATE TABLE platform.tries (
    key text NOT NULL,
    at timestamptz[] NOT NULL,
    forget_at timestamptz NOT NULL,
    CONSTRAINT tries_pkey PRIMARY KEY (key)
);

-- Whoever is kept out: the key of their tries, or `all:` and an address for every request.
CREATE TABLE platform.block (
    key text NOT NULL,
    until timestamptz NOT NULL,
    strikes integer NOT NULL,
    why text NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT block_pkey PRIMARY KEY (key),
    CONSTRAINT block_strikes CHECK (strikes > 0)
);

-- One try for every key from the place `taken` on, or none for any; the keys before it are only looked at. `refused` is
-- the place of the first key that has none left, and `until` when it has one again. Looks without a lock first, so that
-- a flood of refused tries writes nothing.
CREATE FUNCTION platform.take_try(
    keys text[], most integer[], spans interval[], taken integer, moment timestamptz,
    OUT refused integer, OUT until timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
    FOR look IN 1..2 LOOP
        SELECT wanted.place, coalesce(block.until, full_since.at + wanted.span) INTO refused, until
        FROM unnest(keys, most, spans) WITH ORDINALITY AS wanted (key, most, span, place)
        LEFT JOIN platform.block ON block.key = wanted.key AND block.until > moment
        LEFT JOIN platform.tries ON tries.key = wanted.key
        LEFT JOIN LATERAL (
            SELECT one AS at FROM unnest(tries.at) AS one WHERE one > moment - wanted.span
            ORDER BY one DESC OFFSET wanted.most - 1 LIMIT 1
        ) AS full_since ON true
        WHERE block.until IS NOT NULL OR full_since.at IS NOT NULL
        ORDER BY wanted.place LIMIT 1;
        EXIT WHEN refused IS NOT NULL OR look = 2;
        INSERT INTO platform.tries AS known (key, at, forget_at)
        SELECT key, '{}', moment + span FROM unnest(keys[taken:], spans[taken:]) AS wanted (key, span) ORDER BY key
        ON CONFLICT (key) DO UPDATE SET forget_at = greatest(known.forget_at, EXCLUDED.forget_at);
    END LOOP;
    IF refused IS NULL THEN
        PERFORM platform.note_try(keys[taken:], spans[taken:], most[taken:], moment);
    END IF;
END
$$;

-- Counts a try for every key, whatever it has left; how many count now, in the order of the keys.
CREATE FUNCTION platform.note_try(keys text[], spans interval[], most integer[], moment timestamptz)
RETURNS integer[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO platform.tries AS known (key, at, forget_at)
    SELECT key, ARRAY[moment], moment + span FROM unnest(keys, spans) AS wanted (key, span) ORDER BY key
    ON CONFLICT (key) DO UPDATE SET forget_at = greatest(known.forget_at, EXCLUDED.forget_at), at = array(
        SELECT one FROM unnest(known.at || moment) AS one
        WHERE one > moment - (EXCLUDED.forget_at - moment) ORDER BY one DESC
        LIMIT most[array_position(keys, EXCLUDED.key)]
    );
    RETURN array(
        SELECT cardinality(tries.at) FROM unnest(keys) WITH ORDINALITY AS wanted (key, place)
        JOIN platform.tries ON tries.key = wanted.key ORDER BY wanted.place
    );
END
$$;

-- How suspicious an address is; points halve by and by.
CREATE TABLE platform.suspicion (
    key text NOT NULL,
    score real NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT suspicion_pkey PRIMARY KEY (key)
);

-- Adds points to the scores of addresses, which halve every `halved` seconds; what they are now.
CREATE FUNCTION platform.suspect(keys text[], points real[], moment timestamptz, halved real)
RETURNS TABLE (key text, score real) LANGUAGE sql AS $$
    INSERT INTO platform.suspicion AS known (key, score, at)
    SELECT given.key, given.points, moment FROM unnest(keys, points) AS given (key, points) ORDER BY given.key
    ON CONFLICT (key) DO UPDATE SET at = moment, score = EXCLUDED.score
        + known.score * power(0.5, least(100, greatest(0, extract(epoch FROM moment - known.at)) / halved))
    RETURNING known.key, known.score
$$;
