"""R17: hostile text into every parameter and field of every operation, and JSON that breaks parsers."""

from __future__ import annotations

import asyncio
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote, urlencode

from tfmshop.platform import codec, ids
from torture.client import Answer, Client
from torture.report import Report
from torture.shop import Shop

DATA = Path(__file__).parents[2] / "shared" / "data" / "hostile"
STRINGS = 120
"""Of some thousand; each seed draws its own."""
AT_ONCE = 16
SLOW_SECONDS = 1.0
Case = tuple[str, str, str, dict[str, str], object]
"""What is tried, method, path, headers, body."""


async def everywhere(shop: Shop, report: Report, seed: int, part: int) -> None:
    """No string makes an error of ours or takes long, wherever it is put."""
    if not DATA.is_dir():
        print(" R17  skipped: the hostile data (../shared/data/hostile) is not here", flush=True)
        return
    draw = random.Random(seed)
    strings = draw.sample(_strings(), STRINGS // part)
    people = {role: await shop.signed_in(role) for role in ("admin", "customer")}
    async with shop.client(AT_ONCE) as client:
        document = (await client.send("/openapi.json", b"", {}, "GET", base="")).json()
        tried, wrong, slow, unnamed = 0, [], [], []

        async def one(case: Case) -> None:
            name, method, path, headers, body = case
            started = perf_counter()
            answer = await client.send(path, b"" if body is None else _json(body), headers, method, base="")
            seconds = perf_counter() - started
            nonlocal tried
            tried += 1
            if answer.status >= 500:
                wrong.append((name, answer.kind, headers.get("X-Tried", "")[:60]))
            if seconds > SLOW_SECONDS:
                slow.append((name, round(seconds, 2)))
            if 400 <= answer.status < 500 and method != "HEAD" and not _named(answer):
                unnamed.append((name, answer.status))

        cases = cases_of(document, strings, people)
        await asyncio.gather(*[_drain(cases, one) for _ in range(AT_ONCE)])
        operations = sum(len(of) for of in document["paths"].values())
        report.at_least("R17", "operations tried", operations, 100)
        report.at_least("R17", "requests", tried, 10_000 // part)
        for found in (*wrong[:5], *slow[:5], *unnamed[:5]):
            print("     ", found, flush=True)
        report.exactly("R17", "answers of 500 and above", len(wrong), 0)
        report.exactly("R17", "answers after more than a second", len(slow), 0)
        report.exactly("R17", "refusals without a code", len(unnamed), 0)
        await _documents(client, report)


async def _drain(cases: Iterator[Case], one: Any) -> None:
    for case in cases:
        await one(case)


async def _documents(client: Client, report: Report) -> None:
    """JSONTestSuite: what is no JSON is refused as such, what is some is never an error of ours."""
    taken = broken = 0
    with tarfile.open(DATA / "jsontestsuite_test_parsing.tar.xz") as archive:
        files = [one for one in archive.getmembers() if one.isfile() and one.name.endswith(".json")]
        for file in files:
            content = archive.extractfile(file)
            assert content is not None
            answer = await client.send("/api/v1/auth/forgot-password", content.read(), {}, "POST", base="")
            name = Path(file.name).name
            taken += name.startswith("n_") and answer.status not in (400, 422)
            broken += answer.status >= 500
    report.at_least("R17", "JSON documents", len(files), 300)
    report.exactly("R17", "documents that are no JSON and were taken", taken, 0)
    report.exactly("R17", "documents that broke something", broken, 0)


def _named(answer: Answer) -> bool:
    try:
        return bool(answer.json()["code"])
    except (codec.Malformed, KeyError, TypeError):
        return False


def _strings() -> list[str]:
    texts = [text for text in json.loads((DATA / "blns.json").read_text()) if text]
    for file in sorted((DATA / "payloads").glob("*.txt")):
        texts += [line for line in file.read_text(errors="replace").splitlines() if line]
    return [text[:1000] for text in texts]


def _json(body: object) -> bytes:
    return json.dumps(body).encode("utf-8", "replace")


def cases_of(document: dict[str, Any], strings: list[str], people: dict[str, dict[str, str]]) -> Iterator[Case]:
    """Every text in every place of every operation: parameters, and the fields of bodies."""
    shapes = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            staff = "/admin/" in path
            who = people["admin" if staff else "customer"]
            if method == "delete" and path.endswith("/sessions"):
                continue
            places = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            whole = _example(body["schema"], shapes) if body else None
            fields = list(whole) if isinstance(whole, dict) else []
            for text in strings:
                for place in [*places, *[("body", field) for field in fields]]:
                    name = f"{method.upper()} {path} {place[0]} {place[1]}"
                    yield (name, *_filled(method, path, operation, whole, place, text, who))


def _filled(
    method: str, path: str, operation: dict[str, Any], whole: Any, place: tuple[str, str], text: str,
    who: dict[str, str],
) -> tuple[str, str, dict[str, str], object]:  # fmt: skip
    headers, query, body = dict(who), {}, whole
    headers["Idempotency-Key"] = ids.token()
    for one in operation.get("parameters", []):
        value = text if place == (one["in"], one["name"]) else "x"
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(value.encode("utf-8", "surrogatepass"), safe=""))
        elif place == (one["in"], one["name"]):
            if one["in"] == "query":
                query[one["name"]] = value
            else:
                headers[one["name"]] = "".join(c for c in value if " " <= c <= "~")
    if place[0] == "body":
        body = whole | {place[1]: text}
    address = f"{path}?{urlencode(query, errors='surrogatepass')}" if query else path
    return method.upper(), address, headers, body


def _example(schema: dict[str, Any], shapes: dict[str, Any], depth: int = 0) -> Any:
    """A value that a schema allows, as simple as can be; fields that may be left out, too, so that they are tried."""
    if "$ref" in schema:
        return _example(shapes[schema["$ref"].rpartition("/")[2]], shapes, depth + 1)
    for way in ("anyOf", "oneOf"):
        if way in schema and "type" not in schema:
            return _example(next((one for one in schema[way] if one.get("type") != "null"), {}), shapes, depth)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        wanted = schema.get("properties", {}) if depth < 4 else {}
        return {name: _example(one, shapes, depth + 1) for name, one in wanted.items()}
    if kind == "array":
        return [_example(schema.get("items", {}), shapes, depth + 1)] if schema.get("minItems") else []
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return False
    if schema.get("format") == "uuid":
        return str(ids.new())
    return "x" * max(1, schema.get("minLength", 1))
