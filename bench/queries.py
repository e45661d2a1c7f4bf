"""Queries that people type, on a real catalogue, before and after: plain full text against our search.

Before: `ts_rank_cd` over title, model, brand, description and specifications, every word needed, English stems.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from datetime import UTC, datetime
from typing import Any

from bench.harness import BIN, RESULTS, scratch_home
from bench.p10 import DATA, MAPPING
from tfmshop.commerce import search
from tfmshop.config import read
from tfmshop.platform.db import Options, Query, connect
from tfmshop.platform.embedded import running

BEFORE = Query(
    "bench.before",
    """
WITH words AS (
    SELECT f.id, f.title, setweight(to_tsvector('english', f.title), 'A')
        || setweight(to_tsvector('simple', coalesce(f.model, '') || ' ' || f.sku), 'A')
        || setweight(to_tsvector('simple', coalesce(f.brand, '')), 'B')
        || setweight(to_tsvector('english', left(f.description, 20000)), 'C')
        || setweight(jsonb_to_tsvector('english', f.specifications, '["string"]'), 'D') AS words
    FROM catalog.findable AS f
)
SELECT title, count(*) OVER () FROM words, websearch_to_tsquery('english', $1) AS q WHERE words @@ q
ORDER BY ts_rank_cd(words, q) DESC, id DESC LIMIT 1
""",
)
KINDS = {
    "misspelt": ("samsng monitor", "keybord", "projektor", "logitek mouse", "note book", "harddrive"),
    "plural": ("laptops", "mice", "batteries", "memory cards"),
    "unit": ("1tb hard drive", "1 TB hard drive", '15.6" notebook', "15.6 inch notebook", "16gb memory", "500 gb ssd"),
    "model number": ("ce285a", "CE-285A", "g55mdde32f", "006r90321", "wh 1000xm3"),
    "synonym (telly -> television, tv; notebook -> laptop)": ("telly", "notebook sleeve"),
    "phrase, exclusion, prefix": ('"docking station"', "mouse -pad -wireless", "calcul*"),
    "two words of three": ("red gaming chair", "xerox toner umbrella"),
}


def run(**_: object) -> bool:
    """Ask every query both ways and keep the table."""
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        url = config.text("DATABASE_URL")
        environment = {"DATABASE_URL": url, "REDIS_URL": config.text("REDIS_URL"), "TFMSHOP_HOME": str(home)}
        command = [BIN / "tfmshop", "catalog", "import", DATA / "icecat_products.jsonl.xz", "--mapping", MAPPING]
        subprocess.run(command, check=True, env={**os.environ, **environment}, capture_output=True)
        rows = asyncio.run(_rows(url))
    table = "\n".join([
        "# Queries on the Icecat catalogue (19,406 products), before and after", "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Before: ts_rank_cd over the same fields, every word needed.", "",
        "| kind | query | before: hits, first | after: hits, first | corrected |", "|---|---|---|---|---|", *rows, "",
    ])  # fmt: skip
    print(table)
    (RESULTS / "queries.md").write_text(table)
    return True


async def _rows(url: str) -> list[str]:
    db = await connect(url, Options(statement_seconds=60, bulk=True))
    rows = []
    async with db.read() as tx:
        await search.set_synonym(tx, "telly", ["television", "tv"])
        await search.set_synonym(tx, "notebook", ["laptop"])
        for kind, queries in KINDS.items():
            for query in queries:
                old = await tx.row(BEFORE, query)
                new = await search.find(tx, search.Wanted(q=query))
                corrected = new.corrected if isinstance(new.corrected, str) else ""
                first = new.items[0].title if new.items else None
                rows.append(f"| {kind} | `{query}` | {_cell(old and old[1], old and old[0])} "
                            f"| {_cell(new.total, first)} | {corrected} |")  # fmt: skip
    await db.close()
    return rows


def _cell(hits: Any, title: str | None) -> str:
    return f"{hits}, {title[:60].replace('|', '/')}" if title else "0"
