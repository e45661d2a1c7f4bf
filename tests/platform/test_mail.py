"""What a mail server hears: a password only where nobody else can."""

from __future__ import annotations

import asyncio

import pytest

from tfmshop.platform.mail import CannotSend, Letter, SmtpMailer, smtp

LETTER = Letter("1", "ada@example.com", "Hello", "Hello.", "<p>Hello.</p>")


@pytest.fixture
async def server():
    """A mail server that takes passwords and offers no STARTTLS; what it heard, and its port."""
    heard: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := (await reader.readline()).decode().strip():
            heard.append(line)
            writer.write(
                {"EHLO": b"250-mail\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 ok\r\n"}.get(line[:4], b"250 ok\r\n")
            )
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield heard, listening.sockets[0].getsockname()[1]
    listening.close()


@pytest.mark.parametrize("here", [True, False])
async def test_a_password_goes_to_another_machine_encrypted_or_not_at_all(server, monkeypatch, here):
    heard, port = server
    monkeypatch.setattr(smtp, "is_here", lambda _: here)
    mailer = SmtpMailer(f"smtp://ada:secret@127.0.0.1:{port}", "shop@example.com")
    with pytest.raises(CannotSend):
        await asyncio.wait_for(mailer.send(LETTER), 5)
    assert any(line.startswith("AUTH") for line in heard) == here
