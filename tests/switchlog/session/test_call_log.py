"""Each call leaves its lines in the log, with its id and tenant."""

from __future__ import annotations

import io
from datetime import datetime

from domain.call.input import HungUp
from switchlog.session.call_log import log_events
from tests.domain.test_call_turn import Table
from tests.domain.world import request
from tests.switchlog.logged import lines


def test_a_call_is_logged_when_it_comes_is_connected_and_ends(stream: io.StringIO) -> None:
    table = Table()
    events = table.events
    table.answer()
    events += table.events
    table.play(HungUp("b", "x", table.leg(1), request("BYE", "bye")))
    events += table.events
    log_events(events)
    said = lines(stream)
    assert [line["event"] for line in said] == ["call offered", "call connected", "call ended"]
    assert all(line["call"] == str(table.call.id) and line["tenant"] == "acme" for line in said)
    assert all((line["level"], line["role"]) == ("info", "sessions") for line in said)
    assert said[-1]["outcome"] == "answered"
    assert datetime.fromisoformat(said[-1]["timestamp"]) == events[-1].timestamp
