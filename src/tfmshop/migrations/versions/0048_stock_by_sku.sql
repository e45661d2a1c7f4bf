SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- A level goes by the SKU that its variant has now, however that was changed.
CREATE FUNCTION inventory.rename_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE inventory.stock SET sku = NEW.sku WHERE variant_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER variant_renamed AFTER UPDATE OF sku ON catalog.variant FOR EACH ROW
    WHEN (OLD.sku <> NEW.sku) EXECUTE FUNCTION inventory.rename_stock();
