"""Redis, and later the levels of caching above it."""
