"""Answers at once: each is counted once, those there is room for are told of, and who was slow always is."""

from __future__ import annotations

import asyncio

from tfmshop.platform.observe import logs
from tfmshop.platform.observe.alike import Alike
from tfmshop.surface.http.edge import ready
from tfmshop.surface.http.edge.measure import DURATION


async def test_all_are_counted_once_and_there_is_room_anew_each_time(monkeypatch):
    told: list[tuple[list[str], int]] = []
    monkeypatch.setattr(logs, "room", lambda: (2, 1.0))
    monkeypatch.setattr(logs, "answered", lambda some, count: told.append(([one[1] for one in some], count)))
    page = Alike("/ready-test", "/ready-test", 200)
    waiting = ready.Ready()
    waiting.tell()
    told.clear()
    for _ in range(2):
        for name, seconds in (("a", 0.001), ("b", 0.001), ("c", 0.001), ("slow", 2.0), ("d", 0.001)):
            waiting.add(page, name, ready.monotonic() - seconds, None)
        waiting.tell()
    waiting.close()
    assert told == [(["a", "b", "slow"], 5), (["a", "b", "slow"], 5), ([], 0)]
    assert DURATION.of("GET", "/ready-test", 200).count == 10


async def test_there_is_one_timer_however_often_somebody_asks_meanwhile(monkeypatch):
    waiting, tells = ready.Ready(), []
    page = Alike("/ready-test", "/ready-test", 200)
    monkeypatch.setattr(logs, "answered", lambda *_: tells.append(1))
    for _ in range(5):
        waiting.add(page, "id", ready.monotonic(), None)
        waiting.tell()
    waiting.add(page, "id", ready.monotonic(), None)
    tells.clear()
    await asyncio.sleep(3 * ready.LONGEST_WAIT)
    waiting.close()
    assert len(tells) == 1 + 1
