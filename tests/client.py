"""A client that speaks to the real application, edge included, without a socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any
from uuid import uuid4

import httpx

from tfmshop.surface.http.edge import Edge
from tfmshop.surface.http.edge.headers import API as EVERY
from tfmshop.surface.http.edge.headers import PICTURES
from tfmshop.surface.serving.connection import AT_ONCE_BYTES

API = "/api/v1"
OF_PAGES = (
    r"default-src 'none'; (script-src 'nonce-[0-9a-f]{32}' 'strict-dynamic'; style-src 'self'"
    r"|style-src 'sha256-[^']+').*base-uri 'none'.*frame-ancestors 'none'.*"
)
"""The policy of a page: what it may load is named, and nothing else."""
ADDRESS = {"name": "Ada", "line1": "1 Main Street", "city": "Portland", "country": "US"}


class Client(httpx.AsyncClient):
    """Paths without a leading slash are below /api/v1; whole addresses are taken as they are."""

    async def request(self, method: str, url: Any, **kwargs: Any) -> httpx.Response:
        """Send one request. Whatever the answer is, it has the headers of every answer."""
        path = str(url)
        path = path if path.startswith(("/", "https://")) else f"{API}/{path}"
        answer = await super().request(method, path, **kwargs)
        has_headers(answer)
        return answer

    async def raw(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET as they came, without decoding."""
        asked = self.stream("GET", f"{API}/{path}", headers={"Accept-Encoding": ""} | headers)
        async with asked as answer:
            body = b"".join([part async for part in answer.aiter_raw()])
        return answer.status_code, dict(answer.headers), body

    async def cart_with(self, *lines: tuple[str, int]) -> dict[str, Any]:
        """A guest's cart with (product id, quantity) in it; as answered, with its token."""
        cart = (await self.post("carts")).json()
        headers = {"Cart-Token": cart["token"]}
        for product, quantity in lines:
            answer = await self.post(
                f"carts/{cart['id']}/lines", json={"product_id": product, "quantity": quantity}, headers=headers
            )
            assert answer.status_code == 201, answer.text
        return cart

    async def buy(
        self, cart: dict[str, Any], *, key: str | None = None, token: str = "ok", **more: Any
    ) -> httpx.Response:
        """Order a guest's cart."""
        body = {"payment": {"provider": "fake", "token": token}, "email": "a@example.com", "address": ADDRESS} | more
        headers = {"Cart-Token": cart["token"], "Idempotency-Key": key or uuid4().hex}
        return await self.post(f"carts/{cart['id']}/checkout", json=body, headers=headers)

    async def sign_in(self, email: str, password: str = "correct horse") -> dict[str, str]:
        """Register and sign in; the header that proves it."""
        person = {"email": email, "password": password, "name": "Somebody"}
        assert (await self.post("auth/register", json=person)).status_code == 201
        answer = await self.post("auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def has_headers(answer: httpx.Response) -> None:
    """Whether an answer has the headers that all have, each once: pictures may be shown elsewhere, pages have forms."""
    shown = answer.status_code == 200 and answer.url.path.startswith(f"{API}/media/")
    wanted = {name.decode(): re.escape(value.decode()) for name, value in (PICTURES if shown else EVERY)}
    if answer.headers.get("content-type", "").startswith("text/html"):
        wanted["content-security-policy"] = OF_PAGES
    if answer.url.scheme == "https":
        wanted["strict-transport-security"] = "max-age=63072000; includeSubDomains; preload"
    wanted |= {"cache-control": ".+", "x-request-id": "[A-Za-z0-9._-]{1,100}"}
    for name, value in wanted.items():
        given = answer.headers.get_list(name)
        fits = len(given) == 1 and re.fullmatch(value, given[0])
        assert fits, (answer.request.method, answer.url, name, given)
    assert not {"x-powered-by", "via", "x-aspnet-version"} & set(answer.headers)


class Transport(httpx.ASGITransport):
    """Asks the application for a ready answer before it calls it, as the server does (`serving.connection`)."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        written: list[bytes] = []
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        if (
            request.method == "GET"
            and request.url.scheme == "http"
            and sum(map(len, chain(*headers))) < AT_ONCE_BYTES
            and self.app.at_once(request.url.raw_path, headers, self.client[0], written.append)
        ):
            head, _, body = b"".join(written).partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            pairs = [tuple(line.split(b": ", 1)) for line in lines if not line.startswith(b"date: ")]
            return httpx.Response(int(first.split()[1]), headers=pairs, stream=httpx.ByteStream(body))
        return await super().handle_async_request(request)


@asynccontextmanager
async def client_of(app: Edge) -> AsyncIterator[Client]:
    """Start the application as a server would, and end it."""
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "state": {}, "asgi": {}}, received.get, sent.put))
    await received.put({"type": "lifespan.startup"})
    started = await sent.get()
    assert started["type"] == "lifespan.startup.complete", started
    transport = Transport(app=app, raise_app_exceptions=False)
    async with Client(transport=transport, base_url="http://shop.test") as client:
        yield client
    await received.put({"type": "lifespan.shutdown"})
    await running
