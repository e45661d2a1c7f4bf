-- What the shop sells.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA catalog;

CREATE TABLE catalog.category (
    id uuid NOT NULL CONSTRAINT category_pkey PRIMARY KEY,
    parent_id uuid CONSTRAINT category_parent_fkey REFERENCES catalog.category (id),
    slug text NOT NULL,
    name text NOT NULL,
    position integer NOT NULL DEFAULT 0,
    -- The ids from the root to this category, itself included: descendants are those that contain an id.
    ancestors uuid[] NOT NULL CONSTRAINT category_ancestors CHECK (ancestors[cardinality(ancestors)] = id)
);
CREATE UNIQUE INDEX category_slug ON catalog.category (slug);
CREATE INDEX category_ancestors_gin ON catalog.category USING gin (ancestors);
CREATE INDEX category_children ON catalog.category (parent_id, position, name);

CREATE TABLE catalog.brand (
    id uuid NOT NULL CONSTRAINT brand_pkey PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    -- The name as names are compared: two brands may share their letters and digits, such as C and C++.
    name_key text NOT NULL
);
CREATE UNIQUE INDEX brand_slug ON catalog.brand (slug);
CREATE UNIQUE INDEX brand_name_key ON catalog.brand (name_key);

CREATE TABLE catalog.product (
    id uuid NOT NULL CONSTRAINT product_pkey PRIMARY KEY,
    external_id text,
    slug text NOT NULL,
    title text NOT NULL,
    model text,
    description text NOT NULL DEFAULT '',
    brand_id uuid CONSTRAINT product_brand_fkey REFERENCES catalog.brand (id),
    category_id uuid CONSTRAINT product_category_fkey REFERENCES catalog.category (id),
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT product_status CHECK (status IN ('draft', 'active', 'archived')),
    sku text NOT NULL,
    price bigint NOT NULL CONSTRAINT product_price CHECK (price >= 0),
    compare_at_price bigint CONSTRAINT product_compare_at_price CHECK (compare_at_price > price),
    currency text NOT NULL CONSTRAINT product_currency CHECK (length(currency) = 3),
    rating real NOT NULL DEFAULT 0 CONSTRAINT product_rating CHECK (rating BETWEEN 0 AND 5),
    review_count integer NOT NULL DEFAULT 0,
    popularity bigint NOT NULL DEFAULT 0,
    in_stock boolean NOT NULL DEFAULT false,
    badge text,
    image text,
    tags text[] NOT NULL DEFAULT '{}',
    specifications jsonb NOT NULL DEFAULT '{}',
    published_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    search tsvector NOT NULL
);
CREATE UNIQUE INDEX product_slug ON catalog.product (slug);
CREATE UNIQUE INDEX product_external_id ON catalog.product (external_id);
CREATE INDEX product_sku ON catalog.product (sku) WHERE external_id IS NULL;
CREATE INDEX product_created_at ON catalog.product (created_at DESC, id DESC);
CREATE INDEX product_newest ON catalog.product (published_at DESC, id DESC) WHERE status = 'active';
CREATE INDEX product_by_price ON catalog.product (price, id) WHERE status = 'active';
CREATE INDEX product_by_rating ON catalog.product (rating DESC, id DESC) WHERE status = 'active';
CREATE INDEX product_by_title ON catalog.product (title, id) WHERE status = 'active';
CREATE INDEX product_by_popularity ON catalog.product (popularity DESC, id DESC) WHERE status = 'active';
CREATE INDEX product_stocked_newest ON catalog.product (published_at DESC, id DESC)
    WHERE status = 'active' AND in_stock;
CREATE INDEX product_category_newest ON catalog.product (category_id, published_at DESC, id DESC)
    WHERE status = 'active';
CREATE INDEX product_category_price ON catalog.product (category_id, price, id) WHERE status = 'active';
CREATE INDEX product_category_stock ON catalog.product (category_id, published_at DESC, id DESC)
    WHERE status = 'active' AND in_stock;
CREATE INDEX product_brand_newest ON catalog.product (brand_id, published_at DESC, id DESC) WHERE status = 'active';
CREATE INDEX product_brand_price ON catalog.product (brand_id, price, id) WHERE status = 'active';
CREATE INDEX product_tags ON catalog.product USING gin (tags) WHERE status = 'active';
CREATE INDEX product_specifications ON catalog.product USING gin (specifications jsonb_path_ops)
    WHERE status = 'active';
CREATE INDEX product_search ON catalog.product USING gin (search) WHERE status = 'active';
CREATE INDEX product_title_trigram ON catalog.product USING gin (title gin_trgm_ops) WHERE status = 'active';

CREATE TABLE catalog.variant (
    id uuid NOT NULL CONSTRAINT variant_pkey PRIMARY KEY,
    product_id uuid NOT NULL CONSTRAINT variant_product_fkey REFERENCES catalog.product (id) ON DELETE CASCADE,
    sku text NOT NULL,
    title text NOT NULL DEFAULT '',
    options jsonb NOT NULL DEFAULT '{}',
    price bigint NOT NULL CONSTRAINT variant_price CHECK (price >= 0),
    compare_at_price bigint CONSTRAINT variant_compare_at_price CHECK (compare_at_price > price),
    currency text NOT NULL CONSTRAINT variant_currency CHECK (length(currency) = 3),
    position integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX variant_sku ON catalog.variant (sku);
CREATE UNIQUE INDEX variant_position ON catalog.variant (product_id, position);

CREATE TABLE catalog.picture (
    id uuid NOT NULL CONSTRAINT picture_pkey PRIMARY KEY,
    product_id uuid NOT NULL CONSTRAINT picture_product_fkey REFERENCES catalog.product (id) ON DELETE CASCADE,
    url text NOT NULL,
    alt text NOT NULL DEFAULT '',
    position integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX picture_position ON catalog.picture (product_id, position);

-- Where COPY puts products that a statement then completes and moves to catalog.product.
CREATE UNLOGGED TABLE catalog.staged (
    batch uuid NOT NULL,
    id uuid NOT NULL,
    external_id text,
    slug text NOT NULL,
    title text NOT NULL,
    model text,
    description text NOT NULL,
    brand_id uuid,
    brand text,
    category_id uuid,
    sku text NOT NULL,
    price bigint NOT NULL,
    compare_at_price bigint,
    currency text NOT NULL,
    image text,
    tags text[] NOT NULL,
    specifications jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    rating real NOT NULL,
    review_count integer NOT NULL,
    popularity bigint NOT NULL,
    badge text,
    in_stock boolean NOT NULL
);
CREATE INDEX staged_batch ON catalog.staged (batch);

CREATE TABLE catalog.import_run (
    id uuid NOT NULL CONSTRAINT import_run_pkey PRIMARY KEY,
    fingerprint text NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE UNIQUE INDEX import_run_unfinished ON catalog.import_run (fingerprint) WHERE finished_at IS NULL;

-- The words of a product by weight: title, model and sku A, brand B, description C, specification values D.
CREATE FUNCTION catalog.search_words(
    title text, model text, sku text, brand text, description text, specifications jsonb
) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT setweight(to_tsvector('english', title), 'A')
        || setweight(to_tsvector('simple', coalesce(model, '') || ' ' || sku), 'A')
        || setweight(to_tsvector('simple', coalesce(brand, '')), 'B')
        || setweight(to_tsvector('english', left(description, 20000)), 'C')
        || setweight(jsonb_to_tsvector('english', specifications, '["string"]'), 'D')
$$;

-- For other modules: what can be bought now.
CREATE VIEW catalog.sellable AS
SELECT v.id AS variant_id, v.product_id, v.sku, p.slug, p.title, v.title AS variant_title, v.price, v.currency,
    p.image, v.position
FROM catalog.variant AS v
JOIN catalog.product AS p ON p.id = v.product_id
WHERE p.status = 'active';

-- For other modules: what can be found by words.
CREATE VIEW catalog.findable AS
SELECT p.id, p.external_id, p.slug, p.sku, p.title, b.name AS brand, p.description, p.price, p.compare_at_price,
    p.currency, p.rating, p.review_count, p.popularity, p.in_stock, p.image, p.badge, p.search
FROM catalog.product AS p
LEFT JOIN catalog.brand AS b ON b.id = p.brand_id
WHERE p.status = 'active';
