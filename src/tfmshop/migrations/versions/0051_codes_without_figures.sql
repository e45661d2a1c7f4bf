SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- As in 0046, but that a code may do without figures: TSHIRT-RED-XL is one.
CREATE OR REPLACE FUNCTION search.ask(typed text, OUT needed tsquery, OUT partly tsquery, OUT codes tsquery, OUT kind text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    configured text := (SELECT language FROM search.state);
    config regconfig := configured;
    part text[];
    one tsquery;
    code text;
    always tsquery := '';
    words text := '';
    also tsquery;
    several text;
BEGIN
    needed := '';
    partly := '';
    typed := translate(typed, '“”„«»', '"""""');
    -- Quotes come in pairs around phrases; a single one stands for inches.
    IF length(replace(typed, '"', '')) % 2 = length(typed) % 2 THEN
        typed := replace(typed, '"', chr(1));
    END IF;
    -- A synonym of several words is looked for as a phrase.
    FOR several IN SELECT term FROM search.synonym
        WHERE language = configured AND term LIKE '% %' AND position(term IN lower(typed)) > 0
            AND position(' ' || term || ' ' IN ' ' || lower(typed) || ' ') > 0 LIMIT 5 LOOP
        EXIT WHEN position(chr(1) IN typed) > 0;
        typed := btrim(replace(' ' || lower(typed) || ' ', ' ' || several || ' ',
            ' ' || chr(1) || several || chr(1) || ' '));
    END LOOP;
    FOR part IN SELECT regexp_matches(
        search.joined_units(typed), '(-?)(?:\x01([^\x01]*)\x01|([^\s\x01]+))', 'g') LOOP
        one := CASE
            WHEN part[2] IS NOT NULL THEN phraseto_tsquery(config, part[2])
            WHEN part[3] ~ '[[:alnum:]]\*$' THEN search.prefix(config, part[3])
            ELSE phraseto_tsquery(config, part[3])
        END;
        -- Words that touch are found apart, too.
        IF part[3] ~ '[[:alnum:]][^[:alnum:]*.]+[[:alnum:]]' THEN
            one := one || plainto_tsquery(config, regexp_replace(part[3], '[^[:alnum:]]+', ' ', 'g'));
        END IF;
        code := search.code(coalesce(part[3], ''));
        IF part[3] ~ '\d' AND part[3] ~ '^\d+(\.\d+)?[a-z]{1,3}$' THEN
            one := one || quote_literal(part[3])::tsquery;
        ELSIF part[3] ~ '\d|[[:alnum:]][-_/.][[:alnum:]]' AND code <> part[3] AND code <> '' THEN
            one := one || quote_literal(code)::tsquery;
        END IF;
        CONTINUE WHEN numnode(one) = 0;
        -- Each word is expanded once, by what the rows of its forms say.
        FOR also IN SELECT substitute FROM search.synonym
            WHERE language = configured AND target = phraseto_tsquery(config, coalesce(part[2], part[3]))
            ORDER BY term LOOP
            one := one || also;
        END LOOP;
        IF part[1] = '-' THEN
            always := always && !!one;
        ELSE
            needed := needed && one;
            words := words || ' ' || coalesce(part[2], part[3]);
            IF part[2] IS NULL THEN
                partly := partly || one;
            ELSE
                always := always && one;
            END IF;
        END IF;
    END LOOP;
    kind := array_to_string(tsvector_to_array(to_tsvector(config, words)), ' ');
    code := search.code(typed);
    IF numnode(always) = 0 AND typed ~ '\d' AND length(code) BETWEEN 3 AND 60 THEN
        codes := quote_literal(code)::tsquery;
        needed := needed || codes;
    END IF;
    IF numnode(needed) > 0 THEN
        IF numnode(always) > 0 THEN
            needed := needed && always;
            partly := CASE WHEN numnode(partly) > 0 THEN partly && always ELSE needed END;
        END IF;
    END IF;
END
$$;
