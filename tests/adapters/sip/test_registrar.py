"""REGISTER as text into what it asks, and back."""

from __future__ import annotations

import pytest

from adapters.sip.message import MessageError, Request, parse
from adapters.sip.registrar import granted, refused, registration_of
from adapters.sip.translate import NotAllowed
from domain.registering import Register, RegisterRefused
from domain.values import Flow
from tests.domain.world import START, contact, directory

FLOW = Flow("udp", "127.0.0.1:5060", "127.0.0.1:6001")


def register(extra: str, to: str = "sip:1001@acme.example") -> Request:
    text = (
        f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKr\nFrom: <{to}>;tag=r\n"
        f"To: <{to}>\nCall-ID: r\nCSeq: 3 REGISTER\n{extra}"
    )
    message = parse(text.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert isinstance(message, Request)
    return message


def asked(extra: str, to: str = "sip:1001@acme.example", device: str = "1001") -> Register:
    return registration_of(register(extra, to), FLOW, "acme", device, directory())


def test_several_contacts_each_with_its_time() -> None:
    ask = asked(
        'Contact: <sip:old@127.0.0.1:6001>;expires=0, <sip:new@127.0.0.1:6009>;+sip.instance="<urn:uuid:1>"\n'
        "Contact: sip:third@127.0.0.1;expires=99999999\nExpires: 120"
    )
    assert [(one.uri, one.expires_s, one.instance) for one in ask.contacts] == [
        ("sip:old@127.0.0.1:6001", 0, ""),
        ("sip:new@127.0.0.1:6009", None, "urn:uuid:1"),
        ("sip:third@127.0.0.1", 99999999, ""),
    ]
    assert (ask.expires_s, ask.cseq, ask.wildcard, ask.whole) == (120, 3, False, True)
    assert ask.contacts[1].flow.remote == "127.0.0.1:6009"


def test_the_star_and_nothing_at_all() -> None:
    assert asked("Contact: *\nExpires: 0").wildcard
    assert asked("").contacts == ()


@pytest.mark.parametrize(
    "extra",
    [
        "Contact: <sip:a@h>;expires=-1",
        "Contact: <sip:a@h>;expires=soon",
        "Contact: <sip:a@h>\nExpires: 99999999999",
        "Contact: <sip:a@h",
        "Contact: *;expires=0",
        "Contact: <tel:1001>",
        "Contact: <mailto:a@example.com>",
        "Contact: <sip:a@h>\nPath: <sip:proxy",
    ],
)
def test_what_cannot_be_read_is_400(extra: str) -> None:
    with pytest.raises(MessageError) as error:
        asked(extra)
    assert error.value.status == 400


@pytest.mark.parametrize(
    ("to", "device", "status"),
    [
        ("sip:1001@globex.example", "1001", 404),
        ("sip:1001@elsewhere.example", "1001", 404),
        ("sip:1002@acme.example", "1001", 403),
        ("sip:1001@acme.example", "4711", 404),
    ],
)
def test_nobody_registers_for_somebody_else(to: str, device: str, status: int) -> None:
    with pytest.raises(NotAllowed) as error:
        asked("Contact: <sip:a@h>", to, device)
    assert error.value.status == status


def test_the_answers() -> None:
    request = register("Contact: <sip:a@h>\nPath: <sip:p;lr>")
    response = granted(request, (contact("1001", 6001),), START, "tag")
    assert response.get_all("Contact") == ["<sip:1001@127.0.0.1:6001>;expires=3600"]
    assert response.get_all("Path") == ["<sip:p;lr>"]
    assert response.to.tag == "tag"
    brief = refused(request, RegisterRefused(423, "too brief"), "tag")
    assert (brief.status, brief.get("Min-Expires")) == (423, "60")
