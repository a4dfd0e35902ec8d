"""REGISTER as text into what it asks, and back."""

from __future__ import annotations

import msgspec
import pytest

from adapters.sip.application.registrar import Home, granted, made, refused, registration_of
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request
from adapters.sip.message.parser import parse
from domain.registering import Register, RegisterRefused
from domain.values import Flow
from tests.domain.world import START, contact, directory

FLOW = Flow("udp", "127.0.0.1:5060", "127.0.0.1:6001")

HOME = Home("1001", "acme.example", "<sip:127.0.0.1:5060;lr>", FLOW, lambda plain: "sealed")


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
        "Contact: <sip:a@h>;q=1.5",
        "Contact: <sip:a@h>;q=high",
        "Contact: <sip:a@h>;q=",
        'Supported: outbound\nContact: <sip:a@h>;+sip.instance="<urn:1>";reg-id=0',
        'Supported: outbound\nContact: <sip:a@h>;+sip.instance="<urn:1>";reg-id=x',
        'Supported: outbound\nContact: <sip:a@h>;+sip.instance="<urn:1>";reg-id=99999999999',
        'Supported: outbound\nContact: <sip:a@h>;+sip.instance="<urn:1>";reg-id=1, <sip:b@h>',
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
    response = granted(request, (contact("1001", 6001),), START, "tag", HOME)
    assert response.get_all("Contact") == ["<sip:1001@127.0.0.1:6001>;expires=3600"]
    assert response.get_all("Path") == ["<sip:p;lr>"]
    assert response.to.tag == "tag"
    brief = refused(request, RegisterRefused(423, "too brief"), "tag")
    assert (brief.status, brief.get("Min-Expires")) == (423, "60")


@pytest.mark.parametrize(
    ("extra", "reg_id"),
    [
        ("Supported: path, Outbound\n", 7),
        ("Require: outbound\n", 7),
        ("Supported: path\n", 0),
        ("", 0),
    ],
)
def test_flows_are_numbered_if_the_phone_knows_how(extra: str, reg_id: int) -> None:
    ask = asked(f'{extra}Contact: <sip:a@h>;+sip.instance="<urn:1>";reg-id=7;q=0.25')
    assert [(one.reg_id, one.instance, one.q) for one in ask.contacts] == [(reg_id, "urn:1", 250)]
    assert asked(f"{extra}Contact: <sip:a@h>;reg-id=7").contacts[0].reg_id == 0  # whose flow it is cannot be told


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ("Path: <sip:p;lr>\n", 420),
        ("Supported: path\nPath: <sip:p;lr>\n", 0),
        ("Supported: path, outbound\nPath: <sip:p;lr>\n", 439),
        ("Supported: path, outbound\nPath: <sip:q;lr>, <sip:p;lr;ob>\n", 0),
        ("Supported: path, outbound\nPath: <sip:q;lr;ob>, <sip:p;lr>\n", 439),
        ("Supported: outbound\n", 439),
        ("Supported: gruu\n", 0),
    ],
)
def test_the_proxies_between_must_know_how(extra: str, status: int) -> None:
    via = "Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKp\n"
    full = f'{via}{extra}Contact: <sip:a@h>;+sip.instance="<urn:1>";reg-id=1'
    if not status:
        assert asked(full).path == tuple(register(full).get_all("Path"))
        return
    with pytest.raises(NotAllowed) as error:
        asked(full)
    assert error.value.status == status
    assert error.value.headers == ((("Unsupported", "path"),) if status == 420 else ())


@pytest.mark.parametrize(
    "uri", ["sips:a@h", "sip:1001@acme.example;gr=urn:1", "sip:tgruu.x@acme.example;gr", "sip:x@GLOBEX.example;gr=y"]
)
def test_a_contact_that_may_not_be_one(uri: str) -> None:
    with pytest.raises(NotAllowed) as error:
        asked(f"Contact: <{uri}>")
    assert error.value.status == 403


def test_what_a_phone_with_flows_and_gruu_is_told() -> None:
    request = register(
        'Supported: outbound, gruu\nContact: <sip:a@h>;+sip.instance="<urn:uuid:1>";reg-id=2\nExpires: 60'
    )
    mine = msgspec.structs.replace(contact("1001", 6001), instance="urn:uuid:1", reg_id=2, q=500, call_id="r", cseq=3)
    other = contact("1001", 6002)
    response = granted(request, (mine, other), START, "tag", HOME)
    assert response.get_all("Contact") == [
        '<sip:1001@127.0.0.1:6001>;expires=3600;q=0.500;+sip.instance="<urn:uuid:1>";reg-id=2'
        ';pub-gruu="sip:1001@acme.example;gr=urn:uuid:1";temp-gruu="sip:tgruu.sealed@acme.example;gr"',
        "<sip:1001@127.0.0.1:6002>;expires=3600",
    ]
    told = {name: response.get(name) for name in ("Require", "Flow-Timer", "Service-Route", "Supported")}
    assert told == {
        "Require": "outbound",
        "Flow-Timer": "29",
        "Service-Route": "<sip:127.0.0.1:5060;lr>",
        "Supported": "path, outbound, gruu",
    }
    plain = granted(register("Contact: <sip:a@h>"), (mine, other), START, "tag", HOME)
    assert plain.get("Require") is None
    assert "gruu" not in str(plain.get_all("Contact"))


@pytest.mark.parametrize(("transport", "seconds"), [("udp", 29), ("tcp", 120), ("tls", 120)])
def test_keep_alives_are_granted_to_the_one_who_asks(transport: str, seconds: int) -> None:
    home = HOME._replace(flow=msgspec.structs.replace(FLOW, transport=transport))
    for before, after in (
        (";keep", f";keep={seconds}"),
        (";Keep;rport", f";keep={seconds};rport"),
        (";keeper", ";keeper"),
    ):
        request = register("")
        request.set("Via", f"SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKr{before}")
        assert granted(request, (), START, "tag", home).get("Via") == (request.get("Via") or "").replace(before, after)


def test_a_binding_was_before_what_its_own_device_had_made_of_it_and_is_made_by_this_request_alone() -> None:
    request = register("Contact: <sip:a@h>")
    was = contact("1001", 6001)
    now = msgspec.structs.replace(was, flow=FLOW, call_id="r", cseq=3)
    assert list(made(request, (was, contact("1001", 6002)), (now, contact("1001", 6002)))) == [(now, was)]
    others = msgspec.structs.replace(now, device="1001-desk")
    assert list(made(request, (was,), (others,))) == [(others, None)]
    assert list(made(request, (), (now,))) == [(now, None)]
    assert list(made(request, (was,), ())) == []
