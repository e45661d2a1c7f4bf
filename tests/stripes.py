"""Stripe's stand-in: localstripe in a process of its own, behind a front that adds what it lacks.

The front gives one answer for one Idempotency-Key, as Stripe documents it, takes the payment method and the way back at
the confirmation, tells what can be captured, and can lose answers that Stripe gave.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web
from stripe import WebhookSignature

KEY, SECRET = "sk_test_12345", "whsec_of_the_tests"
SERVE = """
import sys
from aiohttp import web
from localstripe.resources import store
from localstripe.server import app
type(store).dump_to_disk = lambda self: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
AUTH = {"Authorization": f"Bearer {KEY}"}
Answer = tuple[int, dict[str, Any]]
FAILED = {"status": "failed", "failure_reason": "expired_or_canceled_card"}


class Stripe:
    """The stand-in as a test sees it: `asked` counts requests by path; of `lose[path]` answers are lost on the way, and
    `fail[path]` requests are answered with 500.
    """

    def __init__(self, behind: httpx.AsyncClient) -> None:
        self._behind = behind
        self._known: dict[str, tuple[str, bytes, Answer]] = {}
        self.asked: Counter[str] = Counter()
        self.lose: Counter[str] = Counter()
        self.fail: Counter[str] = Counter()
        self.failed: set[str] = set()
        self._heard: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.url = ""

    async def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        """What localstripe itself says."""
        answer = await self._behind.request(method, path, data=form)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def card(self, number: str) -> str:
        """A payment method of a card."""
        card = {"type": "card", "card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2030",
                "card[cvc]": "123"}  # fmt: skip
        return (await self.ask("POST", "/v1/payment_methods", card))["id"]

    async def intent(self, order_id: str) -> dict[str, Any]:
        """The one intent of an order."""
        every = (await self.ask("GET", "/v1/payment_intents?limit=100"))["data"]
        (found,) = [one for one in every if one["metadata"].get("tfmshop_order_id") == order_id]
        return found

    async def begin_anew(self) -> None:
        """Nothing ever happened."""
        self._known.clear()
        self.failed.clear()
        self.asked.clear()
        self.lose.clear()
        self.fail.clear()
        assert (await self._behind.delete("/_config/data")).status_code == 200

    async def told_of(self, order_id: str) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a webhook about an order that localstripe signed and sent."""
        async with asyncio.timeout(5):
            while True:
                headers, body = await self._heard.get()
                if order_id.encode() in body:
                    return headers, body

    def forget(self) -> None:
        """A day goes by: no key is known any more."""
        self._known.clear()

    async def say_yes(self, order_id: str, *, yes: bool = True) -> None:
        """What the buyer answers at the bank's page."""
        intent = await self.intent(order_id)
        form = {"client_secret": intent["client_secret"], "success": str(yes).lower()}
        await self.ask("POST", f"/v1/payment_intents/{intent['id']}/_authenticate", form)

    async def back(self, order_id: str) -> list[int]:
        """The refunds of an order's money that arrived."""
        return sorted(one["amount"] for one in await self.refunds(order_id) if one["status"] != "failed")

    async def refunds(self, order_id: str) -> list[dict[str, Any]]:
        """Every refund of an order's money."""
        intent = await self.intent(order_id)
        return self._as_is((await self.ask("GET", f"/v1/refunds?payment_intent={intent['id']}"))["data"])

    def send_back(self, refund: dict[str, Any]) -> dict[str, Any]:
        """The buyer's bank sends a refund back: as Stripe knows it from now on."""
        self.failed.add(refund["id"])
        return refund | FAILED

    def _as_is(self, refunds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one | FAILED if one["id"] in self.failed else one for one in refunds]

    def event(self, type: str, intent: dict[str, Any], secret: str = SECRET) -> tuple[dict[str, str], bytes]:
        """A webhook of Stripe, signed."""
        body = json.dumps({"id": "evt_1", "object": "event", "type": type, "data": {"object": intent}})
        return {"Stripe-Signature": WebhookSignature.generate_signature_header(body, secret)}, body.encode()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the shop is told."""
        body = await request.read()
        name = request.path.rsplit("/", 1)[-1] if request.method == "POST" else "retrieve"
        if request.path == "/hook":
            self._heard.put_nowait((dict(request.headers), body))
            return web.Response()
        self.asked[name] += 1
        status, said = await self._once(request, body)
        if self.lose[name]:
            self.lose[name] -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(said, status=status)

    async def _once(self, request: web.Request, body: bytes) -> Answer:
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or key is None:
            return await self._forward(request, body)
        if key in self._known:
            path, before, answer = self._known[key]
            if (path, before) != (request.path, body):
                return 400, {"error": {"type": "idempotency_error", "message": "another request had this key"}}
            return answer
        answer = await self._forward(request, body)
        self._known[key] = (request.path, body, answer)
        return answer

    async def _too_much(self, request: web.Request) -> str:
        """Why Stripe would not give that back; localstripe gives anything."""
        form = await request.post()
        intent = (await self._behind.get(f"/v1/payment_intents/{form['payment_intent']}")).json()
        made = (await self._behind.get(f"/v1/refunds?payment_intent={intent['id']}")).json()["data"]
        left = intent["amount"] - sum(one["amount"] for one in made if one["id"] not in self.failed)
        if left <= 0:
            return "charge_already_refunded"
        return "amount_too_large" if int(str(form.get("amount", left))) > left else ""

    async def _forward(self, request: web.Request, body: bytes) -> Answer:
        if self.fail[name := request.path.rsplit("/", 1)[-1]]:
            self.fail[name] -= 1
            return 500, {"error": {"type": "api_error", "message": "something went wrong"}}
        if request.path.endswith("/confirm"):
            form = await request.post()
            body = b""
            owner = request.path.removesuffix("/confirm")
            if form["payment_method"] and (await self._behind.get(owner)).json()["status"] == "requires_payment_method":
                await self._behind.post(owner, data={"payment_method": str(form["payment_method"])})
        if request.path == "/v1/refunds" and request.method == "POST" and (too_much := await self._too_much(request)):
            return 400, {"error": {"type": "invalid_request_error", "code": too_much, "message": too_much}}
        headers = {"Authorization": request.headers["Authorization"]}
        if body:
            headers["Content-Type"] = request.headers["Content-Type"]
        answer = await self._behind.request(request.method, request.path_qs, content=body, headers=headers)
        said = answer.json()
        if request.path == "/v1/refunds" and request.method == "GET":
            said["data"] = self._as_is(said["data"])
        if said.get("status") == "requires_action":
            said["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": f"{self.url}/bank"}}
        return answer.status_code, said


@asynccontextmanager
async def running() -> AsyncIterator[Stripe]:
    """A stand-in on a port of its own, that tells its front of events."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(sys.executable, "-W", "ignore", "-c", SERVE, str(port))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=AUTH) as behind:
        stripe = Stripe(behind)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", stripe.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        stripe.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            await _up(behind)
            await behind.post("/_config/webhooks/shop", data={"url": f"{stripe.url}/hook", "secret": SECRET})
            yield stripe
        finally:
            await runner.cleanup()
            process.terminate()
            await process.wait()


async def _up(behind: httpx.AsyncClient) -> None:
    for _ in range(200):
        try:
            await behind.get("/v1/refunds")
        except httpx.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("localstripe did not start")
