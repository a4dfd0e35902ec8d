"""Requests that are no INVITE and take their time: RFC 4320's 100 and silence, RFC 4321's earlier end."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import response_to
from adapters.sip.transaction.event import RequestReceived, ResponseReceived, TimedOut
from adapters.sip.transaction.layer import TransactionLayer
from adapters.sip.transaction.timer import Timer, Timers
from domain.values import Flow
from tests.adapters.sip.pair import make_request

UDP = Flow("udp", "192.0.2.2:5060", "192.0.2.1:5060")
TCP = Flow("tcp", "192.0.2.2:5060", "192.0.2.1:5060", 1)


def received(flow: Flow) -> tuple[TransactionLayer, RequestReceived]:
    layer = TransactionLayer()
    event = layer.receive(make_request("INFO", transport=flow.transport.upper(), to_tag="t"), flow, 0.0)
    assert isinstance(event, RequestReceived)
    return layer, event


def lines(layer: TransactionLayer) -> list[str]:
    return [data.decode().split("\r\n")[0] for _, data in layer.to_send()]


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_100_goes_once_the_askers_timer_e_has_reached_t2_and_not_before(flow: Flow) -> None:
    layer, event = received(flow)
    layer.on_timer(3.49)
    assert lines(layer) == []
    layer.on_timer(3.5)
    assert lines(layer) == ["SIP/2.0 100 Trying"]
    layer.receive(make_request("INFO", transport=flow.transport.upper(), to_tag="t"), flow, 4.0)
    assert lines(layer) == ["SIP/2.0 100 Trying"]
    assert layer.respond(event.key, response_to(event.request, 200), 20.0)
    layer.on_timer(40.0)
    assert lines(layer) == ["SIP/2.0 200 OK"]


def test_an_answer_in_time_needs_no_100() -> None:
    layer, event = received(UDP)
    layer.respond(event.key, response_to(event.request, 200), 3.0)
    layer.on_timer(31.0)
    assert lines(layer) == ["SIP/2.0 200 OK"]


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_nothing_is_said_after_64_t1(flow: Flow) -> None:
    layer, event = received(flow)
    layer.on_timer(3.5)
    lines(layer)
    layer.on_timer(32.0)
    assert not layer.respond(event.key, response_to(event.request, 200), 32.0)
    assert lines(layer) == []
    assert len(layer) == 0


@pytest.mark.parametrize("after_s", [1.0, 10.0])
def test_one_that_the_journal_refused_is_let_in_again_also_after_its_100(after_s: float) -> None:
    layer, event = received(UDP)
    layer.on_timer(after_s)
    layer.forget(event.key)
    assert isinstance(layer.receive(make_request("INFO", to_tag="t"), UDP, after_s), RequestReceived)


def test_an_answered_one_is_not_forgotten() -> None:
    layer, event = received(UDP)
    layer.respond(event.key, response_to(event.request, 200), 1.0)
    layer.forget(event.key)
    assert layer.receive(make_request("INFO", to_tag="t"), UDP, 2.0) is None


@pytest.mark.parametrize(("hurry", "ends_s"), [(False, 32.0), (True, 24.0)])
def test_a_request_that_is_passed_on_is_given_up_while_the_asker_can_be_told(hurry: bool, ends_s: float) -> None:
    layer = TransactionLayer()
    key = layer.request(make_request("INFO", to_tag="t"), UDP, 0.0, hurry=hurry)
    assert layer.on_timer(ends_s - 0.01) == []
    assert layer.on_timer(ends_s) == [TimedOut(key)]


def test_the_lengths_follow_from_t1_and_t2() -> None:
    assert Timers().slow_s == 3.5
    assert Timers(t1_s=2.0, t2_s=4.0).slow_s == 2.0
    assert Timers().slow_s + Timers().duration_s(Timer.LATE, reliable=False) == Timers().limit_s


def test_a_refusal_whose_to_cannot_be_read_is_acknowledged_with_what_it_said() -> None:
    layer = TransactionLayer()
    key = layer.request(make_request("INVITE"), UDP, 0.0)
    layer.to_send()
    refusal = response_to(make_request("INVITE"), 486)
    refusal.set("To", "<<")
    event = layer.receive(refusal, UDP, 0.1)
    assert isinstance(event, ResponseReceived)
    assert event.ack is not None
    for _ in range(2):
        layer.acknowledge(key, *event.ack, 0.2)
        assert lines(layer)[0].startswith("ACK ")
    layer.receive(refusal, UDP, 0.3)
    assert lines(layer)[0].startswith("ACK ")
