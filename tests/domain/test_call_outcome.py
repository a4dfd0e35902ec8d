"""The best response of a fork, by enumeration of all pairs of statuses (RFC 3261 16.7 step 6)."""

from __future__ import annotations

from itertools import product

import pytest

from domain.call.input import Failed
from domain.call.outcome import best_cause, outcome_of
from domain.values import Cause
from tests.domain.test_call_turn import Table

STATUSES = range(300, 700)
OURS = {401, 407, 420, 421, 422, 423, 494}


def best(first: int, second: int) -> int:
    table = Table(bindings=2)
    table.play(Failed("f", "x", table.leg(1), Cause(first, 31, "")))
    return best_cause(table.call, Cause(second, 31, "")).sip_status


def test_every_pair_has_the_better_of_the_two_whatever_their_order() -> None:
    call = Table(bindings=2).call
    leg = call.legs[next(one for one in call.legs if one != call.caller_leg)]
    for first, second in product(STATUSES, STATUSES):
        leg.why = Cause(first, 31, "")
        told = best_cause(call, Cause(second, 31, "")).sip_status
        assert told in (first, second)
        leg.why = Cause(second, 31, "")
        again = best_cause(call, Cause(first, 31, "")).sip_status
        assert told in (again, second), "of equals the newest"
        if max(first, second) >= 600:
            assert told >= 600
        elif min(first, second) < 500:
            assert told < 500, "a lower class says more than a higher one"


@pytest.mark.parametrize(
    ("better", "worse"),
    [(603, 486), (484, 486), (415, 404), (486, 480), (403, 404), (404, 408), (480, 481), (302, 487), (408, 503)],
)
def test_what_says_more(better: int, worse: int) -> None:
    assert best(better, worse) == best(worse, better) == better


@pytest.mark.parametrize("status", sorted(OURS))
def test_what_is_about_our_own_request_says_less_than_any_other_4xx(status: int) -> None:
    assert best(404, status) == best(status, 404) == 404
    assert best(500, status) == best(status, 500) == status


@pytest.mark.parametrize(
    ("why", "outcome"),
    [(Cause(480, 19, ""), "no_answer"), (Cause(480, 18, ""), "failed"), (Cause(600, 17, ""), "busy")],
)
def test_the_disposition(why: Cause, outcome: str) -> None:
    assert outcome_of(why) == outcome


def test_a_single_device_is_told_as_it_is() -> None:
    assert best_cause(Table(bindings=2).call, Cause(503, 41, "")).sip_status == 503
