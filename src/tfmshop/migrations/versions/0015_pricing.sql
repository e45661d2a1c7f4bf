-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid
-- Taxes, shipping, offers; what they come to is kept with each order.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '300s';

CREATE SCHEMA pricing;

CREATE TABLE pricing.tax_rate (
    country text NOT NULL CONSTRAINT tax_rate_country CHECK (country ~ '^[A-Z]{2}$'),
    region text NOT NULL DEFAULT '',
    tax_class text NOT NULL DEFAULT 'standard',
    rate integer NOT NULL CONSTRAINT tax_rate_share CHECK (rate BETWEEN 0 AND 1000000),
    name text NOT NULL DEFAULT '',
    included boolean NOT NULL DEFAULT true,
    CONSTRAINT tax_rate_pkey PRIMARY KEY (country, region, tax_class)
);
COMMENT ON COLUMN pricing.tax_rate.rate IS 'Millionths: 200000 is 20 percent.';
COMMENT ON COLUMN pricing.tax_rate.included IS 'Whether the prices of the shop have it in them already.';

CREATE TABLE pricing.shipping_method (
    code text NOT NULL CONSTRAINT shipping_method_pkey PRIMARY KEY,
    name text NOT NULL,
    priced_by text NOT NULL CONSTRAINT shipping_method_by CHECK (priced_by IN ('flat', 'weight', 'total')),
    steps jsonb NOT NULL,
    currency text NOT NULL,
    countries text[] NOT NULL DEFAULT '{}',
    free_from bigint,
    heaviest_g bigint,
    tax_class text NOT NULL DEFAULT 'standard',
    position integer NOT NULL DEFAULT 0,
    CONSTRAINT shipping_method_code CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,29}$')
);

-- For other modules: rates and methods, each as its model reads it.
CREATE VIEW pricing.rates AS
SELECT country, json_build_object('country', country, 'region', region, 'tax_class', tax_class, 'rate', rate,
    'name', name, 'included', included) AS rate
FROM pricing.tax_rate;
CREATE VIEW pricing.methods AS
SELECT currency, position, code, json_build_object('code', code, 'name', name, 'by', priced_by, 'steps', steps,
    'currency', currency, 'countries', countries, 'free_from', free_from, 'heaviest_g', heaviest_g,
    'tax_class', tax_class) AS method
FROM pricing.shipping_method;

CREATE SCHEMA promotions;

CREATE TABLE promotions.offer (
    id uuid NOT NULL CONSTRAINT offer_pkey PRIMARY KEY,
    name text NOT NULL,
    code text,
    kind text NOT NULL CONSTRAINT offer_kind CHECK (kind IN ('percent', 'fixed', 'buy_get', 'free_shipping')),
    value bigint NOT NULL DEFAULT 0 CONSTRAINT offer_value CHECK (value >= 0 AND (kind = 'fixed' OR value <= 10000)),
    currency text,
    buy integer NOT NULL DEFAULT 0,
    get integer NOT NULL DEFAULT 0,
    products uuid[] NOT NULL DEFAULT '{}',
    categories uuid[] NOT NULL DEFAULT '{}',
    minimum bigint NOT NULL DEFAULT 0,
    starts_at timestamptz,
    ends_at timestamptz,
    max_uses bigint,
    max_uses_per_customer bigint,
    used bigint NOT NULL DEFAULT 0,
    stackable boolean NOT NULL DEFAULT true,
    priority integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT offer_buy_get CHECK (kind <> 'buy_get' OR (buy > 0 AND get > 0)),
    CONSTRAINT offer_fixed CHECK (kind <> 'fixed' OR currency IS NOT NULL),
    CONSTRAINT offer_not_overused CHECK (used >= 0 AND (max_uses IS NULL OR used <= max_uses))
);
COMMENT ON COLUMN promotions.offer.used IS 'Kept only where max_uses is set.';
CREATE UNIQUE INDEX offer_code ON promotions.offer (code);

-- How often each customer used an offer that is limited so.
CREATE TABLE promotions.customer_use (
    offer_id uuid NOT NULL CONSTRAINT customer_use_offer_fkey REFERENCES promotions.offer (id),
    who text NOT NULL,
    used bigint NOT NULL CONSTRAINT customer_use_used CHECK (used >= 0),
    CONSTRAINT customer_use_pkey PRIMARY KEY (offer_id, who)
);

-- Which orders used a limited offer, so that a cancelled one gives its use back.
CREATE TABLE promotions.redemption (
    order_id uuid NOT NULL,
    offer_id uuid NOT NULL CONSTRAINT redemption_offer_fkey REFERENCES promotions.offer (id),
    who text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT redemption_pkey PRIMARY KEY (order_id, offer_id)
);

-- For other modules: the offers that may hold now, each as the model reads it.
CREATE VIEW promotions.running AS
SELECT o.id, o.code, json_build_object('id', o.id, 'name', o.name, 'kind', o.kind, 'value', o.value,
    'currency', o.currency, 'code', o.code, 'buy', o.buy, 'get', o.get, 'products', o.products,
    'categories', o.categories, 'minimum', o.minimum, 'starts_at', o.starts_at, 'ends_at', o.ends_at,
    'max_uses', o.max_uses, 'max_uses_per_customer', o.max_uses_per_customer, 'used', o.used,
    'stackable', o.stackable, 'priority', o.priority) AS offer
FROM promotions.offer AS o WHERE o.ends_at IS NULL OR o.ends_at > now();
CREATE VIEW promotions.used AS SELECT offer_id, who, used FROM promotions.customer_use;
-- For truths: which orders hold a use of an offer.
CREATE VIEW promotions.redeemed AS SELECT order_id, offer_id FROM promotions.redemption;

ALTER TABLE catalog.product ADD COLUMN tax_class text NOT NULL DEFAULT 'standard';
CREATE OR REPLACE VIEW catalog.sellable AS
SELECT v.id AS variant_id, v.product_id, v.sku, p.slug, p.title, v.title AS variant_title, v.price, v.currency,
    p.image, v.position, p.tax_class, v.weight_g,
    (SELECT c.ancestors FROM catalog.category AS c WHERE c.id = p.category_id) AS categories
FROM catalog.variant AS v
JOIN catalog.product AS p ON p.id = v.product_id
WHERE p.status = 'active';

ALTER TABLE cart.cart ADD COLUMN coupon text, ADD COLUMN shipping_method text;

ALTER TABLE orders.placed
    ADD COLUMN tax_included bigint NOT NULL DEFAULT 0,
    ADD COLUMN shipping_method text,
    ADD COLUMN discounts jsonb NOT NULL DEFAULT '[]',
    DROP CONSTRAINT placed_total,
    ADD CONSTRAINT placed_total
    CHECK (tax_included BETWEEN 0 AND tax AND total = subtotal - discount + shipping + tax - tax_included);
COMMENT ON COLUMN orders.placed.tax_included IS 'The part of the tax that is in the prices already.';
ALTER TABLE orders.line
    ADD COLUMN discount bigint NOT NULL DEFAULT 0
    CONSTRAINT order_line_discount CHECK (discount BETWEEN 0 AND total),
    ADD COLUMN tax bigint NOT NULL DEFAULT 0 CONSTRAINT order_line_tax CHECK (tax >= 0);
