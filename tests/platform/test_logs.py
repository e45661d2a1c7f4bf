"""Logs: what is in a line, and what never is."""

from __future__ import annotations

import json

import pytest
import structlog

from tfmshop.platform.observe import logs

CANARY = "canary-4f7qk"


@pytest.fixture
def log():
    yield structlog.get_logger("test")
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_in_a_line(log, capsys, form):
    logs.configure("debug", form)

    def fails(password: str) -> None:
        hidden = {"authorization": password}
        assert hidden
        raise ValueError("it went wrong")

    try:
        fails(CANARY)
    except ValueError:
        log.exception("caught", password=CANARY, body={"card_number": CANARY, "deep": {"api_token": CANARY}})
    said = capsys.readouterr().err
    assert CANARY not in said
    assert "it went wrong" in said


def test_a_line_is_json_with_lists_and_names(log, capsys):
    logs.configure("info", "json")
    log.warning("stock is low", lowest=["A in main: 1"], more={"n": 1}, odd={1, 2}, level_of=object)
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["lowest"], line["more"], line["log.level"]) == (
        "stock is low", ["A in main: 1"], {"n": 1}, "warning",
    )  # fmt: skip
    assert isinstance(line["odd"], str)


@pytest.mark.parametrize(("level", "shown"), [("error", False), ("warn", False), ("info", False), ("http", True),
                                              ("debug", True)])  # fmt: skip
def test_requests_are_shown_from_the_level_http_on(log, capsys, monkeypatch, level, shown):
    monkeypatch.setattr(logs, "_requests", structlog.get_logger("access"))
    logs.configure(level, "json")
    logs.access("request", path="/x")
    assert ("/x" in capsys.readouterr().err) is shown


def test_what_somebody_sent_starts_no_line_of_its_own(log, capsys):
    logs.configure("info", "text")
    log.warning("request", path="/a\n2026 [error] all is lost\x1b[31m")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b[31m" not in said.replace("\x1b[0m", "")
