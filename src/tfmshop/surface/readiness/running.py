"""Boxes about a shop that is open: they ask it."""

from __future__ import annotations

from typing import Any, Final

import httpx

from tfmshop import __version__
from tfmshop.platform import clock, codec, jobs
from tfmshop.platform.observe.alerts import Firing, channels, state
from tfmshop.platform.observe.process import METRICS
from tfmshop.platform.observe.readings import Reading
from tfmshop.surface.kpis import kpis
from tfmshop.surface.pulse import pulse
from tfmshop.surface.readiness.box import AFTER, NotTried, Place, Result, box, judged

HEADERS: Final = {"x-content-type-options": "nosniff", "content-security-policy": "", "referrer-policy": ""}
"""Headers that every answer has; empty is any value."""


async def _asked(place: Place, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    token = place.config.text("METRICS_TOKEN")
    named = {"accept": "application/json", **({"authorization": f"Bearer {token}"} if token and not headers else {})}
    host = next(iter(place.config.words("ALLOWED_HOSTS")), "")
    if host and path.startswith("/api"):
        named["host"] = host
    try:
        async with httpx.AsyncClient(base_url=place.url, timeout=10, trust_env=False) as client:
            return await client.get(path, headers=named | (headers or {}))
    except httpx.HTTPError as error:
        raise NotTried(f"no shop answers at {place.url} ({type(error).__name__})") from error


def _page(place: Place) -> str:
    """A page that everybody may read."""
    return "/api/v1/products?limit=1" if _has(place, "storefront") else "/api/v1/auth/providers"


def _has(place: Place, part: str) -> bool:
    return part in (place.config.words("SERVE_ONLY") or [part])


async def _health(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = codec.decode((await _asked(place, "/health")).content)
    return found


@box("health", AFTER)
async def health(place: Place) -> Result:
    """The shop says that it can work, and a page of it can be read."""
    try:
        found = await _health(place)
        page = await _asked(place, _page(place))
    except NotTried as why:
        return Result("fail", str(why), "Start `tfmshop serve`.")
    if found["status"] == "down" or page.status_code != 200:
        return Result("fail", f"it is {found['status']}, a page answers {page.status_code}",
                      "See `tfmshop logs errors`.")  # fmt: skip
    if found["status"] != "ok":
        return Result("warn", f"it is {found['status']}", "Redis is away: see `tfmshop doctor`.")
    if found.get("version", __version__) != __version__:
        return Result("fail", f"release {found['version']} answers, this is {__version__}",
                      "Run `tfmshop deploy reload`; does the path of the server lead to this release?")  # fmt: skip
    return Result("pass", f"ok, release {__version__}")


@box("security of answers", AFTER)
async def answers(place: Place) -> Result:
    """Strangers are kept out of the back office, and browsers are told what they may do."""
    failing = []
    page, staff = (
        await _asked(place, _page(place)),
        await _asked(place, "/api/v1/admin/orders", {"x": "y"}),
    )
    lacking = [
        name for name, value in HEADERS.items() if value not in page.headers.get(name, "") or name not in page.headers
    ]
    if lacking:
        failing.append(f"answers lack {', '.join(lacking)}: Does a proxy take them away?")
    wanted = 401 if _has(place, "admin") else 404
    if staff.status_code != wanted:
        failing.append(f"the back office answers a stranger with {staff.status_code}: It must be {wanted}.")
    stranger = await _asked(place, "/metrics", {"x-forwarded-for": "192.0.2.1", "authorization": "Bearer none"})
    if stranger.status_code == 200:
        failing.append("/metrics is open to strangers: Set TRUSTED_PROXIES, PROBE_NETWORKS and METRICS_TOKEN.")
    return judged(failing, [], "strangers are refused, and headers are there")


@box("key figures", AFTER)
async def figures(place: Place) -> Result:
    """They are what they should be, over a moment and since the start."""
    reading = codec.decode_as((await _asked(place, "/metrics")).content, Reading)
    found = kpis(pulse(None, reading))
    bad = [f"{one.name} {one.shown}, should be {one.goal}" for one in found if one.state == "bad"]
    if bad:
        return Result("fail", "; ".join(bad), "See `tfmshop monitor metrics`, `tfmshop optimize`.")
    unknown = [one.name for one in found if one.state == "unknown"]
    if unknown:
        return Result("warn", f"too little happened to tell: {', '.join(unknown)}", "Look again under load.")
    return Result("pass", "all are as they should be")


@box("warm cache", AFTER)
async def warm(place: Place) -> Result:
    """There are pages in memory before the first buyer comes."""
    if not place.config.flag("ENABLE_CACHING"):
        return Result("fail", "nothing is cached", "Set ENABLE_CACHING=true.")
    entries = (await _health(place)).get("cache", {}).get("entries", 0)
    if not entries:
        return Result("fail", "the cache is empty", "Run `tfmshop deploy cache-warmup`.")
    return Result("pass", f"{entries:,} entries")


@box("job runner", AFTER)
async def runner(place: Place) -> Result:
    """Somebody works on letters, webhooks and captures."""
    reading = codec.decode_as((await _asked(place, "/metrics")).content, Reading)
    if reading.sum(jobs.RUNNERS.name) < 1:
        return Result("fail", "none works here", "Start `tfmshop work`.")
    return Result("pass", f"{reading.sum(jobs.RUNNERS.name):.0f} at work")


@box("alerts", AFTER, 60.0)
async def alerts(place: Place) -> Result:
    """They are worked out now, nothing critical fires, and a test message reaches everybody."""
    failing = []
    at, firing = state.shown(place.config.home / METRICS)
    if at is None or clock.now() - at > state.STALE:
        failing.append("nobody works alerts out: Is a web server or job runner running here?")
    critical = [one.alert for one in firing if one.state == "firing" and one.severity == "critical"]
    if critical:
        failing.append(f"{', '.join(critical)} fire: See `tfmshop alerts list`.")
    if len(place.channels) < 2:
        failing.append("only the log is told: Set ALERT_MAIL, ALERT_WEBHOOK or ALERT_SLACK.")
    test = Firing("Test", {}, "warning", "firing", 1.0, "This is a test: nothing is wrong.", "Do nothing.",
                  clock.now())  # fmt: skip
    for channel, why in (await channels.tell(place.channels, place.config.text("SHOP_NAME"), [test])).items():
        failing.append(f"a test message by {channel} failed ({why}): See `tfmshop alerts test`.")
    return judged(failing, [], f"worked out {at:%H:%M:%S} UTC, {len(place.channels)} channels reached" if at else "")
