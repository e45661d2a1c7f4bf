-- What someone means to buy.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA cart;

CREATE TABLE cart.cart (
    id uuid NOT NULL CONSTRAINT cart_pkey PRIMARY KEY,
    token_hash bytea,
    customer_id uuid,
    status text NOT NULL DEFAULT 'open' CONSTRAINT cart_status CHECK (status IN ('open', 'ordered')),
    currency text NOT NULL,
    email text,
    address jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT cart_owner CHECK ((token_hash IS NULL) <> (customer_id IS NULL))
);
CREATE UNIQUE INDEX cart_customer ON cart.cart (customer_id) WHERE status = 'open';
CREATE INDEX cart_expires_at ON cart.cart (expires_at) WHERE status = 'open';

CREATE TABLE cart.line (
    id uuid NOT NULL CONSTRAINT line_pkey PRIMARY KEY,
    cart_id uuid NOT NULL CONSTRAINT line_cart_fkey REFERENCES cart.cart (id) ON DELETE CASCADE,
    variant_id uuid NOT NULL,
    quantity integer NOT NULL CONSTRAINT line_quantity CHECK (quantity BETWEEN 1 AND 999),
    unit_price bigint NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX line_cart_variant ON cart.line (cart_id, variant_id);

-- A statement that waited for the lock of a cart still sees the lines of before. A volatile function takes a snapshot
-- of its own, so these two, called for a cart that is locked, see what was committed meanwhile.
CREATE FUNCTION cart.lines_of(in_cart uuid)
RETURNS TABLE (variant_id uuid, quantity integer, added_at timestamptz, id uuid) LANGUAGE sql VOLATILE AS $$
    SELECT l.variant_id, l.quantity, l.added_at, l.id FROM cart.line AS l WHERE l.cart_id = in_cart
$$;

CREATE FUNCTION cart.room_for(in_cart uuid, in_variant uuid)
RETURNS TABLE (has integer, others bigint) LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(l.quantity) FILTER (WHERE l.variant_id = in_variant), 0)::integer,
        count(*) FILTER (WHERE l.variant_id <> in_variant)
    FROM cart.line AS l WHERE l.cart_id = in_cart
$$;
