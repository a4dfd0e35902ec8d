"""Phones that move in mid-call: who proves to be the phone is followed, who only knows the tags is not."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import PASSWORD, Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, MALLORY, SDP, Phone, methods, parties
from tests.switchlog.test_exchange_identity import invite_as_nobody

HOME, AWAY, FURTHER = "203.0.113.9:40000", "203.0.113.9:40001", "198.51.100.3:1024"
PRIVATE = "192.168.1.20:5060"


class Nat:
    """An exchange as a phone behind NAT sees it: whatever it sends comes from `source`."""

    def __init__(self, exchange: Exchange, source: str) -> None:
        self.exchange, self.source = exchange, source

    def send(self, address: str, text: str, body: str = "", transport: str = "udp") -> None:
        self.exchange.send(self.source, text, body, transport)

    def last(self, address: str) -> Request | Response:
        return self.exchange.last(self.source)

    def take(self, address: str) -> list[Request | Response]:
        return self.exchange.take(self.source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)


class Talk:
    """Alice calls Bob, who is behind NAT. `dialog` is the call as Bob's requests name it."""

    def __init__(self, exchange: Exchange, domain: str = "acme.example") -> None:
        self.exchange, self.nat = exchange, Nat(exchange, HOME)
        self.alice, self.bob = Phone(exchange, "1001", ALICE), Phone(self.nat, "1002", PRIVATE)  # type: ignore[arg-type]
        assert self.alice.register().status == self.bob.register().status == 200
        self.alice.invite("1002")
        (invite,) = exchange.take(HOME)
        assert isinstance(invite, Request)
        self.bob.reply(invite, 200, SDP)
        answered = exchange.last(ALICE)
        assert isinstance(answered, Response)
        self.answered, self.invite = answered, invite
        self.alice.within(answered, "ACK")
        exchange.take(HOME)
        to, from_ = f"{invite.get('To')};tag=b", invite.get("From") or ""
        self.dialog = Response(200, "", [
            ("From", to), ("To", from_), ("Call-ID", invite.call_id), ("Contact", invite.get("Contact") or ""),
        ])  # fmt: skip
        self.bob.cseq = 500

    def hold(self, method: str = "INVITE", extra: str = "") -> list[Request | Response]:
        """Bob asks for other media; what is said to where he asked from."""
        self.bob.within(self.dialog, method, HOLD, extra=extra)
        return self.exchange.take(self.nat.source)

    def prove(self, refused: Request | Response, method: str = "INVITE", username: str = "1002") -> str:
        assert isinstance(refused, Response)
        value = refused.get_all("WWW-Authenticate")[0]
        uri = (self.invite.get("Contact") or "").strip("<>")
        return f"\nAuthorization: {answer(value, method, uri, username, PASSWORD, 'cn')}"

    def hang_up(self) -> list[str]:
        """Alice ends it; the places at which Bob is told, in their order."""
        self.alice.within(self.answered, "BYE")
        return [place for place in (HOME, AWAY, FURTHER, MALLORY) if "BYE" in methods(self.exchange.take(place))]


class CallerTalk:
    """Alice, who is behind NAT and listens at `listens`, calls Bob."""

    def __init__(self, listens: str = PRIVATE, extra: str = "") -> None:
        self.exchange = Exchange()
        self.nat = Nat(self.exchange, HOME)
        self.alice = Phone(self.nat, "1001", listens)  # type: ignore[arg-type]
        self._bob = Phone(self.exchange, "1002", BOB)
        assert self.alice.register().status == self._bob.register().status == 200
        self.alice.invite("1002", extra=extra)
        (invite,) = self.exchange.take(BOB)
        assert isinstance(invite, Request)
        self._bob.reply(invite, 200, SDP)
        answered = self.exchange.last(HOME)
        assert isinstance(answered, Response)
        self._invite, self.answered = invite, answered
        self.alice.within(answered, "ACK")
        self.exchange.take(BOB)

    def bob_hangs_up(self) -> None:
        invite, self._bob.cseq = self._invite, 500
        to, from_ = f"{invite.get('To')};tag=b", invite.get("From") or ""
        self._bob.within(
            Response(200, "", [("From", to), ("To", from_), ("Call-ID", invite.call_id), ("Contact", "<sip:x@y>")]),
            "BYE",
        )


@pytest.fixture
def talk() -> Talk:
    return Talk(Exchange())


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("place", [AWAY, FURTHER])
def test_a_phone_that_asks_for_other_media_from_elsewhere_proves_itself_and_is_followed(
    talk: Talk, method: str, place: str
) -> None:
    talk.nat.source = place
    (refused,) = talk.hold(method)
    assert methods([refused]) == [f"401 {method}"]
    assert methods(talk.exchange.take(ALICE)) == [], "Alice is not disturbed before"
    talk.hold(method, talk.prove(refused, method))
    (offer,) = talk.exchange.take(ALICE)
    assert isinstance(offer, Request)
    assert offer.body.decode() == HOLD
    talk.alice.reply(offer, 200, SDP)
    assert f"200 {method}" in methods(talk.exchange.take(place))
    assert talk.hang_up() == [place]


def test_who_is_where_it_was_known_is_not_asked(talk: Talk) -> None:
    assert "401 INVITE" not in methods(talk.hold())
    assert methods(talk.exchange.take(ALICE)) == ["INVITE"]


def test_once_followed_it_is_not_asked_again(talk: Talk) -> None:
    for place in (AWAY, HOME):
        talk.nat.source = place
        (refused,) = talk.hold("UPDATE")
        talk.hold("UPDATE", talk.prove(refused, "UPDATE"))
        (offer,) = talk.exchange.take(ALICE)
        assert isinstance(offer, Request)
        talk.alice.reply(offer, 200, SDP)
        talk.exchange.take(place)
        assert methods(talk.hold("UPDATE")) == ["200 UPDATE"]
    assert talk.hang_up() == [HOME]


def test_a_stranger_who_knows_the_tags_neither_diverts_the_call_nor_changes_its_media(talk: Talk) -> None:
    talk.nat.source = MALLORY
    (refused,) = talk.hold()
    assert methods([refused]) == ["401 INVITE"]
    assert methods(talk.hold(extra=talk.prove(refused, username="1003"))) == ["403 INVITE"], "a colleague is a stranger"
    assert methods(talk.exchange.take(ALICE)) == []
    assert talk.hang_up() == [HOME]


def test_a_phone_that_registers_anew_from_elsewhere_is_followed(talk: Talk) -> None:
    for place in (AWAY, FURTHER, HOME, AWAY):
        talk.nat.source = place
        assert talk.bob.register().status == 200
    assert talk.hang_up() == [AWAY]


def test_a_phone_that_registers_again_where_it_was_is_there_again(talk: Talk) -> None:
    talk.nat.source = AWAY
    (refused,) = talk.hold()
    talk.hold(extra=talk.prove(refused))
    talk.exchange.take(ALICE)
    talk.nat.source = HOME
    assert talk.bob.register().status == 200
    assert talk.hang_up() == [HOME]


def test_another_phone_that_registers_with_the_same_user_name_takes_no_call_over(talk: Talk) -> None:
    talk.nat.source = AWAY
    other = Phone(talk.nat, "1002", "192.168.7.7:5060")  # type: ignore[arg-type]
    assert other.register().status == 200
    assert talk.hang_up() == [HOME]


def test_a_caller_that_moves_is_followed_too() -> None:
    talk = CallerTalk()
    talk.nat.source = AWAY
    assert talk.alice.register().status == 200
    talk.bob_hangs_up()
    assert methods(talk.exchange.take(AWAY)) == ["BYE"]


def test_a_caller_that_shows_no_domain_proves_itself_by_the_tenants_main_one() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    invite_as_nobody(exchange)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 200, SDP)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    exchange.send(
        MALLORY,
        f"UPDATE sip:x@y SIP/2.0\nVia: SIP/2.0/UDP {MALLORY};branch=z9hG4bKm\nFrom: {answered.get('From')}\n"
        f"To: {answered.get('To')}\nCall-ID: {answered.call_id}\nCSeq: 500 UPDATE\nContact: <sip:m@{MALLORY}>",
    )
    refused = exchange.last(MALLORY)
    assert isinstance(refused, Response)
    assert refused.status == 401
    assert 'realm="acme.example"' in refused.get_all("WWW-Authenticate")[0]


# --- a move is of its dialog


@pytest.mark.parametrize("end", ["it leaves", "it expires"])
def test_a_phone_that_comes_back_after_its_binding_ended_is_called_where_it_is(end: str) -> None:
    exchange = Exchange()
    nat = Nat(exchange, HOME)
    alice, bob = Phone(exchange, "1001", ALICE), Phone(nat, "1002", PRIVATE)  # type: ignore[arg-type]
    assert alice.register(3600).status == bob.register().status == 200
    nat.source = AWAY
    assert bob.register(60).status == 200
    if end == "it leaves":
        assert bob.register(0).status == 200
    exchange.wait(120)
    nat.source = HOME
    assert bob.register().status == 200
    exchange.take(HOME)
    alice.invite("1002")
    assert methods(exchange.take(HOME)) == ["INVITE"]
    assert methods(exchange.take(AWAY)) == []


def test_a_move_in_one_call_moves_no_later_call() -> None:
    talk = Talk(Exchange())
    talk.nat.source = AWAY
    (refused,) = talk.hold()
    talk.hold(extra=talk.prove(refused))
    talk.exchange.take(AWAY)
    talk.alice.invite("1002", call_id="call-2")
    assert methods(talk.exchange.take(HOME)) == ["INVITE"]


def test_a_phone_that_answers_where_it_was_called_is_there_whatever_it_registered_meanwhile() -> None:
    exchange = Exchange()
    nat = Nat(exchange, HOME)
    alice, bob = Phone(exchange, "1001", ALICE), Phone(nat, "1002", PRIVATE)  # type: ignore[arg-type]
    assert alice.register().status == bob.register().status == 200
    alice.invite("1002")
    (invite,) = exchange.take(HOME)
    assert isinstance(invite, Request)
    nat.source = AWAY
    assert bob.register().status == 200
    nat.source = HOME
    bob.reply(invite, 200, SDP)
    assert methods(exchange.take(HOME)) == ["ACK"]


@pytest.mark.parametrize("proof", ["REGISTER", "INVITE"])
def test_a_phone_that_is_back_where_its_call_began_is_told_there(talk: Talk, proof: str) -> None:
    talk.nat.source = AWAY
    assert talk.bob.register().status == 200
    assert talk.bob.register(0).status == 200
    talk.exchange.wait(1)
    talk.nat.source = HOME
    if proof == "REGISTER":
        assert talk.bob.register().status == 200
    else:
        talk.bob.invite("1001", call_id="call-2")
    talk.exchange.take(HOME)
    assert talk.hang_up() == [HOME]


def test_the_same_number_of_moves_is_kept_as_of_calls_whoever_registers_how_often() -> None:
    exchange = Exchange()
    nat = Nat(exchange, HOME)
    bob = Phone(nat, "1002", PRIVATE)  # type: ignore[arg-type]
    for port in range(100):
        nat.source = f"203.0.113.9:{port + 1}"
        assert bob.register().status == 200
    assert len(exchange.moves) == 0


# --- behind proxies


def test_a_call_with_a_route_set_goes_to_its_proxy_wherever_its_phone_registers() -> None:
    talk = CallerTalk(extra=f"\nRecord-Route: <sip:{HOME};lr>")
    talk.nat.source = FURTHER
    assert talk.alice.register().status == 200
    talk.exchange.take(HOME)
    talk.bob_hangs_up()
    assert methods(talk.exchange.take(HOME)) == ["BYE"]


def test_a_phone_behind_proxies_is_not_asked_whichever_of_them_it_takes() -> None:
    talk = CallerTalk(extra=f"\nRecord-Route: <sip:{HOME};lr>")
    talk.nat.source = FURTHER
    talk.alice.within(talk.answered, "UPDATE", HOLD)
    assert methods(talk.exchange.take(BOB)) == ["INVITE"]


@pytest.mark.parametrize("before", ["", "\nSupported: path\nPath: <sip:203.0.113.50;lr>"])
def test_a_binding_behind_a_proxy_moves_no_call(talk: Talk, before: str) -> None:
    talk.nat.source = FURTHER
    path = "\nSupported: path\nPath: <sip:198.51.100.3:1024;lr>"
    register(talk, path)
    talk.nat.source = AWAY
    register(talk, before)
    assert talk.hang_up() == [HOME]


def register(talk: Talk, extra: str) -> None:
    """As `Phone.register`, with more headers."""
    phone, source = talk.bob, talk.nat.source

    def send(more: str) -> None:
        phone.cseq += 1
        talk.exchange.send(
            source,
            f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {PRIVATE};rport;branch=z9hG4bKr{phone.cseq}\n"
            f"From: <sip:1002@acme.example>;tag=r\nTo: <sip:1002@acme.example>\nCall-ID: reg-{PRIVATE}\n"
            f"CSeq: {phone.cseq} REGISTER\nContact: <sip:1002@{PRIVATE}>;expires=300{extra}{more}",
        )

    send("")
    challenge = talk.exchange.last(source).get_all("WWW-Authenticate")[0]
    send(f"\nAuthorization: {answer(challenge, 'REGISTER', 'sip:acme.example', '1002', PASSWORD, 'cn')}")
    granted = talk.exchange.last(source)
    assert isinstance(granted, Response)
    assert granted.status == 200


# --- strangers who know the tags


NEIGHBOUR = "203.0.113.9:55555"
"""Behind the same public address as Bob."""


@pytest.mark.parametrize("contact", [HOME, PRIVATE, NEIGHBOUR])
def test_what_a_stranger_writes_in_its_contact_proves_nothing(talk: Talk, contact: str) -> None:
    talk.nat.source = NEIGHBOUR
    talk.bob.address = contact
    for method in ("UPDATE", "INVITE"):
        assert methods(talk.hold(method)) == [f"401 {method}"]
    assert methods(talk.exchange.take(ALICE)) == []
    assert talk.hang_up() == [HOME]


def test_the_place_that_a_phone_left_proves_nothing_any_more(talk: Talk) -> None:
    talk.nat.source = AWAY
    assert talk.bob.register().status == 200
    talk.bob.address = AWAY
    talk.nat.source = HOME
    assert methods(talk.hold("UPDATE"))[-1:] == ["401 UPDATE"]


def test_a_phone_that_sends_from_another_port_than_it_listens_on_is_asked_once_at_most() -> None:
    exchange = Exchange()
    talk = Talk(exchange)
    talk.nat.source = AWAY
    talk.bob.address = HOME
    (refused,) = talk.hold("UPDATE")
    assert methods(talk.hold("UPDATE", talk.prove(refused, "UPDATE"))) == []
    (offer,) = exchange.take(ALICE)
    assert isinstance(offer, Request)
    talk.alice.reply(offer, 200, SDP)
    exchange.take(AWAY)
    exchange.take(HOME)
    assert methods(talk.hold("UPDATE")) == ["200 UPDATE"]
    assert talk.hang_up() == [HOME]


def test_a_caller_that_listens_on_another_port_is_not_asked_where_its_invite_came_from() -> None:
    talk = CallerTalk(listens=AWAY)
    talk.alice.within(talk.answered, "UPDATE", HOLD)
    assert methods(talk.exchange.take(BOB)) == ["INVITE"]
