"""A call's story: what it says that we said is, byte for byte, what we said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec
import pytest

from adapters.journal.codec import decode
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.message import Request, Response
from adapters.sip.message.text import to_wire
from switchlog.cli.ladder import draw
from switchlog.query.story import Story, tell
from tests.switchlog import test_exchange_early as early_media
from tests.switchlog import test_exchange_offer as offer
from tests.switchlog import test_exchange_reliable as progress
from tests.switchlog import test_exchange_session as session
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, parties, talk


def told(exchange: Exchange) -> Story:
    """The story of the one call in the journal."""
    (stream,) = {one.record.stream for one in exchange.journal.stored if one.record.category == "calls"}
    story = tell(exchange.journal.read(stream), decode, SipIdentifiers(b"k" * 32))
    assert story is not None
    return story


def said(exchange: Exchange) -> list[bytes]:
    """What phones were really told, without registrations, challenges, and what is said without an event."""
    silent = re.compile(rb"\ASIP/2.0 401 |\r\nCSeq: [0-9]+ REGISTER\r\n")
    return [data for _, data in exchange.wire if not silent.search(data)]


def hung_up(exchange: Exchange) -> None:
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")


def held(exchange: Exchange) -> None:
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    reinvite = exchange.last(BOB)
    assert isinstance(reinvite, Request)
    bob.reply(reinvite, 200, SDP)


def cancelled(exchange: Exchange) -> None:
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 180)
    ringing = exchange.last(ALICE)
    assert isinstance(ringing, Response)
    alice.within(ringing, "CANCEL", branch=branch)


def unknown(exchange: Exchange) -> None:
    alice, _ = parties(exchange)
    alice.invite("4711")


def offered_late(exchange: Exchange) -> None:
    alice, _, _, answered = offer.answered_late(exchange)
    alice.within(answered, "ACK", offer.ANSWER)


def reliable(exchange: Exchange) -> None:
    alice, bob, invite = progress.invited(exchange, "\nSupported: 100rel")
    progress.progress(bob, invite, 1, 183, SDP)
    progress.prack(alice, progress.heard(exchange))


def early(exchange: Exchange) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 183, SDP)


@pytest.mark.parametrize("play", [hung_up, held, unknown, early, offered_late, reliable])
def test_what_was_said_is_told_byte_for_byte(play: Callable[[Exchange], None]) -> None:
    exchange = Exchange()
    play(exchange)
    messages = [to_wire(message.raw) for step in told(exchange).steps for message in step.said]
    assert messages == said(exchange)
    assert len(messages) >= 1


def test_a_cancelled_call_is_told_with_its_cancel() -> None:
    """The 200 of the CANCEL itself leaves no event."""
    exchange = Exchange()
    cancelled(exchange)
    story = told(exchange)
    assert story.steps[-1].heard is not None
    assert story.steps[-1].heard.line == "CANCEL"
    assert sorted(one.line for one in story.steps[-1].said) == ["487 Request Terminated (INVITE)", "CANCEL"]
    wire = {data for _, data in exchange.wire}
    assert {to_wire(one.raw) for one in story.steps[-1].said} <= wire


def test_events_stand_beside_the_messages_that_caused_them() -> None:
    exchange = Exchange()
    hung_up(exchange)
    story = told(exchange)
    found = [(step.heard.line if step.heard else "", [one.type for one in step.events]) for step in story.steps]
    assert found == [
        ("INVITE", ["call.offered", "call.routed", "call.legs_dialed"]),
        ("180 (INVITE)", ["call.leg_ringing"]),
        ("200 OK (INVITE)", ["call.connected"]),
        ("BYE", ["call.ended"]),
    ]
    assert [one.sequence for step in story.steps for one in step.events] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("status", [200, 488])
@pytest.mark.parametrize("updates", [True, False])
def test_an_answer_is_told_with_what_it_answers(updates: bool, status: int) -> None:
    method = "UPDATE" if updates else "INVITE"
    exchange = Exchange()
    alice, bob, answered, _ = session.talk(exchange, callee=session.UPDATES if updates else "")
    alice.within(answered, "UPDATE", HOLD)
    bob.reply(session.request(exchange, BOB), status, SDP if status == 200 else "")
    *_, asked, final = told(exchange).steps
    assert [asked.heard and asked.heard.line, *(one.line for one in asked.said)] == ["UPDATE", method]
    assert final.heard is not None
    assert re.fullmatch(rf"{status} .* \({method}\)", final.heard.line)


@pytest.mark.parametrize("updates", [True, False])
def test_our_refresh_is_told_with_its_answer(updates: bool) -> None:
    timer = f"{session.TIMER}\nSession-Expires: 100;refresher=uac"
    exchange = Exchange()
    _, bob, _, _ = session.talk(exchange, callee=timer + (session.UPDATES if updates else ""))
    exchange.wait(50.2)
    bob.reply(session.request(exchange, BOB), 200, "" if updates else SDP, extra=timer)
    method = "UPDATE" if updates else "INVITE"
    *_, asked, final = told(exchange).steps
    assert [one.line for one in asked.said] == [method]
    assert final.heard is not None
    assert final.heard.line == f"200 OK ({method})"


def test_early_offers_are_told() -> None:
    exchange = Exchange()
    alice, bob, _, ringing = early_media.early(exchange)
    alice.within(ringing, "UPDATE", HOLD)
    bob.reply(early_media.only_request(exchange), 200, SDP)
    heard = [step.heard.line for step in told(exchange).steps if step.heard]
    assert heard[-2:] == ["UPDATE", "200 OK (UPDATE)"]


def test_a_probe_has_its_arrow() -> None:
    exchange = Exchange(probe_s=60)
    talk(exchange)
    exchange.wait(61)
    story = told(exchange)
    probes = [one for step in story.steps for one in step.said if one.line == "OPTIONS"]
    assert sorted(one.leg for one in probes) == sorted(party.leg for party in story.parties)
    assert {one.raw for one in probes} == {""}, "what it says is nowhere kept"
    rows = list(draw(json.loads(msgspec.json.encode(story))))
    assert any(re.search(r"\|<-+ OPTIONS -+\|", row) for row in rows)
    assert any(re.search(r"\|-+ OPTIONS -+>\|", row) for row in rows)


def test_a_take_over_is_marked() -> None:
    before = Exchange()
    alice, _, answered, _ = talk(before)
    after = Exchange(before.journal, epoch=2, start_s=5)
    alice.exchange = after
    alice.within(answered, "BYE")
    assert [step.takeover for step in told(after).steps] == [False, False, False, True]


def test_media_keys_are_not_told() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    alice.invite("1002", SDP + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0LWtleQ\r\n")
    text = msgspec.json.encode(told(exchange)).decode()
    assert "inline:***" in text
    assert "c2VjcmV0LWtleQ" not in text


def test_a_stream_of_something_else_has_no_story() -> None:
    exchange = Exchange()
    parties(exchange)
    stream = exchange.journal.stored[0].record.stream
    assert tell(exchange.journal.read(stream), decode, SipIdentifiers(b"k" * 32)) is None


def test_the_ladder_shows_each_message_in_its_lane() -> None:
    exchange = Exchange()
    hung_up(exchange)
    lines = list(draw(json.loads(msgspec.json.encode(told(exchange)))))
    assert lines[0].split() == ["1001", "switchlog", "1002", "events"]
    rows = [line[15:] for line in lines[1:]]
    assert re.match(r"\|-+ INVITE -+>\| +\|", rows[0])
    assert "call.offered  1001" in rows[0]
    assert any(re.match(r"\|<-+ 100 Trying \(INVITE\) -+\| +\|", row) for row in rows)
    assert any(re.match(r"\| +\|-+ INVITE -+>\|", row) for row in rows)
    assert any(re.match(r"\| +\|<-+ 200 OK \(INVITE\) -+\|", row) for row in rows)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("Ringing", "- 180 Ringing (INVITE) -"),
        ("Unauthorized Guest", " 180 Unauthorized Guest "),
        ("Session Interval Too Small", " 180 Session Interval.. "),
    ],
)
def test_a_long_reason_loses_its_method_before_its_words(reason: str, shown: str) -> None:
    text = json.dumps(_hostile()).replace("180 Ringing", f"180 {reason}")
    assert any(shown in line for line in draw(json.loads(text)))


def test_a_strangers_words_cannot_steer_the_terminal() -> None:
    assert all(line.isprintable() for line in draw(_hostile()))


def _hostile() -> dict[str, object]:
    exchange = Exchange()
    hung_up(exchange)
    story: dict[str, object] = json.loads(msgspec.json.encode(told(exchange)))
    text = json.dumps(story).replace("Trying", "\\u001b[2J").replace("asks for", "\\u0007")
    return dict(json.loads(text))
