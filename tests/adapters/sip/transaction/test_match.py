"""Which message belongs to which transaction; forks, restarts, old peers, limits."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request
from adapters.sip.message.parser import parse
from adapters.sip.transaction.event import (
    AckReceived,
    CancelReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StrayResponse,
    Unacknowledged,
)
from adapters.sip.transaction.layer import TransactionLayer
from domain.values import Flow, Transaction
from tests.adapters.sip.pair import make_request, make_response

FLOW = Flow("udp", "192.0.2.2:5060", "192.0.2.1:5060")
NOW = 1.0


def _start_lines(layer: TransactionLayer) -> list[str]:
    return [data.split(b"\r\n", 1)[0].decode() for _, data in layer.to_send()]


def _stored(request: Request) -> Transaction:
    return Transaction(
        method=request.method,
        branch=request.via.branch,
        cseq=request.cseq.number,
        call_id=request.call_id,
        from_=request.get("From") or "",
        to=request.get("To") or "",
        vias=tuple(request.get_all("Via")),
        record_routes=(),
        flow=FLOW,
    )


def acknowledge(layer: TransactionLayer, event: Event | None) -> None:
    """What the TU does with a refusal."""
    assert isinstance(event, ResponseReceived)
    assert event.ack is not None
    layer.acknowledge(event.key, *event.ack, NOW)


def test_answers_of_two_forks_are_both_passed_and_each_has_its_ack() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    key = layer.request(invite, FLOW, NOW)
    first, second = make_response(invite, 200, "b1"), make_response(invite, 200, "b2")
    assert layer.receive(first, FLOW, NOW) == ResponseReceived(key, first, FLOW)
    assert layer.receive(second, FLOW, NOW) == ResponseReceived(key, second, FLOW)
    assert layer.receive(first, FLOW, NOW) is None  # its ACK is the TU's to give first
    layer.to_send()
    ack = make_request("ACK", "z9hG4bK.ack1", to_tag="b1")
    layer.acknowledge(key, ack, FLOW, NOW)
    assert layer.receive(first, FLOW, NOW) is None
    assert layer.receive(second, FLOW, NOW) is None
    assert layer.to_send() == [(FLOW, ack.serialise())] * 2


def test_ack_of_a_rejection_is_built_as_rfc_3261_17_1_1_3_says() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    layer.request(invite, FLOW, NOW)
    layer.to_send()
    acknowledge(layer, layer.receive(make_response(invite, 486, "b9"), FLOW, NOW))
    ((_, data),) = layer.to_send()
    ack = parse(data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri) == ("ACK", invite.uri)
    assert ack.get_all("Via") == invite.get_all("Via")
    assert ack.get("Route") == invite.get("Route")
    assert ack.get("From") == invite.get("From")
    assert (ack.to.tag, ack.cseq.number, ack.call_id) == ("b9", 7, "c1")


def test_a_rejection_is_passed_until_it_is_acknowledged_and_then_acknowledged_again() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    layer.request(invite, FLOW, NOW)
    layer.to_send()
    busy = make_response(invite, 486)
    assert layer.receive(busy, FLOW, NOW) is not None
    again = layer.receive(busy, FLOW, NOW)
    assert layer.to_send() == [], "nobody has noted the refusal yet: the peer must go on saying it"
    acknowledge(layer, again)
    assert layer.receive(busy, FLOW, NOW) is None
    assert _start_lines(layer) == [f"ACK {invite.uri} SIP/2.0"] * 2


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_rejection_is_acknowledged_also_after_its_transaction(transport: str) -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    flow = Flow(transport, FLOW.local, FLOW.remote, 1)
    layer.request(invite, flow, NOW)
    layer.to_send()
    refused = layer.receive(make_response(invite, 486), flow, NOW)
    layer.on_timer(NOW + 60)
    assert len(layer) == 0
    acknowledge(layer, refused)
    assert _start_lines(layer) == [f"ACK {invite.uri} SIP/2.0"]


def test_provisional_response_stops_the_timers_of_an_invite() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    layer.request(invite, FLOW, NOW)
    assert layer.next_timer() == NOW + 0.5
    layer.receive(make_response(invite, 180), FLOW, NOW)
    assert layer.next_timer() is None


def test_response_comes_by_the_flow_it_was_heard_on() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    key = layer.request(invite, FLOW, NOW)
    elsewhere = Flow("udp", "192.0.2.2:5060", "192.0.2.77:5060")
    ringing = make_response(invite, 180)
    assert layer.receive(ringing, elsewhere, NOW) == ResponseReceived(key, ringing, elsewhere)


def test_response_without_a_transaction_is_stray() -> None:
    response = make_response(make_request("INVITE"), 200)
    assert TransactionLayer().receive(response, FLOW, NOW) == StrayResponse(response, FLOW)


def test_starting_what_runs_already_sends_nothing() -> None:
    layer = TransactionLayer()
    key = layer.request(make_request("INVITE"), FLOW, NOW)
    layer.to_send()
    assert layer.request(make_request("INVITE"), FLOW, NOW) == key == ("z9hG4bK.1", "INVITE")
    assert layer.to_send() == []


def test_client_transaction_taken_up_after_a_restart() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    key = layer.request(invite, FLOW, NOW, sent=False)
    assert layer.to_send() == []
    assert layer.next_timer() is None
    assert layer.cancel(key, NOW)
    assert _start_lines(layer) == [f"CANCEL {invite.uri} SIP/2.0"]
    acknowledge(layer, layer.receive(make_response(invite, 487), FLOW, NOW))
    assert _start_lines(layer) == [f"ACK {invite.uri} SIP/2.0"]


def test_request_taken_up_after_a_restart_still_times_out() -> None:
    layer = TransactionLayer()
    layer.request(make_request("BYE"), FLOW, NOW, sent=False)
    assert layer.next_timer() == NOW + 32
    assert len(layer.on_timer(NOW + 32)) == 1


def test_server_transaction_taken_up_after_a_restart() -> None:
    for invite in (make_request("INVITE"), make_request("INVITE", branch="1")):  # also of RFC 2543
        layer = TransactionLayer()
        key = layer.restore_server(_stored(invite))
        assert layer.receive(parse(invite.serialise()), FLOW, NOW) is None
        assert layer.to_send() == []
        assert layer.respond(key, make_response(invite, 200), NOW)
        assert _start_lines(layer) == ["SIP/2.0 200 OK"]
        ack = make_request("ACK", "z9hG4bK.ack", to_tag="b")
        assert layer.receive(ack, FLOW, NOW) == AckReceived(key, ack, FLOW)
        layer.acknowledged(key, NOW)
        assert layer.on_timer(NOW + 10) == []
        assert layer.to_send() == []


def test_taking_up_what_is_alive_moves_it_to_the_flow_given() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    event = layer.receive(invite, Flow("udp", "192.0.2.2:5060", "192.0.2.1:9"), NOW)
    assert isinstance(event, RequestReceived)
    assert layer.restore_server(_stored(invite)) == event.key
    assert len(layer) == 1
    layer.respond(event.key, make_response(invite, 180), NOW)
    assert [flow for flow, _ in layer.to_send()] == [FLOW]


def test_response_of_a_forgotten_transaction_is_not_sent() -> None:
    layer, options = TransactionLayer(), make_request("OPTIONS")
    event = layer.receive(options, FLOW, NOW)
    assert isinstance(event, RequestReceived)
    assert layer.respond(event.key, make_response(options, 200), NOW)
    layer.to_send()
    layer.on_timer(NOW + 33)
    assert not layer.respond(event.key, make_response(options, 200), NOW)
    assert layer.to_send() == []


def test_same_branch_from_another_host_is_another_transaction() -> None:
    layer = TransactionLayer()
    other = make_request("OPTIONS")
    other.set("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK.1")
    assert isinstance(layer.receive(make_request("OPTIONS"), FLOW, NOW), RequestReceived)
    assert isinstance(layer.receive(other, FLOW, NOW), RequestReceived)


def test_old_peer_is_matched_without_the_cookie() -> None:
    layer = TransactionLayer()
    invite, cancel = make_request("INVITE", branch="1"), make_request("CANCEL", branch="1")
    event = layer.receive(invite, FLOW, NOW)
    assert isinstance(event, RequestReceived)
    assert layer.receive(make_request("INVITE", branch="1"), FLOW, NOW) is None
    cancelled = layer.receive(cancel, FLOW, NOW)
    assert isinstance(cancelled, CancelReceived)
    assert cancelled.invite_key == event.key
    layer.respond(event.key, make_response(invite, 487), NOW)
    layer.to_send()
    assert layer.receive(make_request("ACK", branch="1", to_tag="b"), FLOW, NOW) is None


def test_cancel_of_nothing_names_no_invite() -> None:
    event = TransactionLayer().receive(make_request("CANCEL"), FLOW, NOW)
    assert isinstance(event, CancelReceived)
    assert event.invite_key is None


def test_ack_of_nothing_goes_to_the_user() -> None:
    ack = make_request("ACK", to_tag="b")
    assert TransactionLayer().receive(ack, FLOW, NOW) == AckReceived(None, ack, FLOW)


def test_new_requests_above_the_limit_are_refused_and_counted() -> None:
    layer = TransactionLayer(max_transactions=1)
    assert layer.receive(make_request("OPTIONS", "z9hG4bK.1"), FLOW, NOW) is not None
    assert layer.receive(make_request("OPTIONS", "z9hG4bK.2"), FLOW, NOW) is None
    assert layer.refused == 1
    layer.request(make_request("BYE", "z9hG4bK.3"), FLOW, NOW)  # what was accepted can still be ended
    assert len(layer.to_send()) == 1


def test_an_answered_request_makes_room_for_a_new_one_but_an_invite_never_does() -> None:
    layer = TransactionLayer(max_transactions=3)
    first, second, invite = (
        make_request("OPTIONS", "z9hG4bK.1"),
        make_request("BYE", "z9hG4bK.2"),
        make_request("INVITE"),
    )
    for request, at in ((first, NOW), (second, NOW + 1), (invite, NOW + 2)):
        event = layer.receive(request, FLOW, at)
        assert isinstance(event, RequestReceived)
        layer.respond(event.key, make_response(request, 200), at)
    layer.to_send()
    assert layer.receive(make_request("OPTIONS", "z9hG4bK.3"), FLOW, NOW + 3) is not None
    assert (len(layer), layer.refused) == (3, 0)
    layer.receive(second, FLOW, NOW + 3)
    assert _start_lines(layer) == ["SIP/2.0 200 OK"]  # the younger one is still known
    assert layer.receive(make_request("OPTIONS", "z9hG4bK.4"), FLOW, NOW + 4) is not None
    assert layer.receive(make_request("OPTIONS", "z9hG4bK.5"), FLOW, NOW + 4) is None
    assert layer.refused == 1


def test_a_full_table_has_room_for_what_belongs_to_something_under_way_and_no_more_than_an_eighth() -> None:
    layer = TransactionLayer(max_transactions=16, belongs=lambda request: request.to.tag == "ours")
    for number in range(16):  # unanswered calls, which nothing pushes out
        assert layer.receive(make_request("INVITE", f"z9hG4bK.{number}"), FLOW, NOW) is not None
    assert layer.receive(make_request("BYE", "z9hG4bK.s", to_tag="guessed"), FLOW, NOW) is None
    assert layer.receive(make_request("CANCEL", "z9hG4bK.s"), FLOW, NOW) is None
    assert layer.refused == 2
    bye = layer.receive(make_request("BYE", "z9hG4bK.b", to_tag="ours"), FLOW, NOW)
    cancel = layer.receive(make_request("CANCEL", "z9hG4bK.3"), FLOW, NOW)
    assert isinstance(bye, RequestReceived)
    assert isinstance(cancel, CancelReceived)
    assert cancel.invite_key is not None
    assert layer.receive(make_request("BYE", "z9hG4bK.c", to_tag="ours"), FLOW, NOW) is None, "the room is bounded"
    layer.respond(bye.key, make_response(bye.request, 200), NOW)
    assert layer.receive(make_request("BYE", "z9hG4bK.c", to_tag="ours"), FLOW, NOW) is not None
    assert len(layer) == 18


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_request_that_must_not_overtake_an_ack_waits_for_it_or_for_the_end_of_waiting(acknowledged: bool) -> None:
    layer, invite, bye = TransactionLayer(), make_request("INVITE"), make_request("BYE", "z9hG4bK.bye")
    event = layer.receive(invite, FLOW, NOW)
    assert isinstance(event, RequestReceived)
    layer.respond(event.key, make_response(invite, 200), NOW)
    layer.to_send()
    layer.request_after_ack(event.key, bye, FLOW, NOW)
    assert layer.to_send() == []
    if acknowledged:
        layer.acknowledged(event.key, NOW)
    else:
        assert layer.on_timer(NOW + 32) == [Unacknowledged(event.key)]
    assert [line for line in _start_lines(layer) if "200" not in line] == ["BYE sip:bob@192.0.2.2 SIP/2.0"]
    again = make_request("BYE", "z9hG4bK.again")
    layer.request_after_ack(event.key, again, FLOW, NOW)
    assert _start_lines(layer) == ["BYE sip:bob@192.0.2.2 SIP/2.0"], "nothing is waited for any more"


@pytest.mark.parametrize("acknowledged", [True, False])
def test_after_a_restart_the_2xx_is_repeated_before_an_end_is_told_for_its_ack_may_have_come(
    acknowledged: bool,
) -> None:
    layer, invite, bye = TransactionLayer(), make_request("INVITE"), make_request("BYE", "z9hG4bK.bye")
    key = layer.restore_server(_stored(invite))
    layer.respond(key, make_response(invite, 200), NOW)
    layer.request_after_ack(key, bye, FLOW, NOW)
    assert _start_lines(layer) == ["SIP/2.0 200 OK"]
    if acknowledged:
        layer.acknowledged(key, NOW + 0.1)
    else:
        for at in (0.5, 1.5):
            layer.on_timer(NOW + at)
            assert _start_lines(layer) == ["SIP/2.0 200 OK"]
        layer.on_timer(NOW + 2)
    assert _start_lines(layer) == ["BYE sip:bob@192.0.2.2 SIP/2.0"]


def test_a_reply_leaves_no_transaction_and_the_ack_of_it_goes_nowhere() -> None:
    layer, invite = TransactionLayer(), make_request("INVITE")
    for _ in range(2):
        event = layer.receive(make_request("INVITE"), FLOW, NOW)
        assert isinstance(event, RequestReceived)
        assert layer.reply(event.key, make_response(invite, 401, "t"))
        assert not layer.reply(event.key, make_response(invite, 401, "t"))
        assert _start_lines(layer) == ["SIP/2.0 401 Unauthorized"]
    assert len(layer) == 0
    assert layer.next_timer() is None
    ack = make_request("ACK", to_tag="t")
    assert layer.receive(ack, FLOW, NOW) == AckReceived(None, ack, FLOW)


def test_peer_that_asks_again_on_a_new_connection_is_answered_there() -> None:
    layer, options = TransactionLayer(), make_request("OPTIONS", transport="TCP")
    first, second = Flow("tcp", "l:1", "192.0.2.1:7000", 1), Flow("tcp", "l:1", "192.0.2.1:7001", 2)
    event = layer.receive(options, first, NOW)
    assert isinstance(event, RequestReceived)
    assert layer.flow_failed(first, NOW) == []
    assert layer.receive(make_request("OPTIONS", transport="TCP"), second, NOW) is None
    layer.respond(event.key, make_response(options, 200), NOW)
    assert [flow for flow, _ in layer.to_send()] == [second]


def _stamped(via: str, remote: str = "192.0.2.1:7777", *more: str) -> list[str]:
    request = make_request("OPTIONS")
    request.set("Via", via)
    for value in more:
        request.add("Via", value)
    TransactionLayer().receive(request, Flow("udp", "192.0.2.2:5060", remote), NOW)
    return request.get_all("Via")


def test_received_and_rport_are_written_into_the_top_via() -> None:
    via = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK.1"
    assert _stamped(via) == [via]
    assert _stamped(f"{via};rport") == [f"{via};rport=7777;received=192.0.2.1"]
    assert _stamped(f"{via};rport;x=1") == [f"{via};rport=7777;x=1;received=192.0.2.1"]
    assert _stamped(via, "198.51.100.7:9") == [f"{via};received=198.51.100.7"]
    assert _stamped(f"{via};received=10.9.9.9") == [f"{via};received=192.0.2.1"]
    other = "SIP/2.0/UDP 192.0.2.44;branch=z9hG4bK.0"
    assert _stamped(f"{via};rport", "192.0.2.1:7777", other) == [
        f"{via};rport=7777;received=192.0.2.1",
        other,
    ]
    six = "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK.1"
    assert _stamped(six, "[2001:db8::1]:5060") == [six]
    assert _stamped(f"{six};rport", "[2001:db8::2]:9") == [f"{six};rport=9;received=2001:db8::2"]
