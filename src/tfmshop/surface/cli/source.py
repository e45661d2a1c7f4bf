"""A running shop, here or elsewhere, as seen through its /metrics and /health."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import msgspec
import typer

from tfmshop.platform import Config, codec
from tfmshop.platform.observe.readings import Reading
from tfmshop.surface.cli.host import Failure, visible

Url = Annotated[str | None, typer.Option(help="Address of the shop; default: HOST and PORT of the settings.")]
Token = Annotated[
    str | None, typer.Option(help="Bearer token that opens /metrics; METRICS_TOKEN where no --url is given.")
]
TIMEOUT_SECONDS = 5.0


class Seen(msgspec.Struct, frozen=True):
    """What a shop says of itself at a moment."""

    reading: Reading
    health: dict[str, Any]


class Source:
    """Where to look."""

    def __init__(self, config: Config, url: str | None, token: str | None) -> None:
        self.url = (url or f"http://{visible(config.text('HOST'))}:{config.number('PORT')}").rstrip("/")
        given = token or ("" if url else config.text("METRICS_TOKEN"))
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {given}"} if given else {})
        self._client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False)

    async def look(self) -> Seen:
        """What it says now. `Failure` in one sentence."""
        try:
            told, health = await self._client.get(f"{self.url}/metrics"), await self._client.get(f"{self.url}/health")
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise Failure(f"--url must be an address such as https://shop.example.com, not {self.url!r}.") from None
        except httpx.HTTPError as error:
            why = "in time" if isinstance(error, httpx.TimeoutException) else f"at {self.url}"
            raise Failure(f"No shop answers {why}: name another with --url.") from None
        if told.status_code == 403:
            raise Failure(f"{self.url} does not let us look: give --token, or add our address to its PROBE_NETWORKS.")
        try:
            return Seen(codec.decode_as(told.content, Reading), codec.decode(health.content))
        except (codec.Malformed, codec.Unfit):
            raise Failure(f"What answers at {self.url} is no TFMShop of this release.") from None

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()
