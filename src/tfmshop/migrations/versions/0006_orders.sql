-- What was bought. A line keeps its title and price: an order never changes because a product did.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA orders;

CREATE TABLE orders.placed (
    id uuid NOT NULL CONSTRAINT placed_pkey PRIMARY KEY,
    number text NOT NULL,
    cart_id uuid,
    customer_id uuid,
    token_hash bytea,
    status text NOT NULL CONSTRAINT placed_status
        CHECK (status IN ('placed', 'paid', 'packed', 'shipped', 'delivered', 'cancelled', 'refunded')),
    payment_status text NOT NULL CONSTRAINT placed_payment_status
        CHECK (payment_status IN ('pending', 'authorized', 'declined', 'voided', 'refunded')),
    payment_provider text NOT NULL,
    payment_reference text,
    currency text NOT NULL,
    subtotal bigint NOT NULL CONSTRAINT placed_subtotal CHECK (subtotal >= 0),
    discount bigint NOT NULL DEFAULT 0 CONSTRAINT placed_discount CHECK (discount >= 0),
    shipping bigint NOT NULL DEFAULT 0 CONSTRAINT placed_shipping CHECK (shipping >= 0),
    tax bigint NOT NULL DEFAULT 0 CONSTRAINT placed_tax CHECK (tax >= 0),
    total bigint NOT NULL,
    email text NOT NULL,
    address jsonb NOT NULL,
    counted boolean NOT NULL DEFAULT false,
    placed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT placed_total CHECK (total = subtotal - discount + shipping + tax)
);
CREATE UNIQUE INDEX placed_number ON orders.placed (number);
-- One live order a cart: a declined payment cancels its order and frees the cart for another try.
CREATE UNIQUE INDEX placed_cart ON orders.placed (cart_id) WHERE status <> 'cancelled';
CREATE INDEX placed_customer ON orders.placed (customer_id, placed_at DESC, id DESC);
CREATE INDEX placed_customer_status ON orders.placed (customer_id, status, placed_at DESC, id DESC);
CREATE INDEX placed_status_at ON orders.placed (status, placed_at DESC, id DESC);
CREATE INDEX placed_at_id ON orders.placed (placed_at DESC, id DESC);

CREATE TABLE orders.line (
    order_id uuid NOT NULL CONSTRAINT order_line_order_fkey REFERENCES orders.placed (id),
    position integer NOT NULL,
    product_id uuid NOT NULL,
    variant_id uuid NOT NULL,
    sku text NOT NULL,
    title text NOT NULL,
    quantity integer NOT NULL CONSTRAINT order_line_quantity CHECK (quantity > 0),
    unit_price bigint NOT NULL CONSTRAINT order_line_price CHECK (unit_price >= 0),
    total bigint NOT NULL,
    CONSTRAINT order_line_pkey PRIMARY KEY (order_id, position),
    CONSTRAINT order_line_total CHECK (total = unit_price * quantity)
);

CREATE TABLE orders.history (
    order_id uuid NOT NULL CONSTRAINT history_order_fkey REFERENCES orders.placed (id),
    at timestamptz NOT NULL,
    status text NOT NULL,
    who text NOT NULL,
    why text NOT NULL DEFAULT '',
    CONSTRAINT history_pkey PRIMARY KEY (order_id, at, status)
);

-- For other modules: what was bought in which order.
CREATE VIEW orders.bought AS
SELECT o.id AS order_id, o.number, o.cart_id, o.status, l.variant_id, sum(l.quantity)::bigint AS quantity
FROM orders.placed AS o JOIN orders.line AS l ON l.order_id = o.id
GROUP BY o.id, l.variant_id;
