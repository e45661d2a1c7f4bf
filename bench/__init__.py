"""Measurements: each is a ratio against a floor, taken side by side in one run."""
