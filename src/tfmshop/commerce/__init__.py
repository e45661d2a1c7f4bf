"""The shop: nouns and verbs, no framework, no driver, no settings."""
