"""MESSAGE outside calls: from extension to extension of one tenant, with one answer, and never kept."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.phone import ALICE, BOB, MALLORY, Phone, methods, parties

DESK = "127.0.0.1:6003"
WORDS = "the safe opens with 4711"


class Sender:
    """Alice's phone as it sends messages, or another's."""

    def __init__(self, exchange: Exchange, address: str = ALICE, user: str = "1001") -> None:
        self.exchange, self.address, self.user, self.cseq = exchange, address, user, 100

    def say(self, number: str = "1002", words: str = WORDS, extra: str = "", domain: str = "acme.example") -> None:
        uri = f"sip:{number}@{domain}"

        def send(credentials: str) -> None:
            self.cseq += 1
            self.exchange.send(
                self.address,
                f"MESSAGE {uri} SIP/2.0\nVia: SIP/2.0/UDP {self.address};branch=z9hG4bKm{self.cseq};rport\n"
                "Max-Forwards: 70\n"
                f"From: <sip:{self.user}@{domain}>;tag=m{self.user}\nTo: <{uri}>\nCall-ID: page\n"
                f"CSeq: {self.cseq} MESSAGE\n"
                f"Content-Type: text/plain\nUser-Agent: secret-maker{extra}{credentials}",
                words,
            )

        authorized(self.exchange, self.address, self.user, send, uri)


def reply(exchange: Exchange, address: str, status: int) -> None:
    (request,) = [one for one in exchange.take(address) if isinstance(one, Request)]
    exchange.send(
        address,
        f"SIP/2.0 {status} Whatever\nVia: {request.get('Via')}\nFrom: {request.get('From')}\n"
        f"To: {request.get('To')};tag=x\nCall-ID: {request.call_id}\nCSeq: {request.get('CSeq')}",
    )


def two_phones(exchange: Exchange) -> Sender:
    parties(exchange)
    assert Phone(exchange, "1002", DESK).register().status == 200
    exchange.take(DESK)
    return Sender(exchange)


def told(exchange: Exchange) -> list[int]:
    return [one.status for one in exchange.take(ALICE) if isinstance(one, Response)]


def test_a_message_reaches_the_phone_from_who_sent_it_and_is_not_kept() -> None:
    exchange = Exchange()
    parties(exchange)
    before = len(exchange.journal.stored)
    Sender(exchange).say(extra="\nSubject: hello")
    (request,) = exchange.take(BOB)
    assert isinstance(request, Request)
    assert (request.body.decode(), request.get("Content-Type"), request.get("Subject")) == (
        WORDS,
        "text/plain",
        "hello",
    )
    assert request.get("P-Asserted-Identity") == '"Alice" <sip:1001@acme.example>'
    assert (request.get("Max-Forwards"), request.get("User-Agent"), request.get("Contact")) == ("69", None, None)
    assert ALICE not in str(request.headers)
    assert "page" not in request.call_id
    exchange.send(
        BOB,
        f"SIP/2.0 200 OK\nVia: {request.get('Via')}\nFrom: {request.get('From')}\nTo: {request.get('To')};tag=x\n"
        f"Call-ID: {request.call_id}\nCSeq: {request.get('CSeq')}",
    )
    assert told(exchange) == [200]
    assert len(exchange.journal.stored) == before


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (200, 486, 200),
        (486, 200, 200),
        (486, 404, 486),
        (408, 408, 480),
        (503, 415, 415),
        (603, 404, 603),
        (407, 401, 480),
    ],
)
def test_every_phone_is_asked_and_one_answer_counts(first: int, second: int, status: int) -> None:
    exchange = Exchange()
    two_phones(exchange).say()
    reply(exchange, BOB, first)
    reply(exchange, DESK, second)
    assert told(exchange) == [status]


def test_a_phone_that_is_silent_does_not_keep_the_sender_waiting_for_ever() -> None:
    exchange = Exchange()
    two_phones(exchange).say()
    reply(exchange, BOB, 486)
    exchange.wait(31)
    assert told(exchange) == [100, 486]
    exchange.wait(60)
    assert told(exchange) == []


@pytest.mark.parametrize(("number", "status"), [("1003", 480), ("4711", 404)])
def test_nobody_to_ask_is_told_at_once(number: str, status: int) -> None:
    exchange = Exchange()
    parties(exchange)
    Sender(exchange).say(number)
    assert told(exchange) == [status]


def test_what_would_be_torn_up_on_its_way_is_refused() -> None:
    exchange = Exchange()
    parties(exchange)
    Sender(exchange).say(words="x" * 1300)
    assert told(exchange) == [513]
    assert exchange.take(BOB) == []


def test_nobody_is_paged_by_a_stranger_or_across_tenants() -> None:
    exchange = Exchange()
    parties(exchange)
    Sender(exchange).say(domain="globex.example")
    assert told(exchange) == [480]
    exchange.send(
        MALLORY,
        f"MESSAGE sip:1002@acme.example SIP/2.0\nVia: SIP/2.0/UDP {MALLORY};branch=z9hG4bKx\n"
        "From: <sip:1001@acme.example>;tag=1\nTo: <sip:1002@acme.example>\nCall-ID: x\nCSeq: 1 MESSAGE",
        "buy",
    )
    assert methods(exchange.take(MALLORY)) == ["401 MESSAGE"]
    assert exchange.take(BOB) == []


def test_a_repeated_message_is_delivered_once() -> None:
    exchange = Exchange()
    parties(exchange)
    sender = Sender(exchange)
    sender.say()
    reply(exchange, BOB, 200)
    exchange.wait(1)
    assert methods(exchange.take(BOB)) == []


def test_two_senders_may_choose_the_same_names() -> None:
    exchange = Exchange()
    parties(exchange)
    carol = "127.0.0.1:6003"
    Sender(exchange).say(words="from Alice")
    Sender(exchange, carol, "1003").say(words="from Carol")
    got = exchange.take(BOB)
    assert [one.body for one in got] == [b"from Alice", b"from Carol"]
