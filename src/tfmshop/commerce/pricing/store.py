"""Every statement about taxes and shipping."""

from tfmshop.platform.db import Query

SET_RATE = Query(
    "pricing.set_rate",
    """
INSERT INTO pricing.tax_rate (country, region, tax_class, rate, name, included) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (country, region, tax_class) DO UPDATE SET rate = excluded.rate, name = excluded.name,
    included = excluded.included
""",
)

DROP_RATE = Query(
    "pricing.drop_rate", "DELETE FROM pricing.tax_rate WHERE country = $1 AND region = $2 AND tax_class = $3"
)

RATES = Query("pricing.list_rates", "SELECT rate::text FROM pricing.rates ORDER BY country, rate->>'region'")

SET_METHOD = Query(
    "pricing.set_method",
    """
INSERT INTO pricing.shipping_method (code, name, priced_by, steps, currency, countries, free_from, heaviest_g,
    tax_class, position)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, priced_by = excluded.priced_by, steps = excluded.steps,
    currency = excluded.currency, countries = excluded.countries, free_from = excluded.free_from,
    heaviest_g = excluded.heaviest_g, tax_class = excluded.tax_class, position = excluded.position
""",
)

DROP_METHOD = Query("pricing.drop_method", "DELETE FROM pricing.shipping_method WHERE code = $1")

METHODS = Query("pricing.list_methods", "SELECT method::text FROM pricing.methods ORDER BY position, code")
