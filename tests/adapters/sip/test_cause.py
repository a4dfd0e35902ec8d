"""Statuses and Q.850 causes, the Reason header, and what is passed on."""

from __future__ import annotations

import pytest

from adapters.sip.cause import cause_of, passed_on, reason_header
from adapters.sip.message import Response
from domain.values import ANSWERED_ELSEWHERE, Cause


@pytest.mark.parametrize(
    ("status", "q850"), [(404, 1), (486, 17), (603, 21), (480, 18), (408, 102), (599, 31), (302, 31)]
)
def test_the_pairs_of_rfc_3398(status: int, q850: int) -> None:
    assert cause_of(status, "x").q850 == q850


def test_the_peers_words_are_bounded_and_cannot_break_the_header() -> None:
    why = cause_of(486, 'a"b\\' * 200)
    assert len(why.reason) == 200
    header = reason_header(why)
    assert header.count('"') == 2
    assert "\\" not in header
    Response(486).add("Reason", header)


def test_an_answer_elsewhere_is_a_sip_reason() -> None:
    assert reason_header(ANSWERED_ELSEWHERE, sip=True) == 'SIP;cause=200;text="answered elsewhere"'
    assert reason_header(Cause(486, 17, "busy")) == 'Q.850;cause=17;text="busy"'


def test_what_is_passed_on_is_a_final_refusal_that_asks_nothing_of_the_caller() -> None:
    told = {passed_on(status) for status in range(300, 700)}
    assert min(told) == 400
    assert not told & {401, 407, 420, 503}
