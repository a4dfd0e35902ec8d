"""Histories of calls as Hypothesis finds them: any input at any time, also those that make no sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

from domain.call.call import Call
from domain.call.decision.recording import WISHES
from domain.call.effect import Reoffer
from domain.call.input import (
    Abandoned,
    Answered,
    AnswerGiven,
    AudioLost,
    AudioRestored,
    Checked,
    DeadlineReached,
    Failed,
    HungUp,
    Input,
    Measured,
    PassedOn,
    ProgressConfirmed,
    Progressed,
    ProgressUnconfirmed,
    RecordingAnnounced,
    RecordingAsked,
    RecordingErased,
    RecordingKept,
    Redirected,
    Refreshed,
    RelayFailed,
    RelayOpened,
    Released,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    TooBrief,
    Unacknowledged,
    Vanished,
    Withdrawn,
)
from domain.call.measure import Figures, Way
from domain.call.recording import Kept, recording_id
from domain.call.relay import RelayPlace
from domain.call.resume import CLOSE_DEADLINE, outstanding
from domain.call.resume_relay import NO_RELAY, WAY
from domain.call.terms import Terms, Wish
from domain.call.turn import Turn, World, take_turn
from domain.values import PLAIN, Ability, Cause, Dialog, MediaPolicy
from tests.domain.world import START, new_call, offer, remote, request, seconds, world

PLACE = RelayPlace(20000, 20002, "sealed")
_MOVED = Cause(302, 31, "moved")
_CAUSES = (
    Cause(486, 17, "busy"),
    Cause(603, 21, "no"),
    Cause(408, 102, ""),
    Cause(481, 41, ""),
    Cause(491, 31, ""),
    Cause(488, 65, ""),
)


def figures(**named: Any) -> Figures:
    """Of a stream of ten seconds without a fault, but for those that are `named`."""
    usual = {"codec": "PCMA", "received": 500, "sent": 500, "lost": 0, "discarded": 0, "jitter_us": 1500}
    return Figures(**{**usual, "mos_x100": 440, **named})


def _answering(call: Call, leg: str, n: int) -> Dialog:
    """The dialog of an answer to the offer that dialled a leg, by one of three devices behind it."""
    first = msgspec.structs.replace(call.legs[leg].dialog, local_cseq=1)
    return remote(first, ("bob", "bob", "bert", "bo")[n % 4])


def _number(call: Call, leg: str, n: int) -> int:
    """The number of a leg's progress: none, a wild one, or the next."""
    progress = call.legs[leg].progress
    return (0, n // 2, progress.serial + 1 if progress else 7)[n % 3]


def _told(call: Call, leg: str, n: int) -> int:
    """The number of what the caller was told of a leg, or a wrong one."""
    rung = call.legs[leg].rung
    return rung.serial if rung and n % 5 else n


def asked(call: Call, leg: str) -> int:
    """The number of our newest offer to a leg, or 0."""
    effects = outstanding(call, START)
    return max((one.dialog.local_cseq for one in effects if isinstance(one, Reoffer) and one.leg == leg), default=0)


def _asked(call: Call, leg: str, n: int) -> int:
    """The number of our newest offer to a leg, or of an older request."""
    return asked(call, leg) - (n % 5 == 0)


def _early(call: Call, leg: str, n: int) -> str:
    """The dialled leg of an early dialog, a wrong one, or none as after the answer."""
    return "" if call.talked else (*call.legs, leg)[-1 - n % 2]


def _wish(n: int) -> Wish:
    return Wish(n % 3 > 0, 90 * (n % 4), 0, n % 5 == 0)


def _terms(n: int) -> Terms:
    return Terms((0, 90, 1800)[n % 3], n % 2 > 0)


_MAKERS: tuple[Callable[[Call, str, int], Input], ...] = (
    lambda call, leg, n: Progressed(
        f"c{n}",
        "x",
        leg,
        _answering(call, leg, n % 3),
        "early" * (n % 2),
        "ua",
        Ability(updates=n % 3 > 0),
        _number(call, leg, n),
    ),
    lambda call, leg, n: ProgressConfirmed(
        f"c{n}", "x", leg, _told(call, leg, n), request("PRACK", f"prack{n}", n + 2), ("", "v=0 pracked")[n % 3 > 0]
    ),
    lambda call, leg, n: ProgressUnconfirmed(f"c{n}", "x", leg),
    lambda call, leg, n: Answered(f"c{n}", "x", leg, _answering(call, leg, n), ("", "v=0 bob")[n % 5 > 0], "ua"),
    lambda call, leg, n: Failed(f"c{n}", "x", leg, _CAUSES[n % len(_CAUSES)]),
    lambda call, leg, n: Abandoned(f"c{n}", "x", call.caller_leg),
    lambda call, leg, n: HungUp(f"c{n}", "x", leg, request("BYE", f"bye{n}", n + 2)),
    lambda call, leg, n: Reoffered(
        f"c{n}",
        "x",
        leg,
        request("INVITE", f"re{n}", n + 2),
        "sip:t@h",
        ("", f"v=0 {n}")[n % 3 > 0],
        ("sendonly", "sendrecv")[n % 2],
        n % 4 == 1,
        early=_early(call, leg, n),
    ),
    lambda call, leg, n: Refreshed(
        f"c{n}", "x", leg, request("UPDATE", f"up{n}", n + 2), "sip:t@h", n % 2 > 0, _wish(n), _early(call, leg, n)
    ),
    lambda call, leg, n: Withdrawn(f"c{n}", "x", leg),
    lambda call, leg, n: TooBrief(f"c{n}", "x", leg, (90, 3600, 7200, 100_000)[n % 4]),
    lambda call, leg, n: DeadlineReached(f"c{n}", "x", f"{('refresh', 'expired')[n % 2]} {leg}"),
    lambda call, leg, n: ReofferAccepted(
        f"c{n}",
        "x",
        leg,
        _asked(call, leg, n),
        "sip:t@h",
        ("v=0 ok", "v=0 ok", "")[n % 3],
        terms=Terms((0, 90, 1800)[n % 3], n % 2 > 0),
    ),
    lambda call, leg, n: AnswerGiven(f"c{n}", "x", leg, ("v=0 given", "")[n % 4 == 0], ("sendrecv", "inactive")[n % 2]),
    lambda call, leg, n: ReofferRefused(f"c{n}", "x", leg, _asked(call, leg, n), _CAUSES[n % len(_CAUSES)]),
    lambda call, leg, n: Unacknowledged(f"c{n}", "x", leg),
    lambda call, leg, n: Redirected(f"c{n}", "x", leg, _MOVED, (("acme.example", ("1001", "1003", "4711")[n % 3]),)),
    lambda call, leg, n: PassedOn(f"c{n}", "x", leg, "INFO", n + 2, _early(call, leg, n)),
    lambda call, leg, n: Checked(f"c{n}", "x", leg),
    lambda call, leg, n: Vanished(f"c{n}", "x", leg, _CAUSES[n % len(_CAUSES)]),
    lambda call, leg, n: DeadlineReached(f"c{n}", "x", "no_answer"),
    lambda call, leg, n: Released(f"c{n}", "x", leg, _CAUSES[n % len(_CAUSES)]),
    lambda call, leg, n: RecordingAsked(f"c{n}", "x", WISHES[n % len(WISHES)]),
    lambda call, leg, n: RecordingKept(f"c{n}", "x", recording_id(call.id, n % 3 + 1), Kept("f", "00", n)),
    lambda call, leg, n: RecordingAnnounced(f"c{n}", "x", recording_id(call.id, n % 3 + 1)),
    lambda call, leg, n: RecordingErased(f"c{n}", "x", recording_id(call.id, 1), "wish"),
    lambda call, leg, n: RelayOpened(f"c{n}", "x", PLACE),
    lambda call, leg, n: RelayFailed(f"c{n}", "x", _CAUSES[n % len(_CAUSES)]),
    lambda call, leg, n: Measured(f"c{n}", "x", leg, figures(received=100 * (n % 3), sent=n % 2, whole=n % 5 > 0)),
    lambda call, leg, n: AudioLost(f"c{n}", "x", leg, Way.FROM_PHONE, 2500),
    lambda call, leg, n: AudioRestored(f"c{n}", "x", leg, Way.FROM_PHONE),
    lambda call, leg, n: DeadlineReached(f"c{n}", "x", CLOSE_DEADLINE),
    lambda call, leg, n: DeadlineReached(f"c{n}", "x", (WAY, WAY, NO_RELAY)[n % 3]),
    lambda call, leg, n: RecordingAsked(f"c{n}", "x", ("start", "stop")[n % 2]),
)


KINDS = len(_MAKERS)
"""A step of `play` is of the kinds 0 to `KINDS` - 1."""
ENDS = frozenset((4, 5, 6, 15, 19, 20, 21))
"""Those that tend to end a call: failures, hanging up, and running out of time."""


class History:
    """A call that was played: every turn with its time, and the world's epoch at each."""

    def __init__(self, call: Call, turns: list[tuple[Turn, datetime]]) -> None:
        self.call = call
        self.turns = turns

    @property
    def events(self) -> tuple[Any, ...]:
        return tuple(event for turn, _ in self.turns for event in turn.events)


def play(
    bindings: int,
    dialled: str,
    steps: list[tuple[int, int, float, bool]],
    check: Callable[[Call, Turn, datetime], None] = lambda call, turn, now: None,
    late_offer: bool = False,
    ability: Ability = PLAIN,
    settled: bool = False,
    relayed: bool = False,
    demanded: bool = False,
) -> History:
    """Play (kind, leg, wait_s, taken over) steps; `check` sees the call after every turn.

    With `relayed` its media go through us; with `settled` the first device's early media are agreed before; with
    `demanded` it was answered, and its media are to go through us then: few histories come so far by chance.
    """
    epoch, now = 1, START
    policy = MediaPolicy("always" if relayed else "off", announce=relayed)
    scene: World = world(bindings, media=policy)._replace(media=True)
    first = take_turn(None, offer(new_call(), dialled, "" if late_offer else "v=0 alice", ability), scene, now)
    call = first.call
    assert call is not None
    turns = [(first, now)]
    check(call, first, now)
    for inp in _settling(call) if settled or relayed else ():
        turn = take_turn(call, inp, scene, now)
        check(call, turn, now)
        turns.append((turn, now))
    for inp in _demanding(call) if demanded else ():
        turn = take_turn(call, inp, scene, now)
        check(call, turn, now)
        turns.append((turn, now))
    for number, (kind, leg, wait_s, taken_over) in enumerate(steps):
        now += seconds(wait_s)
        if taken_over:
            epoch += 1
            scene = world(bindings, epoch, media=policy)._replace(media=True)
        names = tuple(call.legs)
        turn = take_turn(call, _MAKERS[kind](call, names[leg % len(names)], number), scene, now)
        check(call, turn, now)
        turns.append((turn, now))
    return History(call, turns)


def _demanding(call: Call) -> Iterator[Input]:
    for leg in list(call.legs)[1:2]:
        yield Answered("c", "x", leg, _answering(call, leg, 0), "v=0 bob", "ua")
        yield RecordingAsked("c", "x", "start")
        yield RelayOpened("c", "x", PLACE)


def _settling(call: Call) -> Iterator[Input]:
    yield RelayOpened("c", "x", PLACE)
    for leg in list(call.legs)[1:2]:
        able = Ability(confirms=True, must_confirm=True, updates=True)
        yield Progressed("c", "x", leg, _answering(call, leg, 0), "early", "ua", able, 7)
        told = call.legs[leg].rung
        if told is not None:
            sdp = "v=0 pracked" * call.late_offer
            yield ProgressConfirmed("c", "x", leg, told.serial, request("PRACK", "prack", 2), sdp)


steps = st.lists(
    st.tuples(
        st.integers(0, len(_MAKERS) - 1),
        st.integers(0, 3),
        st.sampled_from((0.0, 0.01, 1.0, 31.0, 40.0, 1000.0)),
        st.booleans(),
    ),
    min_size=5,
    max_size=20,
)
abilities = st.builds(Ability, st.booleans(), st.booleans(), st.booleans())
histories = st.builds(
    play,
    st.sampled_from((1, 2, 3, 1, 2, 0)),
    st.sampled_from((*("1002",) * 8, "7000", "7000", "1003", "4711")),
    steps,
    late_offer=st.booleans(),
    ability=abilities,
    settled=st.booleans(),
    relayed=st.booleans(),
    demanded=st.booleans(),
)
