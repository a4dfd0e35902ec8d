"""Client against server layer over a link that loses messages: what both users see stays the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.message import Request
from adapters.sip.transaction.event import (
    AckReceived,
    CancelReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    TransportFailed,
    Unacknowledged,
)
from adapters.sip.transaction.key import ServerKey
from tests.adapters.sip.pair import Pair, make_request, make_response

LOSSES = st.sets(st.integers(0, 14), max_size=4)


class Caller:
    """Acknowledges every final response, as a TU does."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        pair.on_client = self.hear

    def hear(self, event: Event) -> None:
        if not isinstance(event, ResponseReceived) or event.key.method != "INVITE":
            return
        if 200 <= event.response.status < 300:
            ack = make_request("ACK", "z9hG4bK.ack", self.pair.transport.upper(), event.response.to.tag)
            self.pair.client.acknowledge(event.key, ack, self.pair.out, self.pair.now)
        elif event.ack is not None or event.ack is not None:
            self.pair.client.acknowledge(event.key, *event.ack, self.pair.now)


class Callee:
    """Answers each request with `statuses`; a CANCEL with 200, and the INVITE behind it with 487."""

    def __init__(self, pair: Pair, *statuses: int) -> None:
        self.pair = pair
        self.statuses = statuses
        self.requests: dict[ServerKey, Request] = {}
        pair.on_server = self.hear

    def hear(self, event: Event) -> None:
        layer, now = self.pair.server, self.pair.now
        if isinstance(event, RequestReceived):
            self.requests[event.key] = event.request
            for status in self.statuses:
                layer.respond(event.key, make_response(event.request, status), now)
        elif isinstance(event, AckReceived) and event.key is not None:
            layer.acknowledged(event.key, now)
        elif isinstance(event, CancelReceived):
            status = 200 if event.invite_key else 481
            layer.respond(event.key, make_response(event.request, status), now)
            if event.invite_key:
                invite = self.requests[event.invite_key]
                layer.respond(event.invite_key, make_response(invite, 487), now)


def _of(events: list[Event], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def _assert_forgotten(pair: Pair) -> None:
    pair.advance(100)
    assert len(pair.client) == 0
    assert len(pair.server) == 0
    assert pair.client.next_timer() is None
    assert pair.server.next_timer() is None


@given(LOSSES)
def test_answered_invite_survives_losses(lost: set[int]) -> None:
    pair = Pair(lost=lost)
    Caller(pair)
    Callee(pair, 100, 180, 200)
    pair.start("INVITE")
    pair.advance(60)
    assert pair.finals() == [200]
    assert len(_of(pair.server_saw, RequestReceived)) == 1
    assert _of(pair.server_saw, AckReceived)
    assert not _of(pair.server_saw, Unacknowledged)
    assert not _of(pair.client_saw, TimedOut)
    _assert_forgotten(pair)


@given(LOSSES)
def test_rejected_invite_survives_losses(lost: set[int]) -> None:
    pair = Pair(lost=lost)
    Caller(pair)
    Callee(pair, 100, 486)
    pair.start("INVITE")
    pair.advance(60)
    assert pair.finals() == [486]
    assert len(pair.server_saw) == 1  # the ACK of a 486 is no news for the TU
    _assert_forgotten(pair)


@given(LOSSES)
def test_request_survives_losses(lost: set[int]) -> None:
    pair = Pair(lost=lost)
    Callee(pair, 200)
    pair.start("REGISTER")
    pair.advance(60)
    assert pair.finals() == [200]
    assert len(pair.server_saw) == 1
    _assert_forgotten(pair)


@given(LOSSES)
def test_cancel_survives_losses(lost: set[int]) -> None:
    pair = Pair(lost=lost)
    Caller(pair)
    Callee(pair, 180)
    key = pair.start("INVITE")
    pair.client.cancel(key, pair.now, [("Reason", "SIP;cause=200")])
    pair.settle()
    pair.advance(60)
    assert sorted(pair.finals()) == [200, 487]
    cancel = _of(pair.server_saw, CancelReceived)[0]
    assert isinstance(cancel, CancelReceived)
    assert cancel.request.get("Reason") == "SIP;cause=200"
    assert cancel.request.get("Route") == "<sip:edge.example;lr>"
    assert cancel.request.cseq.number == 7
    _assert_forgotten(pair)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize(("method", "statuses", "messages"), [("INVITE", (100, 486), 4), ("OPTIONS", (200,), 2)])
def test_reliable_transport_sends_each_message_once(
    transport: str, method: str, statuses: tuple[int, ...], messages: int
) -> None:
    pair = Pair(transport)
    Caller(pair)
    Callee(pair, *statuses)
    pair.start(method)
    pair.advance(1)
    assert len(pair.sent) == messages
    assert len(pair.client) == 0
    assert len(pair.server) == 0


def test_silent_peer_times_out_an_invite_after_64_t1() -> None:
    pair = Pair(lost=range(1000))
    key = pair.start("INVITE")
    pair.advance(31.9)
    assert not pair.client_saw
    pair.advance(0.2)
    assert pair.client_saw == [TimedOut(key)]
    assert [at - 100 for at, _ in pair.sent] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_silent_peer_times_out_a_request_after_64_t1() -> None:
    pair = Pair(lost=range(1000))
    key = pair.start("OPTIONS")
    pair.advance(33)
    assert pair.client_saw == [TimedOut(key)]
    expected = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert [at - 100 for at, _ in pair.sent] == expected


def test_after_a_provisional_a_request_is_repeated_every_t2() -> None:
    pair = Pair()
    Callee(pair, 100)
    key = pair.start("OPTIONS")
    pair.advance(40)
    assert [at - 100 for at, text in pair.sent if text.startswith("OPTIONS")] == [
        *(0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)
    ]
    assert pair.client_saw[-1] == TimedOut(key)


def test_unacknowledged_rejection_is_repeated_and_forgotten() -> None:
    pair = Pair(lost=range(2, 1000))  # the INVITE and nothing after its 486 arrives
    Callee(pair, 486)
    pair.start("INVITE")
    pair.advance(40)
    assert pair.count("486") == 11
    assert len(pair.server) == 0
    assert not _of(pair.server_saw, Unacknowledged)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_unacknowledged_answer_is_told_on_every_transport(transport: str) -> None:
    pair = Pair(transport)
    Callee(pair, 200)  # the client's TU sends no ACK
    pair.start("INVITE")
    pair.advance(31.9)
    assert not _of(pair.server_saw, Unacknowledged)
    pair.advance(0.2)
    assert len(_of(pair.server_saw, Unacknowledged)) == 1
    assert pair.count("200") == 11
    assert pair.finals() == [200]


def test_acknowledged_answer_is_not_repeated() -> None:
    pair = Pair("tcp")
    Caller(pair)
    Callee(pair, 200)
    pair.start("INVITE")
    pair.advance(40)
    assert pair.count("200") == 1
    assert pair.count("ACK") == 1


def test_invite_repeated_while_the_user_thinks_is_absorbed() -> None:
    pair = Pair()
    pair.start("INVITE")
    pair.advance(10)
    assert pair.count("INVITE") == 5
    assert len(pair.server_saw) == 1
    assert len(pair.sent) == 5  # no 100 of the layer's own
    event = pair.server_saw[0]
    assert isinstance(event, RequestReceived)
    assert pair.server.respond(event.key, make_response(event.request, 180), pair.now)
    pair.settle()
    pair.advance(10)
    assert pair.count("INVITE") == 5  # the provisional stopped them


def test_cancel_waits_for_a_provisional_response() -> None:
    pair = Pair()
    callee = Callee(pair)
    key = pair.start("INVITE")
    assert pair.client.cancel(key, pair.now)
    pair.settle()
    assert pair.count("CANCEL") == 0
    server_key, invite = next(iter(callee.requests.items()))
    pair.server.respond(server_key, make_response(invite, 100), pair.now)
    pair.settle()
    assert pair.count("CANCEL") == 1
    assert sorted(pair.finals()) == [200, 487]


def test_cancel_is_not_sent_if_a_final_response_is_first() -> None:
    pair = Pair()
    callee = Callee(pair)
    key = pair.start("INVITE")
    pair.client.cancel(key, pair.now)
    server_key, invite = next(iter(callee.requests.items()))
    pair.server.respond(server_key, make_response(invite, 486), pair.now)
    pair.settle()
    pair.advance(60)
    assert pair.count("CANCEL") == 0
    assert not pair.client.cancel(key, pair.now)


def test_cancelled_invite_without_a_final_response_times_out() -> None:
    pair = Pair()
    key = pair.start("INVITE")
    event = pair.server_saw[0]
    assert isinstance(event, RequestReceived)
    pair.server.respond(event.key, make_response(event.request, 180), pair.now)
    pair.settle()
    pair.client.cancel(key, pair.now)
    pair.settle()
    cancel = pair.server_saw[-1]
    assert isinstance(cancel, CancelReceived)
    pair.server.respond(cancel.key, make_response(cancel.request, 200), pair.now)
    pair.settle()
    pair.advance(33)
    assert TimedOut(key) in pair.client_saw


def test_lost_connection_fails_only_what_waits_on_it() -> None:
    pair = Pair("tcp")
    key = pair.start("INVITE")
    other = pair.client.request(make_request("OPTIONS", "z9hG4bK.2", "TCP"), pair.back, pair.now)
    assert pair.client.flow_failed(pair.out, pair.now) == [TransportFailed(key)]
    assert key not in pair.client
    assert other in pair.client
    assert pair.client.flow_failed(pair.out, pair.now) == []
