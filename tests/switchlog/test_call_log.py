"""Each call leaves its lines in the log, with its id and tenant."""

from __future__ import annotations

from structlog.testing import capture_logs

from domain.call.input import HungUp
from switchlog.call_log import log_events
from tests.domain.test_call_turn import Table
from tests.domain.world import request


def test_a_call_is_logged_when_it_comes_is_connected_and_ends() -> None:
    table = Table()
    events = table.events
    table.answer()
    events += table.events
    table.play(HungUp("b", "x", table.leg(1), request("BYE", "bye")))
    events += table.events
    with capture_logs() as lines:
        log_events(events)
    assert [line["event"] for line in lines] == ["call offered", "call connected", "call ended"]
    assert all(line["call"] == str(table.call.id) and line["tenant"] == "acme" for line in lines)
    assert lines[-1]["outcome"] == "answered"
