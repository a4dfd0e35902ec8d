"""Why something ended is passed on in both directions (RFC 3326, RFC 6432), and kept."""

from __future__ import annotations

import pytest

from adapters.journal.codec import decode
from adapters.sip.message.message import Request, Response
from domain.call.call import Call
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, parties, talk

DESK = "127.0.0.1:6003"


def end_of(exchange: Exchange) -> Call.Ended:
    events = [decode(one.record.type, one.record.data) for one in exchange.journal.stored]
    (ended,) = [event for event in events if isinstance(event, Call.Ended)]
    return ended


@pytest.mark.parametrize("by", [ALICE, BOB])
def test_a_byes_reason_reaches_the_other_side_and_the_record(by: str) -> None:
    exchange = Exchange()
    _alice, _, answered, invite = talk(exchange)
    from_, to, call_id = answered.get("From"), answered.get("To"), answered.call_id
    if by == BOB:
        from_, to, call_id = f"{invite.get('To')};tag=b", invite.get("From"), invite.call_id
    exchange.send(
        by,
        f"BYE sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {by};branch=z9hG4bKbye\nFrom: {from_}\nTo: {to}\n"
        f'Call-ID: {call_id}\nCSeq: 77 BYE\nReason: Q.850;cause=41;text="circuit lost"',
    )
    bye = exchange.last(BOB if by == ALICE else ALICE)
    assert isinstance(bye, Request)
    assert bye.get_all("Reason") == ['Q.850;cause=41;text="circuit lost"']
    why = end_of(exchange).why
    assert (why.q850, why.reason) == (41, "circuit lost")


def test_a_cancels_reason_reaches_the_devices_and_the_record() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    trying = exchange.last(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert isinstance(trying, Response)
    bob.reply(invite, 180)
    exchange.send(
        ALICE,
        f"CANCEL sip:1002@acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch};rport\n"
        f"From: {trying.get('From')}\nTo: {trying.get('To')}\nCall-ID: call-1\nCSeq: {alice.cseq} CANCEL\n"
        'Reason: SIP;cause=200;text="Call completed elsewhere"',
    )
    cancel = exchange.last(BOB)
    assert isinstance(cancel, Request)
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert (end_of(exchange).outcome, end_of(exchange).why.q850) == ("cancelled", 26)


def test_who_lost_to_another_device_is_told_so() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    assert Phone(exchange, "1002", DESK).register().status == 200
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    (other,) = exchange.take(DESK)
    assert isinstance(invite, Request)
    assert isinstance(other, Request)
    Phone(exchange, "1002", DESK).reply(other, 180)
    bob.reply(invite, 200, SDP)
    (cancel,) = exchange.take(DESK)
    assert methods([cancel]) == ["CANCEL"]
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'


def test_a_refusals_reason_reaches_the_caller() -> None:
    exchange = Exchange()
    alice, _bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    exchange.send(
        BOB,
        f"SIP/2.0 480 Gone\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=b\n"
        f'Call-ID: {invite.call_id}\nCSeq: {invite.get("CSeq")}\nReason: Q.850;cause=20;text="subscriber absent"',
    )
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert (refused.status, refused.get("Reason")) == (480, 'Q.850;cause=20;text="subscriber absent"')
