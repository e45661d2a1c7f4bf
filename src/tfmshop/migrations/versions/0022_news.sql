-- What happened in the shop, and what the world is told of it: letters to buyers, webhooks to other programs.
-- Nothing was released before this revision, so the index is made while nobody is served:
-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- What happened, written in the transaction of the change, until it is spread. News of one subject keeps its order:
-- whoever changes a thing holds its row, so its numbers rise as its changes were made.
CREATE TABLE jobs.event (
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT event_pkey PRIMARY KEY,
    topic text NOT NULL,
    subject uuid NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_subject ON jobs.event (subject, number);

CREATE FUNCTION jobs.publish(in_topic text, in_subject uuid, in_data jsonb) RETURNS bigint LANGUAGE sql AS $$
    WITH happened AS (
        INSERT INTO jobs.event (topic, subject, data) VALUES (in_topic, in_subject, in_data) RETURNING subject
    )
    SELECT jobs.enqueue('news.spread', convert_to(to_json(subject)::text, 'UTF8')) FROM happened
$$;

CREATE SCHEMA news;

-- A program that wants to be told.
CREATE TABLE news.endpoint (
    id uuid NOT NULL CONSTRAINT endpoint_pkey PRIMARY KEY,
    url text NOT NULL,
    -- Topics it wants; none: all of them.
    topics text[] NOT NULL,
    secret bytea NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);

-- What was told; kept so that it can be told again.
CREATE TABLE news.event (
    number bigint NOT NULL CONSTRAINT news_event_pkey PRIMARY KEY,
    topic text NOT NULL,
    subject uuid NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX news_event_at ON news.event (at);

CREATE TABLE news.delivery (
    endpoint_id uuid NOT NULL CONSTRAINT delivery_endpoint_fkey REFERENCES news.endpoint (id) ON DELETE CASCADE,
    event_number bigint NOT NULL CONSTRAINT delivery_event_fkey REFERENCES news.event (number) ON DELETE CASCADE,
    subject uuid NOT NULL,
    status text NOT NULL DEFAULT 'waiting'
    CONSTRAINT delivery_status CHECK (status IN ('waiting', 'delivered', 'given_up')),
    attempts integer NOT NULL DEFAULT 0,
    -- Somebody is delivering it until then.
    leased_until timestamptz,
    answer text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL,
    CONSTRAINT delivery_pkey PRIMARY KEY (event_number, endpoint_id)
);
CREATE INDEX delivery_waiting ON news.delivery (endpoint_id, subject, event_number) WHERE status = 'waiting';

-- A letter to somebody, once for each reason.
CREATE TABLE news.letter (
    reason text NOT NULL CONSTRAINT letter_pkey PRIMARY KEY,
    kind text NOT NULL,
    recipient text NOT NULL,
    subject uuid NOT NULL,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    -- Why no mail server will ever take it.
    answer text NOT NULL DEFAULT ''
);

-- Buyers are reminded once of a cart that they left.
ALTER TABLE cart.cart ADD COLUMN reminded_at timestamptz;
CREATE INDEX cart_left ON cart.cart (updated_at)
WHERE status = 'open' AND reminded_at IS NULL AND email IS NOT NULL;

-- Every row of the shop, every job and all news, but not how it is set up: warehouses, taxes, shipping, synonyms and
-- webhooks stay.
CREATE OR REPLACE FUNCTION platform.empty_shop() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ')
        FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'public', 'jobs', 'pricing')
            AND (schemaname, tablename) NOT IN (
                ('search', 'state'), ('search', 'synonym'), ('inventory', 'warehouse'), ('news', 'endpoint'))
    );
    DELETE FROM jobs.pgqueuer;
    DELETE FROM jobs.event;
    UPDATE search.state SET tier_open = true, learnt_at = NULL, learnt_changes = 0;
END
$$;
