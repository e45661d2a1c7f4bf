"""What each statement would touch if PostgreSQL were spread over machines, as docs/beyond.md has it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

import tfmshop
from tests.shape.test_docs import DOCS
from tfmshop import app  # noqa: F401 - registers every statement
from tfmshop.platform.db.query import FAMILIES, QUERIES
from tfmshop.surface.cli import main  # noqa: F401 - the same

BY_BUYER = re.compile(
    r"^(cart|orders|payments)\.|^promotions\.(redemption|customer_use)$|^platform\.idempotency_key$|^news\.letter$"
    r"|^accounts\.(?!role$)"
)
"""Tables that would lie with a buyer: a customer, or a guest's cart."""
BY_VARIANT = re.compile(r"^inventory\.(?!warehouse$)")
"""Tables that would lie with a variant. All others are small or seldom written, and would be on every machine."""
KEYED = re.compile(r"\b(customer_id|c\.id|p\.id|id) = (ANY\()?\$\d|customer_id = \w+\.customer_id")
NAME = re.compile(r"\b([a-z]+)\.([a-z_]+)\b(?!\()")
NOT_SERVED = re.compile(r"\.(truth|copy)_|\.analyze$|^platform\.(empty|explain)")
"""Statements that look over everything on purpose, by the clock or for an operator."""
OURS = {path.name for path in (Path(tfmshop.__file__).parent / "commerce").iterdir()} | {"platform", "jobs"}
"""What begins the names of statements about the shop's data, and not about the server."""


@pytest.fixture(scope="module")
async def relations(database_url):
    """Every table and view, with the tables that it is made of."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname AS name, c.relkind = 'v' AS view,"
        " CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) ELSE '' END AS text"
        " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname !~ '^pg_|^information_schema$'"
    )
    await connection.close()
    known = {row["name"]: row for row in rows}

    def tables(text: str) -> set[str]:
        found = {f"{schema}.{name}" for schema, name in NAME.findall(text)} & known.keys()
        return {one for name in found for one in (tables(known[name]["text"]) if known[name]["view"] else {name})}

    return tables


def statements() -> dict[str, str]:
    """Every statement that somebody waits for, and of each family the first."""
    found = {name: query.sql for name, query in QUERIES.items()}
    found |= {name: family.of(next(iter(family.shapes()))).sql for name, family in FAMILIES.items()}
    return {name: sql for name, sql in found.items() if name.partition(".")[0] in OURS and not NOT_SERVED.search(name)}


def kind(sql: str, tables: set[str]) -> str:
    """Where a statement would run."""
    buyer, variant = (any(which.search(table) for table in tables) for which in (BY_BUYER, BY_VARIANT))
    if buyer and variant:
        return "between"
    if not buyer and not variant:
        return "anywhere"
    if variant:
        return "by variant"
    return "by buyer" if KEYED.search(sql) or sql.lstrip().startswith("INSERT INTO") else "without a buyer"


def test_the_document_says_where_each_statement_would_run(relations):
    kinds = {name: kind(sql, relations(sql)) for name, sql in statements().items()}
    text = (DOCS / "beyond.md").read_text()
    told = dict(
        re.findall(r"^\| (anywhere|by buyer|by variant|without a buyer|between) \| (\d+) \|", text, re.MULTILINE)
    )
    assert {name: int(count) for name, count in told.items()} == Counter(kinds.values())
    for which in ("between", "without a buyer"):
        listed = re.search(rf"^<!-- {which} -->\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
        assert sorted(re.findall(r"`(.+?)`", listed[1])) == sorted(name for name in kinds if kinds[name] == which)
