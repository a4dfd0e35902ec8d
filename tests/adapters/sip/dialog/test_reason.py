"""Statuses and Q.850 causes, the Reason header in both directions, and what is passed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.dialog.reason import (
    cause_of,
    heard,
    passed_on,
    reason_of_cancel,
    reason_of_refusal,
    reasons_header,
)
from adapters.sip.message.message import Response
from domain.values import ANSWERED_ELSEWHERE, CANCELLED, NORMAL, Cause


@pytest.mark.parametrize(
    ("status", "q850"), [(404, 1), (486, 17), (603, 21), (480, 18), (408, 102), (599, 31), (302, 31)]
)
def test_the_pairs_of_rfc_3398(status: int, q850: int) -> None:
    assert cause_of(status, "x").q850 == q850


def test_the_peers_words_are_bounded_and_cannot_break_the_header() -> None:
    why = cause_of(486, 'a"b\\' * 200)
    assert len(why.reason) == 200
    header = reason_of_refusal(why)
    assert header.count('"') == 2
    assert "\\" not in header
    Response(486).add("Reason", header)


def test_an_answer_elsewhere_is_said_in_the_words_that_phones_know() -> None:
    assert reason_of_cancel(ANSWERED_ELSEWHERE) == 'SIP;cause=200;text="Call completed elsewhere"'
    assert reason_of_cancel(CANCELLED) == 'Q.850;cause=16;text="cancelled by the caller"'
    assert reason_of_refusal(Cause(486, 17, "busy")) == 'Q.850;cause=17;text="busy"'


def test_a_bye_says_the_status_only_if_something_went_wrong() -> None:
    assert reasons_header(NORMAL) == [("Reason", 'Q.850;cause=16;text="normal clearing"')]
    assert [value for _, value in reasons_header(Cause(408, 102, "gone"))] == [
        'Q.850;cause=102;text="gone"',
        'SIP;cause=408;text="gone"',
    ]


def said(*values: str) -> Response:
    return Response(200, "", [("Reason", value) for value in values])


@pytest.mark.parametrize(
    ("values", "base", "expected"),
    [
        (('Q.850;cause=31;text="it\'s over"',), NORMAL, Cause(200, 31, "it's over")),
        (("q.850 ; text=plain ; cause=17",), CANCELLED, Cause(487, 17, "plain")),
        (('SIP;cause=200;text="Call completed elsewhere"',), CANCELLED, Cause(487, 26, "Call completed elsewhere")),
        (("SIP;cause=408;text=expired",), NORMAL, Cause(408, 102, "expired")),
        (("SIP;cause=503, Q.850;cause=41",), NORMAL, Cause(503, 41, NORMAL.reason)),
        (("SIP;cause=503", "Q.850;cause=41;text=x"), Cause(486, 17, "Busy"), Cause(486, 41, "x")),
        (("Q.850;cause=0",), NORMAL, NORMAL),
        (("Q.850;cause=999",), NORMAL, NORMAL),
        (("Q.850;cause=\u0663",), NORMAL, NORMAL),
        (("nonsense", 'Q.850;cause=16;text="open'), NORMAL, NORMAL),
        (("preemption;cause=1;text=x",), NORMAL, NORMAL),
    ],
)
def test_what_a_peers_reason_says(values: tuple[str, ...], base: Cause, expected: Cause) -> None:
    assert heard(said(*values), base) == expected


@given(st.integers(1, 127), st.text(st.characters(categories=("L", "N", "P"), exclude_characters='"\\'), max_size=40))
def test_what_we_say_is_heard_again(q850: int, words: str) -> None:
    why = Cause(200, q850, words or "x")
    (header,) = reasons_header(why)
    assert heard(said(header[1]), NORMAL) == why


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")))
def test_any_reason_is_read(text: str) -> None:
    why = heard(said(text), NORMAL)
    assert 0 < why.q850 < 128
    assert why.reason.isprintable()


def test_what_is_passed_on_is_a_final_refusal_that_asks_nothing_of_the_caller() -> None:
    told = {passed_on(status) for status in range(300, 700)}
    assert min(told) == 400
    assert not told & {401, 407, 420, 503}
