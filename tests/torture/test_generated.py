"""Thousands of malformed messages: answered right or not at all, nothing journaled, nobody else moved."""

from __future__ import annotations

import gc
import os
import random
import sys
import tracemalloc

import pytest

from adapters.sip.digest.challenge import answer
from adapters.sip.message.memo import Memo
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.parser import parse
from domain.values import Flow
from tests.switchlog.exchange import PASSWORD, SERVER, Exchange
from tests.switchlog.phone import ALICE, BOB, SDP, methods, parties, talk
from tests.torture.generator import ANOMALIES, METHODS, Malformed, malformed, request, spoil, spoil_line
from tests.torture.line import STRANGER, Line

COUNT = int(os.environ.get("TORTURE", "3000"))  # of 22,436; `make torture` takes all
SEED = int(os.environ.get("TORTURE_SEED", "4475"))

REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 413, 414, 415, 416, 420, 423, 481, 483, 484, 488, 501, 505, 513})
CALLS_PER_MESSAGE = 4_000
"""Python calls that the worst message may cost, whatever its length; a good INVITE costs about 150."""
GROWTH_BYTES = 50_000


def check(line: Line, spoilt: Malformed, said: list[tuple[str, Request | Response]]) -> None:
    """At most one answer to each request that is in the bytes, to the sender, and no good news."""
    for address, one in said:
        assert address == STRANGER, spoilt.name
        assert isinstance(one, Response), spoilt.name
        assert one.status in REFUSALS or (one.status == 200 and spoilt.method == "OPTIONS"), f"{spoilt.name}: {one}"
        assert len(one.serialise()) < len(spoilt.data) + 1_500, f"{spoilt.name}: an answer that amplifies"
    if spoilt.method == "ACK" and spoilt.field not in ("method", "cseq.method"):
        assert not said, f"{spoilt.name}: nobody answers an ACK"


def test_a_stranger_is_refused_and_moves_nothing() -> None:
    line = Line()
    alice, _, answered, _ = talk(line.exchange)
    line.exchange.take(ALICE)
    before = len(line.exchange.journal.stored)
    tally: dict[str, int] = {}
    for spoilt in malformed(SEED, COUNT):
        said = line.datagram(spoilt.data)
        assert len(said) <= 1, spoilt.name
        check(line, spoilt, said)
        what = str(said[0][1]) if said else "nothing"
        tally[what] = tally.get(what, 0) + 1
    print(dict(sorted(tally.items())))
    assert len(line.exchange.journal.stored) == before, "nothing of it is in the journal"
    assert line.exchange.board.open_calls == 1
    alice.within(answered, "BYE")
    assert methods(line.exchange.take(ALICE)) == ["200 BYE"]
    assert methods(line.exchange.take(BOB)) == ["BYE"]
    line.exchange.wait(100)
    assert len(line.exchange.layer) == 0, "no transaction stays"


def test_a_stranger_is_refused_on_streams_too() -> None:
    line = Line()
    for spoilt in malformed(SEED + 1, COUNT // 2):
        check(line, spoilt, line.stream(spoilt.data))
    assert line.exchange.journal.stored == []


WITHIN = (
    "uri.user", "uri.params", "max_forwards", "from.display", "to.display", "to.uri", "to.params", "contact.display",
    "contact.uri", "contact.params", "record_route", "expires", "user_agent", "name", "value", "content_type", "body",
    "call_id", "via.params", "cseq.number", "sdp.v", "sdp.o", "sdp.s", "sdp.c.net", "sdp.c.family", "sdp.c.host",
    "sdp.t", "sdp.m.media", "sdp.m.port", "sdp.m.profile", "sdp.m.formats", "sdp.a.rtpmap", "sdp.a.direction",
    "sdp.a.crypto",
)  # fmt: skip


def proven(line: Line, spoilt: Malformed) -> list[tuple[str, Request | Response]]:
    """The spoilt request from a user whose password is right: what it does once it is let in."""
    said = line.datagram(spoilt.data)
    if not said or not isinstance(said[0][1], Response) or said[0][1].status != 401:
        return said
    message = parse(spoilt.data)
    assert isinstance(message, Request)
    challenge = said[0][1].get_all("WWW-Authenticate")[1]
    value = answer(challenge, message.method, message.uri, "1001", PASSWORD, "cn").encode()
    again = spoilt.data.replace(b"\r\nVia", b"\r\nAuthorization: " + value + b"\r\nVia", 1)
    return line.datagram(again.replace(b"branch=z9hG4bK", b"branch=z9hG4bKp", 1))


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_a_user_breaks_nothing_that_a_restart_trips_over(method: str) -> None:
    chance = random.Random(SEED)
    kinds = [(field, how) for field in WITHIN for how in ANOMALIES]
    chance.shuffle(kinds)
    line = Line()
    parties(line.exchange)
    line.exchange.take(BOB)
    rest = {"to__uri": "sip:1001@acme.example"} if method == "REGISTER" else {}
    for number, (field, how) in enumerate(kinds[: COUNT // 4]):
        said = proven(line, spoil(method, field, how, number, chance, **rest))
        for address, one in said:
            assert address in (STRANGER, BOB, ALICE, "192.0.2.77:5060") or isinstance(one, Request), one
        if number % 40 == 0:
            line.exchange.wait(70)
    restarted = Exchange(line.exchange.journal, epoch=2, start_s=line.exchange.clock_s)
    restarted.wait(400)
    assert restarted.board.open_calls == 0, "every call has its end"


def test_a_phone_that_answers_nonsense_breaks_no_call_but_its_own() -> None:
    chance = random.Random(SEED)
    line = Line()
    exchange = line.exchange
    alice, bob = parties(exchange)
    kinds = [(status, how) for status in (100, 180, 183, 200, 302, 486, 999) for how in ANOMALIES]
    for number, (status, how) in enumerate(kinds):
        bob.register()
        exchange.take(BOB)
        alice.invite("1002", call_id=f"call-{number}")
        (invite,) = [one for one in exchange.take(BOB) if isinstance(one, Request) and one.method == "INVITE"]
        assert isinstance(invite, Request)
        vias = "".join(f"Via: {via}\r\n" for via in invite.get_all("Via"))
        good = (
            f"SIP/2.0 {status} Whatever\r\n{vias}From: {invite.get('From')}\r\nTo: {invite.get('To')};tag=b\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: {invite.get('CSeq')}\r\nContact: <sip:1002@{BOB}>\r\n"
            f"Record-Route: <sip:{BOB};lr>\r\nContent-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
        ).encode()
        line.datagram(spoil_line(good, how, chance), BOB)
        bob.reply(invite, 486)
        exchange.wait(70)
        exchange.take(ALICE)
        exchange.take(BOB)
    restarted = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    restarted.wait(400)
    assert restarted.board.open_calls == 0


def test_no_message_costs_more_than_a_bounded_number_of_steps() -> None:
    line = Line()
    steps = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal steps
        steps += event == "call"

    worst = (0, "")
    for spoilt in malformed(SEED + 2, 600):
        steps = 0
        sys.setprofile(count)
        try:
            line.datagram(spoilt.data)
        finally:
            sys.setprofile(None)
        worst = max(worst, (steps, spoilt.name))
    print(worst)
    assert worst[0] <= CALLS_PER_MESSAGE, worst


def test_memory_is_flat() -> None:
    line = Line()

    def held_bytes(seed: int) -> int:
        for spoilt in malformed(seed, 400):
            line.datagram(spoilt.data)
        line.exchange.wait(100)
        line.exchange.sent.clear()
        line.exchange.wire.clear()
        for memo in [one for one in gc.get_objects() if isinstance(one, Memo)]:
            memo._values.clear()  # bounded, and tested for it
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        held_bytes(1)
        first, second = held_bytes(2), held_bytes(3)
    finally:
        tracemalloc.stop()
    assert second - first < GROWTH_BYTES


def test_the_same_seed_makes_the_same_messages() -> None:
    assert list(malformed(7, 200)) == list(malformed(7, 200))
    assert list(malformed(7, 200)) != list(malformed(8, 200))


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_spoilt_is_a_good_message(method: str) -> None:
    message = parse(request(method, 1))
    assert isinstance(message, Request)
    _ = message.via, message.from_, message.to, message.cseq, message.get_all("Contact")
    assert message.method == method
    with pytest.raises(MessageError):
        parse(request(method, 1, cseq__number="x"))


def test_the_line_tells_our_own_faults() -> None:
    line = Line()
    line.exchange.application.receive = None  # type: ignore[assignment, method-assign]
    with pytest.raises(AssertionError, match="a fault of ours"):
        line.datagram(request("OPTIONS", 1))
    assert Flow("udp", SERVER, STRANGER).remote == STRANGER
