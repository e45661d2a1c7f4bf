-- How many we have. The CHECK is the guard against selling more than we own.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA inventory;

CREATE TABLE inventory.stock (
    variant_id uuid NOT NULL CONSTRAINT stock_pkey PRIMARY KEY,
    product_id uuid NOT NULL,
    sku text NOT NULL,
    available bigint NOT NULL CONSTRAINT stock_not_negative CHECK (available >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stock_variant_fkey FOREIGN KEY (variant_id) REFERENCES catalog.variant (id) ON DELETE CASCADE
) WITH (fillfactor = 80);
CREATE INDEX stock_product ON inventory.stock (product_id);
CREATE INDEX stock_available ON inventory.stock (available, sku);

-- Every change of stock and its reason: initial = available - sum(delta) holds for each variant.
CREATE TABLE inventory.movement (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT movement_pkey PRIMARY KEY,
    variant_id uuid NOT NULL,
    delta bigint NOT NULL,
    reason text NOT NULL CONSTRAINT movement_reason CHECK (reason IN ('set', 'sold', 'returned')),
    order_id uuid,
    at timestamptz NOT NULL DEFAULT now()
);

-- For other modules: what is free to sell.
CREATE VIEW inventory.availability AS SELECT variant_id, product_id, available FROM inventory.stock;

-- For other modules: what each order took, less what it gave back.
CREATE VIEW inventory.taken AS
SELECT order_id, variant_id, -sum(delta)::bigint AS quantity
FROM inventory.movement WHERE order_id IS NOT NULL GROUP BY order_id, variant_id;
