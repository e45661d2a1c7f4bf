"""Requests out of the OpenAPI document: every operation that takes something, each of its values marked.

A mark is a `*` after the value. Ids and tokens are blanks, such as `zzcart_idzz`, which the sender fills in.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

API: Final = "/api/v1"
PASSWORD: Final = "correct horse 7"
BLANK: Final = re.compile(r"zz([a-z_]+?)zz")
_WORD: Final = re.compile(r"[^/?&=]*\*")
_PART: Final = re.compile(r"[^\s;=]*\*")
_VALUE: Final = re.compile(r'"[^"]*\*"|[\w.-]+\*')
"""What is marked: of a target, of a header, of a body."""
HIDDEN: Final = {"CSRF-Token": "Page-Tkn", "-Token": "-Tkn"}
"""Headers that sqlmap below level 4 leaves out as protection against CSRF, and what they are called instead."""
_PLACE: Final = b'["2036-01-01T00:00:00Z","019ad4a2-5218-7322-899e-e8c53e32a20b"]'


class Number(str):
    """A blank that will be a number: no quotes around it."""

    __slots__ = ()


VALUES: Final[dict[str, Any]] = {
    "q": "lamp", "category": "lighting", "brand": "Halden", "tag": "lamp", "facets": "brand,spec[colour]", "page": 1,
    "sort": "price", "min_price": 1, "max_price": 90_000_000, "currency": "USD", "country": "US", "before": 10**9,
    "email": "zzfreshzz@example.com", "password": PASSWORD, "old": PASSWORD, "new": "another horse 8", "code": "123456",
    "second_factor": "123456", "token": "A" * 48, "refresh_token": "zzrefresh_tokenzz", "cookies": False, "width": 320,
    "provider": "fake", "method": "post", "shipping_method": "post", "sku": "DEMO-001", "word": "approve", "amount": 1,
    "expected_total": {"amount": Number("zztotalzz"), "currency": "USD"}, "id_or_slug": "sand-arc-floor-lamp",
    "product": "sand-arc-floor-lamp", "slug": "zzfreshzz", "specifications": {"colour": "Sand"}, "term": "telly",
    "url": "http://127.0.0.1:9/zzfreshzz", "topics": ["order.return_refused"], "permissions": ["reviews"],
    "role": "customer", "key": "zzmediazz", "number": "zznumberzz", "numbers": ["zznumberzz"],
    "step": "pack", "code_or_id": "zzoffer_idzz", "warehouse": "main", "expected": None, "If-Match": '"zzversionzz"',
    "publish_at": "2026-01-01T00:00:00Z",
    "withdraw_at": "2036-01-01T00:00:00Z", "since": "2026-01-01T00:00:00Z", "Cart-Token": "zzcart_tokenzz",
    "cursor": base64.urlsafe_b64encode(_PLACE).rstrip(b"=").decode(), "Order-Token": "zzorder_tokenzz",
    "Idempotency-Key": "zzfreshzz", "tax_class": "standard",
}  # fmt: skip
"""Examples by name, good for the sample shop; others follow from the schema."""
SINGLE: Final = {"products": "product_id", "categories": "category_id", "topics": "topic"}
"""What the items of a list are called."""
SPECIAL: Final[dict[str, dict[str, Any]]] = {
    "GET /products": {"cursor": "zzcursorzz"},
    "GET /search": {"cursor": "zzcursorzz"},
    "GET /categories/{id_or_slug}": {"id_or_slug": "lighting"},
    "PUT /carts/{cart_id}/coupon": {"code": "TEN"},
    "POST /carts/{cart_id}/checkout": {"token": "ok"},
    "PUT /admin/stock": {"sku": "DEMO-002"},
    "GET /fake-bank/{order_id}": {"order_id": "zzaskedzz"},
    "POST /fake-bank/{order_id}/{word}": {"order_id": "zzaskedzz"},
    "POST /auth/login": {"email": "zzemailzz"},
    "POST /auth/reset-password": {"token": "zzproofzz"},
    "POST /auth/verify-email": {"token": "zzproofzz"},
    "POST /me/email/confirm": {"token": "zzproofzz"},
    "POST /me/second-factor/confirm": {"code": "zzcodezz"},
    "POST /me/second-factor/drop": {"code": "zzcodezz"},
    "PATCH /admin/products/{id_or_slug}": {"id_or_slug": "zzchanged_idzz", "status": "active"},
    "POST /admin/products": {"sku": "zzfreshzz", "category": ["Lamps"], "options": {"size": "L"}, "price": 1000,
                             "compare_at_price": 2000},
    "PUT /admin/products/{id_or_slug}/related": {"product_id": "forest-monstera"},
    "POST /admin/categories": {"slug": None, "name": "zzfreshzz", "parent": "lighting"},
    "PATCH /admin/categories/{id_or_slug}": {"id_or_slug": "zzcategoryzz", "name": "Some", "slug": "zzfreshzz",
                                             "parent": "lighting"},
    "PUT /admin/categories/order": {"category_id": "lighting"},
    "DELETE /admin/categories/{id_or_slug}": {"id_or_slug": "zzcategoryzz"},
    "GET /admin/categories/{id_or_slug}/attributes": {"id_or_slug": "lighting"},
    "PUT /admin/categories/{id_or_slug}/attributes/{name}": {"id_or_slug": "lighting", "name": "zzfreshzz",
                                                             "kind": "number", "unit": "W"},
    "DELETE /admin/categories/{id_or_slug}/attributes/{name}": {"id_or_slug": "lighting", "name": "zzattributezz"},
    "POST /admin/products/bulk": {"product": "zzchanged_idzz", "version": Number("zzversionzz"), "status": "active"},
    "PATCH /admin/variants/{sku}": {"sku": "zzvariantzz", "price": 3000, "compare_at_price": 5000, "If-Match": None},
    "POST /admin/promotions": {"kind": "percent", "value": 100, "code": "zzfreshzz", "starts_at": None,
                               "ends_at": None},
    "PATCH /admin/promotions/{code_or_id}": {"value": 100, "If-Match": None, "ends_at": None},
    "DELETE /admin/promotions/{code_or_id}": {"If-Match": None},
    "POST /admin/reviews/bulk": {"id": "zzreview_idzz"},
    "POST /admin/products/{id_or_slug}/pictures": {"id_or_slug": "forest-monstera", "sku": "DEMO-050"},
    "PATCH /admin/pictures/{picture_id}": {"alt": "lamp"},
    "PUT /admin/products/{id_or_slug}/pictures/order": {"id_or_slug": "forest-monstera",
                                                          "pictures": ["zzpicture_idzz"]},
    "POST /admin/products/{id_or_slug}/variants": {"id_or_slug": "zzchanged_idzz", "sku": "zzfreshzz", "price": 1000,
                                                   "compare_at_price": 2000},
    "DELETE /admin/variants/{sku}": {"sku": "zzvariantzz"},
    "POST /admin/imports": {"file": "lamps.csv", "mapping": "[options]"},
    "PATCH /admin/orders/{number}": {"If-Match": "zzetagzz"},
    "GET /admin/customers": {"q": "a"},
    "PATCH /admin/customers/{customer_id}": {"If-Match": "zzetagzz"},
    "PUT /admin/customers/{customer_id}/role": {"If-Match": "zzetagzz"},
    "POST /admin/customers/bulk": {"ids": ["zzcustomer_idzz"]},
    "PATCH /admin/webhooks/{webhook_id}": {"If-Match": "zzetagzz"},
    "POST /admin/webhooks/bulk": {"ids": ["zzwebhook_idzz"]},
    "POST /admin/roles": {"name": "zzfreshzz"},
    "PUT /admin/roles/{name}": {"name": "zzrolezz", "If-Match": '"1"'},
    "DELETE /admin/roles/{name}": {"name": "zzrolezz"},
    "DELETE /admin/security/blocks": {"key": "zzblockzz"},
}  # fmt: skip
"""Examples of single operations."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One request file."""

    name: str
    method: str
    target: str
    headers: dict[str, str]
    body: str = ""

    def text(self, host: str) -> str:
        """What `sqlmap -r` reads."""
        headers = [f"{hide(name)}: {value}" for name, value in self.headers.items()]
        return "\n".join([f"{self.method} {self.target} HTTP/1.1", f"Host: {host}", *headers, "", self.body])

    @property
    def plain(self) -> Asked:
        """The request without its marks."""
        headers = {name: value.replace("*", "") for name, value in self.headers.items()}
        return replace(self, target=self.target.replace("*", ""), headers=headers, body=self.body.replace("*", ""))

    def putting(self, text: str) -> Iterator[Asked]:
        """The request once for each mark, with a text in the place of what is marked there, and no marks."""
        quoted = quote(text.encode("utf-8", "surrogatepass"), safe="")
        plain = self.plain
        yield from (replace(plain, target=put) for put in _put(_WORD, self.target, quoted))
        for name, value in self.headers.items():
            printable = "".join(letter for letter in text if " " <= letter <= "~")
            yield from (replace(plain, headers=plain.headers | {name: put}) for put in _put(_PART, value, printable))
        yield from (replace(plain, body=put) for put in _put(_VALUE, self.body, json.dumps(text)))

    @property
    def blanks(self) -> set[str]:
        """What is to be filled in."""
        return set(BLANK.findall(self.text("")))

    @property
    def operation(self) -> str:
        """Method and path, without the number of a second request to it."""
        return self.name.partition(" (")[0]

    @property
    def marks(self) -> int:
        """How many places are tried."""
        return self.text("").count("*")


def fill(text: str, filling: dict[str, str]) -> str:
    """A text with its blanks filled in; each `fresh` is another."""
    now = {"fresh": f"f{uuid4().hex[:12]}"} | filling
    return BLANK.sub(lambda blank: now.get(blank[1], blank[0]), text)


def _put(pattern: re.Pattern[str], marked: str, text: str) -> Iterator[str]:
    for mark in pattern.finditer(marked):
        yield marked[: mark.start()].replace("*", "") + text + marked[mark.end() :].replace("*", "")


def hide(header: str, *, back: bool = False) -> str:
    """A header's name as sqlmap sees it, or back."""
    for name, instead in HIDDEN.items():
        header = header.replace(*((instead, name) if back else (name, instead)))
    return header


def asked(document: dict[str, Any]) -> Iterator[Asked]:
    """A request file or more for each operation that takes something, and what no operation declares."""
    parts = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation.get("parameters") or "requestBody" in operation:
                yield from _files(f"{method.upper()} {path.removeprefix(API)}", path, operation, parts)
    bearer = {"Authorization": "Bearer zztokenzz*", "X-Request-Id": "injected-1*", "User-Agent": "shop*"}
    yield Asked("GET /me (headers)", "GET", f"{API}/me", bearer)
    cookies = "__Host-access=zztokenzz*; __Host-refresh=zzrefresh_tokenzz*; __Host-device=zzdevice_tokenzz*"
    page = {"Cookie": cookies, "CSRF-Token": "zzcsrfzz*", "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json"}  # fmt: skip
    for method, path, body in (("PATCH", "/me", '{"name": "Ada*"}'), ("POST", "/auth/refresh", "{}"),
                               ("POST", "/auth/logout", "{}")):  # fmt: skip
        yield Asked(f"{method} {path} (cookies)", method, f"{API}{path}", page, body)


def _files(name: str, path: str, operation: dict[str, Any], parts: dict[str, Any]) -> Iterator[Asked]:
    """Of an operation whose list has a cursor, one file without and one with it."""
    known = VALUES | SPECIAL.get(name, {})
    content = operation.get("requestBody", {}).get("content", {})
    headers = {"X-Request-Id": "injected-1*", "User-Agent": "shop*" if path.endswith("/login") else "shop"}
    if re.search("/(login|refresh)$", path):
        headers["Device-Token"] = "zzdevice_tokenzz*"
    if operation.get("security") == [{"bearer": []}]:
        headers["Authorization"] = f"Bearer {'zzstaffzz' if '/admin/' in path else 'zztokenzz'}"
    if content:
        headers["Content-Type"] = next(iter(content))
    query: dict[str, str] = {}
    for one in operation.get("parameters", []):
        value = _example(one["name"], one["schema"], parts, known)
        if value is None:
            continue
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", f"{quote(value)}*")
        elif one["in"] == "header":
            headers[one["name"]] = f"{value}*"
        else:
            query[one["name"]] = f"{quote(_text(value))}*"
    if "facets" in query:
        query["spec%5Bcolour*%5D"] = "Sand*"
    queries = [query]
    if "cursor" in query:
        cursor = {"cursor": query.pop("cursor")}
        kept = () if name == "GET /products" else ("q", "sort", "limit")
        queries.append({one: query[one] for one in kept if one in query} | cursor)
    bodies = _bodies(content, parts, known)
    for number, (given, body) in enumerate(((given, body) for given in queries for body in bodies), 1):
        target = "?".join([path, "&".join(f"{one}={value}" for one, value in given.items())]).rstrip("?")
        yield Asked(name if number == 1 else f"{name} ({number})", name.partition(" ")[0], target, headers, body)


def _bodies(content: dict[str, Any], parts: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """An example of a body; of one that wants either this or that, one for each."""
    if "application/json" not in content:
        return ["zzpicturezz" if content else ""]
    whole = parts[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    either = [one["required"][0] for one in whole.get("oneOf", [])]
    body = _example("", whole, parts, known)
    return [
        _marked({name: value for name, value in body.items() if name not in either or name == only})
        for only in either or [""]
    ]


def _example(name: str, schema: dict[str, Any], parts: dict[str, Any], known: dict[str, Any]) -> Any:
    kinds = [schema, *schema.get("anyOf", []), *([] if "properties" in schema else schema.get("oneOf", []))]
    kind = next((one for one in kinds[1:] if one.get("type") != "null"), schema)
    if name in known:
        return known[name]
    if "$ref" in kind:
        return _example(name, parts[kind["$ref"].rpartition("/")[2]], parts, known)
    if "properties" in kind:
        return {one: _example(one, part, parts, known) for one, part in kind["properties"].items()}
    if "enum" in kind:
        return next(one for one in kind["enum"] if one is not None)
    if kind.get("type") == "array":
        return [_example(SINGLE.get(name, ""), kind["items"], parts, known)]
    if kind.get("format") == "date-time":
        return "2026-01-01T00:00:00Z"
    of_type = {"integer": max(1, int(kind.get("minimum", 1))), "number": 1, "boolean": True}
    return of_type.get(str(kind.get("type")), f"zz{name}zz" if kind.get("format") == "uuid" else "lamp")


def _text(value: Any) -> str:
    value = value[0] if isinstance(value, list) else value
    return value if isinstance(value, str) else json.dumps(value)


def _marked(value: Any) -> str:
    """JSON with a mark after each value, and after the names of specifications."""
    if isinstance(value, dict):
        free = "*" if value is VALUES["specifications"] else ""
        return "{" + ", ".join(f'"{name}{free}": {_marked(one)}' for name, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_marked, value))}]"
    return f'"{value}*"' if isinstance(value, str) and not isinstance(value, Number) else f"{_text(value)}*"
