"""What the blanks of request files are filled with: people, carts, orders that are really there, made when needed."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import httpx
import pyotp

from tfmshop.commerce import accounts, catalog, news
from tfmshop.commerce.payments import Payment
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import clock, ids, limits
from tfmshop.platform.db import Query
from tfmshop.platform.security.seals import Seals
from torture.asking import API, PASSWORD, Asked
from torture.shop import Shop

SETTINGS: Final = {"ENABLE_RATE_LIMIT": "false", "WEBHOOKS_PRIVATE": "true"}
"""Of a shop that holds a world."""
HELD_SECONDS: Final = 500.0
"""How long tokens are used; the shop takes them for 15 minutes."""
CODE_SECONDS: Final = 25.0
"""The same of codes of an app."""
RUNNER_SECONDS: Final = 120.0
"""How long a job may take."""
PROOFS: Final = {"/auth/reset-password": "reset", "/auth/verify-email": "verify", "/me/email/confirm": "email"}
"""Which letter carries the token of an operation."""
STAGED: Final = Query(
    "torture.staged", "UPDATE transfer.staged SET state = $2, tried = '{}', changed_at = now() WHERE id = $1"
)
RUN: Final = Query(
    "torture.run",
    "INSERT INTO transfer.import_run (id, fingerprint, file, finished_at) VALUES ($1, 'lamps', 'lamps.csv', now())",
)
ADDRESS: Final = {"name": "Ada", "line1": "1 Main Street", "city": "Portland", "country": "US", "region": "lamp"}
BUY: Final = {"payment": {"provider": "fake", "token": "ok"}, "email": "a@example.com"}
PICTURE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PERSON: Final = {"token", "email", "refresh_token", "device_token", "customer_id", "session_id", "address_id", "csrf",
                 "review_id", "proof", "code"}  # fmt: skip
ORDER: Final = {"order_id", "number", "return_id", "refund_id"}
SHIPPED: Final = re.compile("invoice|deliver$|returns|cancel-rest")
DELIVERED: Final = re.compile("returns")
CAPTURED: Final = re.compile("PATCH /admin/orders|refunds|receive|shipments|bulk")
"""Operations on orders that went so far."""


class World:
    """A sample shop with much of DEMO-001, a shipping method `post` and a coupon `TEN`."""

    def __init__(self, shop: Shop) -> None:
        self.http = httpx.Client(base_url=f"{shop.base}{API}", timeout=30, follow_redirects=True)
        self._shop = shop
        self._staff, self._until = "", 0.0
        lamp = self.call("GET", "/products/sand-arc-floor-lamp")
        self._always = {
            "product_id": lamp["id"],
            "variant_id": lamp["variants"][0]["id"],
            "category_id": lamp["breadcrumbs"][0]["id"],
            "media": lamp["image"].rpartition("/")[2],
            "changed_id": self.call("GET", "/products/sand-monstera")["id"],
        }

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """One request that must succeed."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else None
        answer = self.http.request(method, path, headers=named, content=content, json=None if content else body)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    @property
    def staff(self) -> str:
        """The access token of the admin."""
        if time.monotonic() > self._until:
            signed = self.call("POST", "/auth/login", {"email": "admin@example.com", "password": "tfmshop-demo"})
            self._until, self._staff = time.monotonic() + HELD_SECONDS, signed["access_token"]
        return self._staff

    def admin(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """One request of the admin that must succeed."""
        return self.call(method, f"/admin{path}", body, Authorization=f"Bearer {self.staff}", **headers)

    def make(self, one: Asked) -> dict[str, str]:
        """A filling for each blank of a request."""
        wanted, name, got = one.blanks, one.name, dict(self._always)
        if wanted & PERSON:
            got |= self._person(name)
        if wanted & (ORDER | {"cart_id", "asked"}):
            got |= self._cart(wanted, name)
        if "offer_id" in wanted:
            offer = {
                "name": "Some",
                "kind": "percent",
                "value": 100,
                "code": uuid4().hex,
                "max_uses": 9,
                "max_uses_per_customer": 9,
            }
            got["offer_id"] = self.admin("POST", "/promotions", offer)["id"]
        if "/admin/webhooks" in name:
            self._few_hooks()
        if "webhook_id" in wanted:
            hook = {"url": "http://127.0.0.1:9/", "topics": ["stock.low"]}
            got["webhook_id"] = self.admin("POST", "/webhooks", hook)["id"]
        if "role" in wanted:
            got["role"] = f"r{uuid4().hex[:12]}"
            self.admin("POST", "/roles", {"name": got["role"], "permissions": ["reviews"], "meaning": "Some"})
        if "category" in wanted:
            got["category"] = self.admin("POST", "/categories", {"name": f"Some {uuid4()}"})["slug"]
        if "attribute" in wanted:
            got["attribute"] = uuid4().hex
            self.admin("PUT", f"/categories/lighting/attributes/{got['attribute']}", {"label": "Some"})
        if "version" in wanted:
            change = {"title": f"Sand Monstera {uuid4()}"}
            got["version"] = str(self.admin("PATCH", f"/products/{got['changed_id']}", change)["version"])
        if "picture_id" in wanted:
            path = "/products/forest-monstera/pictures"
            got["picture_id"] = self.admin("POST", path, PICTURE, Content_Type="image/png")["id"]
        if "variant" in wanted:
            got["variant"] = f"v{uuid4().hex}"
            self._few_variants()
            self.admin("POST", f"/products/{got['changed_id']}/variants", {"sku": got["variant"], "price": 1})
        if "import_id" in wanted:
            path = "/imports?file=lamps.csv"
            got["import_id"] = self.admin("POST", path, b"sku,title,price\n", Content_Type="text/csv")["id"]
            asyncio.run(self._staged(got["import_id"], "applied" if name.endswith("/undo") else "tried"))
        if "block" in wanted:
            got["block"] = f"all:{uuid4()}"
            asyncio.run(self._block(got["block"]))
        if "cursor" in wanted:
            first = "/products?limit=1" if "products" in name else "/search?q=lamp&sort=price&limit=1"
            got["cursor"] = self.call("GET", first)["next_cursor"]
        if "etag" in wanted:
            path = one.operation.partition("/admin")[2].removesuffix("/role")
            there = wanted & ORDER or wanted & {"customer_id", "webhook_id"}
            got["etag"] = self._etag(path.format_map(got)) if there else '"none"'
        return got

    def _few_hooks(self) -> None:
        """Take webhooks out while there are nearly as many as there may be."""
        there = self.admin("GET", "/webhooks")["items"]
        for one in there[:-10] if len(there) > news.endpoints.MOST_ENDPOINTS - 10 else ():
            self.http.delete(f"/admin/webhooks/{one['id']}", headers={"Authorization": f"Bearer {self.staff}"})

    def _etag(self, path: str) -> str:
        """What `If-Match` names of a thing that the admin sees."""
        answer = self.http.get(f"/admin{path}", headers={"Authorization": f"Bearer {self.staff}"})
        return answer.headers["etag"]

    def _person(self, name: str) -> dict[str, str]:
        proof = {"email": f"p{uuid4().hex}@example.com", "password": PASSWORD}
        self.call("POST", "/auth/register", proof | {"name": "Somebody New"})
        if "sessions" in name:
            self.call("POST", "/auth/login", proof)
        signed = self.call("POST", "/auth/login", proof)
        bearer = {"Authorization": f"Bearer {signed['access_token']}"}
        got = {name: signed[name] for name in ("refresh_token", "device_token")} | {
            "token": signed["access_token"], "email": proof["email"],
            "customer_id": self.call("GET", "/me", **bearer)["customer"]["id"],
            "csrf": self.call("GET", "/auth/csrf-token", **bearer)["csrf_token"],
        }  # fmt: skip
        if "/me/sessions" in name:
            got["session_id"] = self.call("GET", "/me/sessions", **bearer)["items"][-1]["id"]
        if "addresses" in name:
            got["address_id"] = self.call("POST", "/me/addresses", {"address": ADDRESS}, **bearer)["id"]
        if "reviews" in name:
            cart = self.call("GET", "/carts/mine", **bearer)["id"]
            self.call("POST", f"/carts/{cart}/lines", {"product_id": self._always["product_id"]}, **bearer)
            buy = BUY | {"address": ADDRESS}
            self.call("POST", f"/carts/{cart}/checkout", buy, Idempotency_Key=uuid4().hex, **bearer)
        if "/admin/reviews" in name:
            review = {"rating": 5, "title": "Good"}
            got["review_id"] = self.call("POST", "/products/sand-arc-floor-lamp/reviews", review, **bearer)["id"]
        if "second-factor/" in name:
            secret = self.call("POST", "/me/second-factor", {"password": PASSWORD}, **bearer)["secret"]
            got["code"] = pyotp.TOTP(secret).now()
        if name.endswith("second-factor/drop"):
            codes = self.call("POST", "/me/second-factor/confirm", {"code": got["code"]}, **bearer)
            got["code"] = codes["recovery_codes"][0]
        purpose = PROOFS.get(name.partition(" ")[2])
        if purpose is not None:
            got["proof"] = asyncio.run(self._proof(purpose, proof["email"]))
        return got

    def _cart(self, wanted: set[str], name: str) -> dict[str, str]:
        cart = self.call("POST", "/carts")
        path, mine = f"/carts/{cart['id']}", {"Cart_Token": cart["token"]}
        filled = self.call("POST", f"{path}/lines", {"product_id": self._always["product_id"], "quantity": 2}, **mine)
        got = {"cart_id": cart["id"], "cart_token": cart["token"], "line_id": filled["lines"][0]["id"]}
        if "cart_id" not in wanted or re.search("shipping|checkout", name):
            self.call("PUT", f"{path}/address", ADDRESS, **mine)
        if "total" in wanted:
            got["total"] = str(self.call("PUT", f"{path}/shipping", {"method": "post"}, **mine)["total"]["amount"])
        if "cart_id" in wanted:
            return got
        token = "challenge" if "asked" in wanted else "ok"
        buy = BUY | {"payment": {"provider": "fake", "token": token}}
        order = self.call("POST", f"{path}/checkout", buy, Idempotency_Key=uuid4().hex, **mine)
        return got | ({"asked": order["order_id"]} if "asked" in wanted else self._order(order, wanted, name))

    def _order(self, order: dict[str, Any], wanted: set[str], name: str) -> dict[str, str]:
        path = f"/orders/{order['number']}"
        got = {"order_id": order["id"], "number": order["number"], "order_token": order["token"]}
        if CAPTURED.search(name) or SHIPPED.search(name):
            self._wait_until(lambda: self.admin("GET", path)["payment_status"] != "authorized")
        if SHIPPED.search(name):
            some = {"lines": [{"sku": "DEMO-001", "quantity": 1}]} if name.endswith("cancel-rest") else {}
            self.admin("POST", f"{path}/shipments", some)
        if DELIVERED.search(name):
            self.admin("POST", f"{path}/deliver")
        if "return_id" in wanted:
            wish = {"lines": [{"sku": "DEMO-001", "quantity": 1}]}
            back = self.call("POST", f"/orders/{order['id']}/returns", wish, Order_Token=order["token"])
            got["return_id"] = back["id"]
        if "refund_id" in wanted:
            got["refund_id"] = self._refused_refund(order["id"], path)
        return got

    def _refused_refund(self, order_id: str, path: str) -> str:
        """A refund of an order that the company refuses, because it let go of the payment."""
        asyncio.run(self._shop.company.void(Payment(order_id, Money(1, "USD"))))
        self.admin("POST", f"{path}/refunds", {"why": "lamp"})
        self._wait_until(lambda: bool(self.admin("GET", path)["refunds"][0].get("failed")))
        return str(self.admin("GET", path)["refunds"][0]["id"])

    def _wait_until(self, true: Callable[[], bool]) -> None:
        """Wait for the job runner, which may be gone."""
        over = time.monotonic() + RUNNER_SECONDS
        while not true():
            if time.monotonic() > over:
                raise RuntimeError(f"the job runner did nothing for {RUNNER_SECONDS:.0f} s")
            time.sleep(0.02)

    async def _proof(self, purpose: str, email: str) -> str:
        """The token of a letter to somebody."""
        seals = Seals((self._shop.home / "seal.secret").read_text())
        letter = accounts.proofs.Asked(ids.new(), email)
        async with self._shop.database() as db, db.tx() as tx:
            await accounts.proofs.add(tx, purpose, letter)
            return await accounts.proofs.token_of(tx, seals, letter.id)

    def _few_variants(self) -> None:
        """Take variants out while there are nearly as many as there may be."""
        there = self.call("GET", "/products/sand-monstera")["variants"]
        for one in there[1:] if len(there) > catalog.variants.MOST - 10 else ():
            self.http.delete(f"/admin/variants/{one['sku']}", headers={"Authorization": f"Bearer {self.staff}"})

    async def _staged(self, id: str, state: str) -> None:
        """Have an import come so far without waiting for its jobs."""
        async with self._shop.database() as db, db.tx() as tx:
            await tx.execute(STAGED, id, state)
            if state == "applied":
                await tx.execute(RUN, id)

    async def _block(self, key: str) -> None:
        async with self._shop.database() as db, db.tx() as tx:
            await limits.block(tx, key, "lamp", clock.now())


async def open_world(shop: Shop) -> World:
    """The sample shop in a new one, with what a world needs."""
    await shop.command("seed")
    await shop.command("inventory", "set", "DEMO-001", "900000000")
    await shop.command("shipping", "set", "post", "Post", "--price", "490", "--currency", "USD")
    await shop.command("promotions", "add", "Ten off", "--percent", "10", "--code", "TEN")
    return await asyncio.to_thread(World, shop)
