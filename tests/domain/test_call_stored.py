"""Calls as earlier versions stored them: `golden/events/call.1.txt` was written before early dialogs had media of their
own, `redialed.1.txt` before a leg that was dialled once more began afresh."""

from __future__ import annotations

from pathlib import Path

from adapters.journal.codec import decode
from domain.call.call import Call, CallState
from domain.call.leg import LegState
from domain.call.turn import fold

STORED = Path(__file__).parents[1] / "golden" / "events" / "call.1.txt"


def test_it_folds_to_what_it_meant() -> None:
    lines = [line.split(" ", 1) for line in STORED.read_text().splitlines()]
    assert {f"call.{name}.1" for name in ("session_refreshed", "request_sent", "renegotiation_withdrawn")} <= {
        kind for kind, _ in lines
    }
    call: Call | None = None
    numbers = []
    for kind, data in lines:
        call = fold(call, (decode(kind, data.encode()),))
        numbers.append((call.caller.last_heard, call.caller.heard_cseq))
    assert call is not None
    assert numbers[4:7] == [(5, 0), (4, 0), (50, 50)]  # UPDATE, answer, INFO
    assert call.renegotiation is not None
    assert call.renegotiation.withdrawn
    assert call.state is CallState.ENDED
    assert call.early is None
    assert [leg.agreed for leg in call.legs.values()] == ["", ""]


def test_a_leg_that_was_dialled_once_more_kept_what_was_agreed_before() -> None:
    lines = [line.split(" ", 1) for line in STORED.with_name("redialed.1.txt").read_text().splitlines()]
    assert lines[-1][0] == "call.leg_redialed.1"
    call = fold(None, tuple(decode(kind, data.encode()) for kind, data in lines))
    leg = list(call.legs.values())[1]
    assert (leg.state, leg.terms.interval_s, leg.dialog.remote_tag) == (LegState.DIALED, 3600, "")
    assert (leg.progress is None, leg.sdp == "", leg.rung is None) == (False, False, False)
    assert call.early is not None
    assert call.early.pending
