-- Orders of a shop that moves in, and what of an order came back.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- The customer as the old shop called them: cancellations are matched by it.
CREATE TABLE orders.moved_in (
    order_id uuid NOT NULL CONSTRAINT moved_in_pkey PRIMARY KEY
    CONSTRAINT moved_in_order_fkey REFERENCES orders.placed (id),
    customer text NOT NULL
);

-- `reference` is what says that it came back: the old shop's cancellation and its line.
CREATE TABLE orders.returned (
    reference text NOT NULL,
    order_id uuid NOT NULL,
    position integer NOT NULL,
    quantity integer NOT NULL CONSTRAINT returned_quantity CHECK (quantity > 0),
    amount bigint NOT NULL CONSTRAINT returned_amount CHECK (amount >= 0),
    at timestamptz NOT NULL,
    CONSTRAINT returned_pkey PRIMARY KEY (reference, order_id, position),
    CONSTRAINT returned_line_fkey FOREIGN KEY (order_id, position) REFERENCES orders.line (order_id, position)
);
CREATE INDEX returned_line ON orders.returned (order_id, position);
