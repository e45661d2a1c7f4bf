-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid
-- What was sent of each order: parcels with their tracking, and how many units of each line are on their way.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE orders.placed
    DROP CONSTRAINT placed_status,
    ADD CONSTRAINT placed_status CHECK (status IN (
        'placed', 'paid', 'packed', 'partially_shipped', 'shipped', 'delivered', 'cancelled', 'refunded'
    ));

-- The database refuses to send more than was bought.
ALTER TABLE orders.line
    ADD COLUMN shipped integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT order_line_shipped CHECK (shipped BETWEEN 0 AND quantity);

CREATE TABLE orders.shipment (
    order_id uuid NOT NULL CONSTRAINT shipment_order_fkey REFERENCES orders.placed (id),
    id uuid NOT NULL,
    carrier text NOT NULL,
    tracking text NOT NULL,
    who text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT shipment_pkey PRIMARY KEY (order_id, id)
);

CREATE TABLE orders.shipped (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    position integer NOT NULL,
    quantity integer NOT NULL CONSTRAINT shipped_quantity CHECK (quantity > 0),
    CONSTRAINT shipped_pkey PRIMARY KEY (order_id, shipment_id, position),
    CONSTRAINT shipped_shipment_fkey FOREIGN KEY (order_id, shipment_id) REFERENCES orders.shipment (order_id, id),
    CONSTRAINT shipped_line_fkey FOREIGN KEY (order_id, position) REFERENCES orders.line (order_id, position)
);
