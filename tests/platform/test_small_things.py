"""Clock, schedules, ids, codec, cursors, files, logs, passwords."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from tfmshop.commerce.vocabulary import slug
from tfmshop.platform import clock, codec, cursors, ids, jobs, pdf
from tfmshop.platform.db import Query
from tfmshop.platform.files.local import LocalFiles
from tfmshop.platform.mail import Letter, LogMailer
from tfmshop.platform.mail.letter import message
from tfmshop.platform.observe.logs import hide_secrets
from tfmshop.platform.security.access import secret_kept_in
from tfmshop.platform.security.passwords import Passwords

PICKED = Query(
    "test.picked",
    "UPDATE jobs.pgqueuer SET status = 'picked', execute_after = now() - $1::interval, updated = now() - $2::interval",
)
RAN = Query("test.ran", "INSERT INTO jobs.pgqueuer_schedules (entrypoint, expression, last_run) VALUES ($1, '*', $2)")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_clock_can_be_held():
    with clock.held(MOMENT):
        assert clock.now() == MOMENT
    assert clock.now() > MOMENT


async def test_letters_are_kept_where_no_mail_server_is_set(tmp_path):
    letter = Letter("01-a", "ada@example.com", "Hello", "Your link: https://x/#token=1", "<p>Hello</p>")
    await LogMailer().send(letter)
    assert list(tmp_path.iterdir()) == []
    await LogMailer(tmp_path / "letters").send(letter)
    (file,) = (tmp_path / "letters").glob("*-01-a.eml")
    kept = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (kept["To"], kept["Subject"]) == ("ada@example.com", "Hello")
    assert "#token=1" in kept.get_body(("plain",)).get_content()


def test_ids_are_ordered_uuid7():
    made = [ids.new() for _ in range(1000)]
    assert made == sorted(made)
    assert {id.version for id in made} == {7}
    assert len(set(made)) == 1000


def test_repeatable_ids_depend_on_the_seed_alone():
    first, again, other = ids.repeatable(1), ids.repeatable(1), ids.repeatable(2)
    made = first(MOMENT)
    assert made == again(MOMENT) != other(MOMENT)
    assert (made.version, made.variant) == (7, UUID(int=0x8 << 60).variant)
    assert made.int >> 80 == int(MOMENT.timestamp() * 1000)


def test_forked_processes_name_requests_differently():
    ids.request_id()
    told = []
    for _ in range(2):
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.write(writing, ids.request_id().encode())
            os._exit(0)
        os.waitpid(child, 0)
        told.append(os.read(reading, 32).decode())
        os.close(reading)
        os.close(writing)
    assert len({*told, ids.request_id()}) == 3


def test_readable_numbers_have_no_doubtful_symbols():
    assert re.fullmatch(f"[{ids.READABLE}]{{10}}", ids.readable())
    assert not set("0O1IL") & set(ids.READABLE)


@pytest.mark.parametrize("text", ["", "x" * 36, "018f0000-0000-7000-8000-00000000000", "{" + "0" * 34 + "}"])
def test_what_is_not_an_id(text):
    assert ids.parse(text) is None


@given(st.tuples(st.text().filter(lambda t: "\x00" not in t), st.integers(-(2**63), 2**63 - 1)))
def test_cursors_come_back(place):
    assert cursors.unseal(cursors.seal(*place), tuple[str, int]) == place


@given(st.text(max_size=60))
def test_no_text_is_a_cursor_by_accident(text):
    with pytest.raises(cursors.BadCursor):
        cursors.unseal(text, tuple[str, UUID])


@pytest.mark.parametrize("place", [(2**63,), (10**400,)])
def test_cursors_with_numbers_beyond_postgresql(place):
    with pytest.raises(cursors.BadCursor):
        cursors.unseal(cursors.seal(*place), tuple[int])


@given(st.binary(max_size=200))
def test_decoding_never_fails_in_an_unknown_way(data):
    try:
        codec.decode(data)
    except codec.Malformed:
        return
    json.loads(data)


@given(st.text(max_size=200))
def test_slugs_are_safe(text):
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug(text))


def test_files_stay_in_their_folder(tmp_path):
    files = LocalFiles(tmp_path / "media")
    key = files.put(b"content", "svg")
    assert files.get(key) == (b"content", "image/svg+xml; charset=utf-8")
    assert files.put(b"content", "svg") == key
    (tmp_path / "secret.svg").write_text("no")
    for bad in ("../secret.svg", "..%2fsecret.svg", "secret.svg", "", key.upper(), key + "\n", f"./{key}"):
        assert files.get(bad) is None


def test_secrets_do_not_reach_the_log():
    event = {"event": "x", "password": "p", "access_token": "t", "Authorization": "a", "path": "/"}
    assert hide_secrets(None, "", event) == {
        "event": "x", "password": "(hidden)", "access_token": "(hidden)", "Authorization": "(hidden)", "path": "/",
    }  # fmt: skip


async def test_passwords():
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.matches(stored, "correct horse")
    assert not await passwords.matches(stored, "wrong horse")
    assert not await passwords.matches(None, "the hash that unknown people are compared with")
    assert passwords.hash_sample("x" * 8, 1) == passwords.hash_sample("x" * 8, 1)
    passwords.close()


def test_the_secret_of_an_installation_is_made_once(tmp_path):
    file = tmp_path / "jwt.secret"
    secret = secret_kept_in(file)
    assert (secret_kept_in(file), len(secret) > 40, file.stat().st_mode & 0o777) == (secret, True, 0o600)
    assert list(tmp_path.iterdir()) == [file]


async def test_how_long_nothing_ran_by_the_clock_is_told(tx):
    await jobs.measure(tx)
    assert jobs.IDLE.of().value > 0, "nothing ever ran: as long as this process is there"
    now = clock.now()
    for name, ago in (("daily", 9000), ("sweep", 100)):
        await tx.execute(RAN, name, now - timedelta(seconds=ago))
    await jobs.measure(tx)
    assert 95 < jobs.IDLE.of().value < 105


async def test_a_job_that_waited_long_is_not_stuck_as_soon_as_somebody_works_on_it(tx):
    await jobs.enqueue(tx, "test.waited", None)
    await tx.execute(PICKED, timedelta(minutes=9), timedelta(seconds=3))
    await jobs.measure(tx)
    assert 2 < jobs.RUNNING.of("test.waited").value < 10


@pytest.mark.parametrize(
    ("name", "looks"), [("Zoë Ødegård, Łódź, Ñandú 5 €", False), ("Ψυχή Юлия שלום", False), ("王小明", True)]
)
def test_the_fonts_of_the_machine_are_looked_for_only_where_a_text_needs_them(monkeypatch, name, looks):
    typst = pytest.importorskip("typst")
    compiled, asked = typst.compile, []
    monkeypatch.setattr(typst, "compile", lambda *args, **named: asked.append(named) or compiled(*args, **named))
    paper = pdf.printed(b"#json(bytes(sys.inputs.data)).name", {"name": name})
    assert paper.startswith(b"%PDF")
    assert [one["ignore_system_fonts"] for one in asked] == [not looks]
    if not looks:
        assert PdfReader(io.BytesIO(paper)).pages[0].extract_text().replace(" ", "") == name.replace(" ", "")


@pytest.mark.parametrize("added", ["\r\nBcc: eve@example.com", "\nBcc: eve@example.com", "\rBcc: eve@example.com"])
def test_nothing_in_a_letter_adds_a_header(added):
    plain = Letter("1", "ada@example.com", "Your order", "text", "<p>text</p>")
    with pytest.raises(ValueError, match=r"CR or LF|header|address"):
        message(replace(plain, recipient=f"ada@example.com{added}"), "Shop <shop@example.com>")
    titled = message(replace(plain, title=f"Your order{added}"), "Shop <shop@example.com>")
    assert (titled["Bcc"], titled["Subject"]) == (None, "Your order Bcc: eve@example.com")
    inside = message(replace(plain, text=f"text{added}"), "Shop <shop@example.com>")
    assert inside.keys() == titled.keys()
