"""Voicemail with real phones of two makers: a message is left, its tone is in the file, and others hear of it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import wave
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiosmtpd.controller import Controller

from media.tone import levels, tone
from media.wav import wave as wave_of
from tests.e2e.talk import LOUD_DBFS, QUIET_DBFS, TONES_HZ, hears, phone
from tests.fixtures.ports import free_ports
from tests.fixtures.server import Server, tenant
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones
from tests.phones.lamp import has_lamps, lamp
from tests.phones.phone import Phone

BOX = "/v1/mailboxes/1002/messages"
GREETING = "/v1/mailboxes/1002/greetings/busy/audio"
BROUGHT_HZ = 1000.0
ACME = {"tenant": "acme"}
SAID_S = 2.5


def with_box(ring_s: int = 30, **fields: Any) -> dict[str, Any]:
    """A tenant whose extension 1002 has a mailbox without words, so that a caller is soon recorded."""
    box = {"number": "1002", "pin": "4321", "greetings": {"busy": None, "away": None}, **fields}
    return tenant("acme", ring_s=ring_s) | {"mailboxes": [box], "voicemail": "*97"}


async def happens(server: Server, kind: str, times: int = 1, timeout_s: float = 20) -> None:
    """So many events of this type are in the journal."""
    await server.items(f"/v1/events?after=0&type={kind}", lambda found: len(found) >= times, timeout_s)


async def messages(server: Server, count: int, timeout_s: float = 20) -> list[dict[str, Any]]:
    """The messages of the mailbox, once there are so many."""
    return await server.items(f"{BOX}?tenant=acme", lambda found: len(found) == count, timeout_s)


async def said(server: Server, message: str) -> tuple[bytes, tuple[float, ...], float]:
    """The WAV of a message, the levels of the phones' tones in it, and its length in seconds."""
    async with server.client() as client:
        answer = await client.get(f"{BOX}/{message}/audio", params=ACME)
    assert answer.status_code == 200, answer.text
    with wave.open(io.BytesIO(answer.content)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return answer.content, levels(samples, rate, [TONES_HZ["1001"], TONES_HZ["1002"]]), len(samples) / rate


async def leave(caller: PhoneCall, server: Server) -> None:
    """Speak for a while once the caller is recorded."""
    await caller.state("answered", 10)
    await happens(server, "mailbox.recording_begun")
    await asyncio.sleep(SAID_S)


async def told(one: Phone, words: str, timeout_s: float = 10) -> None:
    """The phone was sent a summary with these words."""
    async with asyncio.timeout(timeout_s):
        while words not in one.trace():
            await asyncio.sleep(0.05)


async def test_a_message_is_left_for_somebody_who_is_not_there(server: Server, phones: Phones) -> None:
    await server.apply(with_box())
    alice = await phone(server, phones, "pjsua", "1001")
    call = await alice.dial("1002")
    await leave(call, server)
    await call.hang_up()
    (message,) = await messages(server, 1)
    content, (own, other), length_s = await said(server, message["message"])
    assert own > LOUD_DBFS, own
    assert other < QUIET_DBFS, other
    assert length_s >= SAID_S - 1.2
    assert (message["number"], message["heard"]) == ("1001", False)
    assert round(length_s * 1000) == message["duration_ms"]
    assert hashlib.sha256(content).hexdigest() == message["sha256"]


async def test_a_message_is_heard_by_phone(server: Server, phones: Phones) -> None:
    """By the extension's own phone, which is not asked for a PIN; it hears the caller's tone and then the menu."""
    await server.apply(with_box(pinless=True))
    alice, bob = await asyncio.gather(
        phone(server, phones, "pjsua", "1001"), phone(server, phones, "baresip", "1002", codecs=("PCMA",))
    )
    call = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.ring()
    await incoming.reject(486)
    await leave(call, server)
    await call.hang_up()
    await messages(server, 1)
    await told(bob, "Voice-Message: 1/0")
    listening = await bob.dial("*97")
    await listening.state("answered", 10)
    await happens(server, "mailbox.message_heard")
    await listening.hang_up()
    heard = await listening.recording()
    rate = 8000
    windows = [heard[at : at + rate // 2] for at in range(0, len(heard) - rate // 2, rate // 4)]
    assert max(levels(one, rate, [TONES_HZ["1001"]])[0] for one in windows) > LOUD_DBFS, "the message was heard"
    (message,) = await messages(server, 1)
    assert message["heard"]
    await told(bob, "Voice-Message: 0/1")
    (row,) = await server.rows("SELECT * FROM cdr WHERE to_number = '1002' AND final", lambda rows: len(rows) == 1)
    assert (row["disposition"], row["answered_by"]) == ("voicemail", "1002")


async def test_a_greeting_is_recorded_by_phone_and_heard_by_callers(server: Server, phones: Phones) -> None:
    await server.apply(with_box(pinless=True))
    alice, bob = await asyncio.gather(phone(server, phones, "baresip", "1001"), phone(server, phones, "pjsua", "1002"))
    recording = await bob.dial("*97")
    await recording.state("answered", 10)
    for key in "012#":
        await recording.press(key)
    await happens(server, "mailbox.recording_begun")
    await asyncio.sleep(2 * SAID_S)
    await recording.press("#")
    await happens(server, "mailbox.greeting_kept")
    await recording.hang_up()
    call = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.reject(486)
    await call.state("answered", 10)
    await hears(call, TONES_HZ["1002"], TONES_HZ["1001"])
    await call.hang_up()
    brought = wave_of(tone(BROUGHT_HZ, 5, 16_000), 16_000)
    async with server.client() as client:
        answer = await client.put(GREETING, params=ACME, content=brought)
        assert answer.status_code == 200, answer.text
        fetched = (await client.get(GREETING, params=ACME)).content
    assert hashlib.sha256(fetched).hexdigest() == answer.json()["sha256"]
    call = await alice.dial("1002")
    await (await bob.incoming(10)).reject(486)
    await call.state("answered", 10)
    await hears(call, BROUGHT_HZ, TONES_HZ["1002"])
    await call.hang_up()


@has_lamps
async def test_the_lamps_of_two_makers_go_on_and_off(tmp_path: Path, phones: Phones) -> None:
    """Both phones have subscribed; the server is killed while the lamps are lit, and they go off all the same."""
    (port,) = free_ports(1)
    server = Server.at(tmp_path, SIP_DIGEST="MD5")
    await server.start()
    try:
        declared = with_box(ring_s=2, pinless=True)
        declared["extensions"][1]["devices"] = [{"username": "1002-desk", "password": "right-1002-desk"}]
        await server.apply(declared)
        alice = await phone(server, phones, "pjsua", "1001")
        bob = await phone(server, phones, "pjsua", "1002", summaries=True)
        async with lamp(tmp_path / "desk", "1002-desk", "right-1002-desk", port, server.udp) as desk:
            for one in (bob, desk):
                await one.summary("Messages-Waiting: no")
            call = await alice.dial("1002")
            await leave(call, server)
            await call.hang_up()
            for one in (bob, desk):
                await one.summary("Messages-Waiting: yes")
            await server.kill()
            await server.start()
            listening = await bob.dial("*97")
            await happens(server, "mailbox.message_heard")
            await listening.hang_up()
            for one in (bob, desk):
                await one.summary("Voice-Message: 0/1")
                await one.summary("Messages-Waiting: no")
            (message,) = await messages(server, 1)
            async with server.client() as client:
                assert (await client.delete(f"{BOX}/{message['message']}", params=ACME)).status_code == 200
            for one in (bob, desk):
                await one.summary("Voice-Message: 0/0")
            unasked = bob.trace().count("Subscription-State: terminated")
            assert unasked <= 1, "it registers before it subscribes; then it is told by its subscription alone"
    finally:
        await server.stop()


@pytest.mark.parametrize("role", ["media", "sessions"])
async def test_a_message_outlives_the_process_that_takes_it(server: Server, phones: Phones, role: str) -> None:
    """`kill -9` in the middle of it: what was said before and afterwards is there, and can be played."""
    await server.apply(with_box())
    alice = await phone(server, phones, "pjsua", "1001")
    call = await alice.dial("1002")
    await leave(call, server)
    await server.replace_role(role)
    await asyncio.sleep(2 * SAID_S)
    await call.hang_up()
    (message,) = await messages(server, 1, timeout_s=40)
    _, (own, other), length_s = await said(server, message["message"])
    assert own > LOUD_DBFS, own
    assert other < QUIET_DBFS, other
    assert length_s > SAID_S + 1, "it went on after the kill"


class Post:
    """What arrives at a mail server."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        assert envelope.rcpt_tos == ["bob@acme.example"]
        self.contents.append(envelope.content)
        return "250 OK"


async def test_a_message_is_mailed_once_the_mail_server_is_there(tmp_path: Path, phones: Phones) -> None:
    """It is away when the message is left, and the server is killed meanwhile: the mail is owed all the same."""
    (port,) = free_ports(1)
    server = Server.at(tmp_path, SMTP=f"smtp://127.0.0.1:{port}", SMTP_FROM="pbx@acme.example")
    await server.start()
    post = Post()
    controller = Controller(post, hostname="127.0.0.1", port=port)
    try:
        await server.apply(with_box(email="bob@acme.example"))
        alice = await phone(server, phones, "pjsua", "1001")
        call = await alice.dial("1002")
        await leave(call, server)
        await call.hang_up()
        (message,) = await messages(server, 1)
        await server.kill()
        controller.start()
        await server.start()
        await happens(server, "mailbox.message_mailed", timeout_s=40)
        content, _, _ = await said(server, message["message"])
    finally:
        await server.stop()
        controller.stop()
    (mail,) = (message_from_bytes(one, policy=default) for one in post.contents)
    assert isinstance(mail, EmailMessage)
    (attached,) = mail.iter_attachments()
    assert attached.get_content() == content
    assert "bob@acme.example" not in server.log()
