-- squawk-ignore-file ban-drop-constraint, adding-serial-primary-key-field, ban-drop-view
-- squawk-ignore-file adding-foreign-key-constraint
-- squawk-ignore-file disallowed-unique-constraint
-- squawk-ignore-file constraint-missing-not-valid
-- squawk-ignore-file require-concurrent-index-deletion
-- squawk-ignore-file require-concurrent-index-creation
-- squawk-ignore-file ban-drop-column
-- Stock per variant and warehouse, reservations that expire, units that may be owed, and what runs low.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '300s';

CREATE TABLE inventory.warehouse (
    code text NOT NULL CONSTRAINT warehouse_pkey PRIMARY KEY,
    name text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    CONSTRAINT warehouse_code CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,29}$')
);
COMMENT ON COLUMN inventory.warehouse.priority IS 'The warehouse with the lowest number gives first.';
INSERT INTO inventory.warehouse (code, name) VALUES ('main', 'Main warehouse');

-- Available may fall below none only as far as the shop chose to owe.
ALTER TABLE inventory.stock
    ADD COLUMN warehouse text NOT NULL DEFAULT 'main',
    ADD COLUMN backorder_limit bigint NOT NULL DEFAULT 0,
    ADD COLUMN low_at bigint NOT NULL DEFAULT 5,
    DROP CONSTRAINT stock_pkey,
    ADD CONSTRAINT stock_pkey PRIMARY KEY (variant_id, warehouse),
    ADD CONSTRAINT stock_warehouse_fkey FOREIGN KEY (warehouse) REFERENCES inventory.warehouse (code),
    DROP CONSTRAINT stock_not_negative,
    ADD CONSTRAINT stock_not_negative CHECK (backorder_limit >= 0 AND available >= -backorder_limit);
COMMENT ON COLUMN inventory.stock.available IS 'Units free to sell: neither sold nor reserved.';
COMMENT ON COLUMN inventory.stock.low_at IS 'Staff are told when so few units are left.';
-- Without an index on it, a change of available touches no index at all.
DROP INDEX inventory.stock_available;

-- Units held for a cart: available + reserved = sum of the movements, for each variant and warehouse.
CREATE TABLE inventory.reservation (
    variant_id uuid NOT NULL,
    warehouse text NOT NULL,
    cart_id uuid NOT NULL,
    quantity bigint NOT NULL CONSTRAINT reservation_positive CHECK (quantity > 0),
    expires_at timestamptz NOT NULL,
    CONSTRAINT reservation_pkey PRIMARY KEY (variant_id, warehouse, cart_id),
    CONSTRAINT reservation_stock_fkey FOREIGN KEY (variant_id, warehouse)
    REFERENCES inventory.stock (variant_id, warehouse) ON DELETE CASCADE
);
CREATE INDEX reservation_cart ON inventory.reservation (cart_id);
CREATE INDEX reservation_expiry ON inventory.reservation (expires_at);

ALTER TABLE inventory.movement
    ADD COLUMN warehouse text NOT NULL DEFAULT 'main',
    DROP CONSTRAINT movement_reason,
    ADD CONSTRAINT movement_reason CHECK (reason IN ('set', 'sold', 'returned', 'moved'));
CREATE INDEX movement_order ON inventory.movement (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX movement_variant ON inventory.movement (variant_id, id);

-- What runs low, since when, and whether staff were told.
CREATE TABLE inventory.low (
    variant_id uuid NOT NULL,
    warehouse text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    told boolean NOT NULL DEFAULT false,
    CONSTRAINT low_pkey PRIMARY KEY (variant_id, warehouse),
    CONSTRAINT low_stock_fkey FOREIGN KEY (variant_id, warehouse)
    REFERENCES inventory.stock (variant_id, warehouse) ON DELETE CASCADE
);
CREATE INDEX low_untold ON inventory.low (since) WHERE NOT told;

CREATE FUNCTION inventory.note_low() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.available <= NEW.low_at THEN
        INSERT INTO inventory.low (variant_id, warehouse) VALUES (NEW.variant_id, NEW.warehouse)
        ON CONFLICT (variant_id, warehouse) DO NOTHING;
    ELSE
        DELETE FROM inventory.low WHERE variant_id = NEW.variant_id AND warehouse = NEW.warehouse;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stock_became_low AFTER UPDATE ON inventory.stock FOR EACH ROW
WHEN ((OLD.available <= OLD.low_at) IS DISTINCT FROM (NEW.available <= NEW.low_at))
EXECUTE FUNCTION inventory.note_low();
CREATE TRIGGER stock_starts_low AFTER INSERT ON inventory.stock FOR EACH ROW
WHEN (NEW.available <= NEW.low_at) EXECUTE FUNCTION inventory.note_low();
INSERT INTO inventory.low (variant_id, warehouse, told)
SELECT variant_id, warehouse, true FROM inventory.stock WHERE available <= low_at;

-- For other modules: the units that a cart (or, with NULL, anybody) can buy of a variant.
DROP VIEW inventory.availability;
CREATE FUNCTION inventory.available_to(of_variant uuid, in_cart uuid)
RETURNS TABLE (available bigint) LANGUAGE sql STABLE AS $$
    SELECT (coalesce((SELECT sum(s.available + s.backorder_limit) FROM inventory.stock AS s
            WHERE s.variant_id = of_variant), 0)
        + coalesce((SELECT sum(r.quantity) FROM inventory.reservation AS r
            WHERE r.cart_id = in_cart AND r.variant_id = of_variant), 0))::bigint
$$;

-- For other modules: until when a cart holds what it holds.
CREATE VIEW inventory.held AS SELECT cart_id, min(expires_at) AS until FROM inventory.reservation GROUP BY cart_id;

-- For other modules: levels as files carry them.
CREATE VIEW inventory.main_level AS
SELECT variant_id, product_id, greatest(available, 0) AS available FROM inventory.stock WHERE warehouse = 'main';
