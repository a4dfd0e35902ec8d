"""The laws of a call, by Hypothesis: they hold for every history, sensible or not."""

from __future__ import annotations

from datetime import datetime
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from domain.call.call import Call, CallState
from domain.call.effect import Confirm, HangUp, Reoffer
from domain.call.input import Input, ReofferAccepted, ReofferRefused
from domain.call.resume import CLOSE_DEADLINE, deadlines, live_until, outstanding
from domain.call.turn import IGNORED, TURNS, Turn, decide, fold
from domain.values import Ability, Cause
from tests.domain.history import History, abilities, asked, histories, play, steps
from tests.domain.world import seconds, world


def state_of(call: Call) -> dict[str, object]:
    return {name: value for name, value in vars(call).items() if name != "_pending_events"}


def test_every_input_is_decided_or_ignored_in_every_state() -> None:
    for state, kind in product(CallState, Input.__subclasses__()):
        assert ((state, kind) in TURNS) != (kind in IGNORED[state]), (state, kind)


@given(st.integers(0, 3), steps, st.booleans(), abilities, st.booleans(), st.booleans())
def test_effects_are_outstanding_after_their_turn(
    bindings: int,
    played: list[tuple[int, int, float, bool]],
    late_offer: bool,
    ability: Ability,
    settled: bool,
    demanded: bool,
) -> None:
    def check(call: Call, turn: Turn, now: datetime) -> None:
        owed = outstanding(call, now)
        assert all(effect in owed for effect in turn.effects)

    play(bindings, "1002", played, check, late_offer, ability, settled, demanded=demanded)


@given(histories)
def test_the_fold_of_the_events_is_the_live_call(history: History) -> None:
    assert state_of(fold(None, history.events)) == state_of(history.call)


@given(histories)
def test_versions_have_no_gap(history: History) -> None:
    assert [event.originator_version for event in history.events] == list(range(1, len(history.events) + 1))


@given(histories)
def test_an_ended_call_is_forgotten_and_owes_nothing_then(history: History) -> None:
    call = history.call
    if call.recordings:
        assert live_until(call) is None, "its file is on its way"
    elif call.state is CallState.ENDED:
        forget, *others = deadlines(call)
        assert [due.kind for due in others] == [CLOSE_DEADLINE] * bool(call.expected)
        assert all(due.at < forget.at for due in others)
        assert live_until(call) == forget.at.timestamp()
        assert outstanding(call, forget.at) == ()
    else:
        assert live_until(call) is None


@given(histories)
def test_a_way_that_is_offered_is_what_the_phone_is_told_then(history: History) -> None:
    """Of each phone it is known whether it is told of us; nobody is left on a way that nobody offers or undoes."""
    call = history.call
    relay = call.relay
    if relay is None or call.state not in (CallState.TALKING, CallState.RENEGOTIATING):
        return
    waiting = set(relay.detour.legs) if relay.detour is not None else set()
    to_us = {leg for leg in call.talked if leg not in relay.direct}
    assert len(to_us - waiting) in (0, len(set(call.talked) - waiting)), "the settled ones are on one way"
    assert relay.over == (relay.detour is None and not to_us)


@given(histories)
def test_a_call_ends_once(history: History) -> None:
    kinds = [type(event) for event in history.events]
    assert kinds.count(Call.Ended) <= 1
    assert kinds.count(Call.Connected) <= 1
    if Call.Ended in kinds:
        after = kinds[kinds.index(Call.Ended) + 1 :]
        late = {Call.LegHungUp, Call.ForkHungUp, Call.LegMeasured, Call.Closed}
        assert set(after) <= late | {Call.RecordingStopped, Call.RecordingErased}
        assert after.count(Call.LegMeasured) <= 2
        assert after.count(Call.Closed) <= 1


@given(histories)
def test_requests_of_ours_never_repeat_a_cseq_in_a_dialog(history: History) -> None:
    requests = {
        effect for turn, _ in history.turns for effect in turn.effects if isinstance(effect, HangUp | Reoffer | Confirm)
    }
    numbers = [(effect.leg, effect.dialog.local_cseq) for effect in requests]
    numbers += [(event.to, event.cseq) for event in history.events if isinstance(event, Call.RequestSent)]
    assert len(numbers) == len(set(numbers))


@given(histories)
def test_an_answer_to_another_request_than_the_newest_offer_means_nothing(history: History) -> None:
    call, (_, now) = history.call, history.turns[-1]
    for leg in call.legs:
        for number in (asked(call, leg) - 1, asked(call, leg) + 1):
            taken = ReofferAccepted("c", "x", leg, number, "sip:t@h", "v=0 late")
            refused = ReofferRefused("c", "x", leg, number, Cause(481, 41, ""))
            assert decide(call, taken, world(1), now) == decide(call, refused, world(1), now) == ()


@given(histories)
def test_outstanding_depends_on_nothing_but_the_state(history: History) -> None:
    _, now = history.turns[-1]
    assert outstanding(fold(None, history.events), now) == outstanding(history.call, now)
    assert outstanding(history.call, now + seconds(100)) == tuple(
        effect for effect in outstanding(history.call, now + seconds(100)) if effect in outstanding(history.call, now)
    )
