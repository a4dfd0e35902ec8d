"""The law of the mapper: what was stored and read again folds to the live aggregate."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.codec import decode, encode
from domain.base import Event
from domain.call.turn import fold
from domain.catalog import topic
from domain.registering import register
from domain.registration import Registration
from tests.domain.history import History, histories
from tests.domain.test_call_laws import state_of
from tests.domain.test_registration import ask, step, wish


def stored(events: tuple[Event, ...]) -> tuple[Event, ...]:
    return tuple(decode(topic(type(event)), encode(event)) for event in events)


@given(histories)
def test_a_call_read_again_is_the_live_call(history: History) -> None:
    again = stored(history.events)
    assert again == history.events
    assert state_of(fold(None, again)) == state_of(history.call)


@given(st.lists(st.tuples(st.sampled_from(("sip:a@h", "sip:b@h")), st.sampled_from((0, 60, 300))), max_size=8))
def test_bindings_read_again_are_the_live_ones(asked: list[tuple[str, int]]) -> None:
    live: Registration | None = None
    again: Registration | None = None
    for cseq, (uri, expires_s) in enumerate(asked, 1):
        events = register(live, ask(wish(uri, expires_s), cseq=cseq), step(live))
        for event, read in zip(events, stored(events), strict=True):
            live = cast("Registration | None", event.mutate(live))
            again = cast("Registration | None", read.mutate(again))
    if live is not None and again is not None:
        assert again.contacts == live.contacts
        assert again.version == live.version
