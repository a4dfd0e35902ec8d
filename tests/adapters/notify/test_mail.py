"""Mails about messages, given to a real mail server that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from adapters.notify.address import parse
from adapters.notify.mail import Mailer, written
from adapters.notify.note import MailError, MailRefused, Note
from tests.fixtures.ports import free_ports

WAVE = b"RIFF" + bytes(4000)
NOTE = Note(
    to="bob@acme.example",
    mailbox="1002",
    number="1001",
    name="Alice",
    left_at=datetime(2026, 7, 1, 9, 5, tzinfo=UTC),
    timezone="Europe/London",
    duration_ms=65_400,
    message="m1",
)


class Post:
    """What arrives at a mail server, and what it says to that."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.answer


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def server(post: Post) -> Iterator[Controller]:
    (port,) = free_ports(1)
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    yield controller
    controller.stop()


def mailer(server: Controller) -> Mailer:
    return Mailer(parse(f"smtp://127.0.0.1:{server.port}", sender="pbx@acme.example"))


def test_a_mail_arrives_with_what_was_said(post: Post, server: Controller) -> None:
    mailer(server).send(NOTE, WAVE)
    (envelope,) = post.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("pbx@acme.example", ["bob@acme.example"])
    mail = message_from_bytes(envelope.content, policy=default)
    assert isinstance(mail, EmailMessage)
    assert mail["Subject"] == "Voicemail from Alice (1001), 1:05"
    assert mail["Date"] == "Wed, 01 Jul 2026 10:05:00 +0100", "as in the tenant's time zone"
    (sound,) = mail.iter_attachments()
    assert (sound.get_content_type(), sound.get_content()) == ("audio/wav", WAVE)
    assert sound.get_filename() == "voicemail-20260701-100500.wav"


def test_a_mail_that_is_sent_again_is_the_same(post: Post, server: Controller) -> None:
    mailer(server).send(NOTE, WAVE)
    mailer(server).send(NOTE, WAVE)
    first, second = (message_from_bytes(one.content)["Message-ID"] for one in post.envelopes)
    assert first == second == "<m1@acme.example>"


@pytest.mark.parametrize(
    ("answer", "error"), [("452 no room", MailError), ("552 too large", MailRefused), ("550 nobody", MailRefused)]
)
def test_what_the_server_says(post: Post, server: Controller, answer: str, error: type[Exception]) -> None:
    post.answer = answer
    with pytest.raises(error) as raised:
        mailer(server).send(NOTE, WAVE)
    assert answer[:3] in str(raised.value)
    assert "bob" not in str(raised.value), "nobody's address is in what is logged"


def test_a_server_that_is_away_is_tried_again_later() -> None:
    (port,) = free_ports(1)
    with pytest.raises(MailError, match=f"127.0.0.1:{port}"):
        Mailer(parse(f"smtp://127.0.0.1:{port}", sender="pbx@acme.example")).send(NOTE, WAVE)


def test_a_password_is_not_told_in_the_clear(post: Post) -> None:
    heard: list[Any] = []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        heard.append(data)
        return AuthResult(success=True)

    (port,) = free_ports(1)
    controller = Controller(post, hostname="127.0.0.1", port=port, authenticator=authenticate, auth_require_tls=False)
    controller.start()
    try:
        with pytest.raises(MailError):
            Mailer(parse(f"smtp://pbx@127.0.0.1:{port}", "secret", "pbx@acme.example")).send(NOTE, WAVE)
    finally:
        controller.stop()
    assert heard == []
    assert post.envelopes == []


@pytest.mark.parametrize("address", ["mail.example", "http://mail.example", "smtp://", "smtp://a:b@mail.example"])
def test_what_is_no_mail_server(address: str) -> None:
    with pytest.raises(ValueError, match="smtp://"):
        parse(address)


def test_what_a_phone_calls_itself_ends_no_line() -> None:
    mail = written(NOTE._replace(name="Eve\r\nBcc: all@acme.example"), WAVE, "pbx@acme.example")
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


def test_a_name_that_ends_a_line_in_unicode_does_not_keep_the_mail() -> None:
    mail = written(NOTE._replace(name="Eve\u2028\u202eecilA"), WAVE, "pbx@acme.example")
    assert str(mail["Subject"]).startswith(f"Voicemail from EveecilA ({NOTE.number})")
