"""Races, cut sockets and kills against a real shop, worst of several seeds (RELIABILITY figures)."""
