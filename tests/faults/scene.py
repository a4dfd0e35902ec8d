"""What the two phones of a laboratory do: one call each, from the registration to the last hang-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.faults.laboratory import Laboratory

END_S = 200.0
CALL_AT_S, HANG_UP_AT_S = 8.0, 30.0


class Scene(NamedTuple):
    """`play` sets the phones going; `disposition` and `hangup_by` are what the record must say without any fault."""

    play: Callable[[Laboratory], None]
    disposition: str
    hangup_by: str


def _begin(lab: Laboratory) -> None:
    lab.later(0.0, lab.alice.register)
    lab.later(0.1, lab.bob.register)
    lab.later(CALL_AT_S, lambda: lab.alice.call("1002"))


def _talk(lab: Laboratory) -> None:
    _begin(lab)
    lab.later(15.0, lambda: lab.alice.hold("sendonly"))
    lab.later(22.0, lambda: lab.alice.hold("sendrecv"))
    lab.later(HANG_UP_AT_S, lab.alice.hang_up)


def _callee_hangs_up(lab: Laboratory) -> None:
    _begin(lab)
    lab.later(15.0, lambda: lab.bob.hold("sendonly"))
    lab.later(HANG_UP_AT_S, lab.bob.hang_up)


def _both_hang_up(lab: Laboratory) -> None:
    _begin(lab)
    lab.later(HANG_UP_AT_S, lab.alice.hang_up)
    lab.later(HANG_UP_AT_S, lab.bob.hang_up)


def _hold_against_bye(lab: Laboratory) -> None:
    _begin(lab)
    lab.later(HANG_UP_AT_S, lambda: lab.alice.hold("sendonly"))
    lab.later(HANG_UP_AT_S, lab.bob.hang_up)


def _rejected(lab: Laboratory) -> None:
    lab.bob.answer_with = 486
    _begin(lab)


def _unanswered(lab: Laboratory) -> None:
    lab.bob.answer_after_s = 100_000.0
    _begin(lab)


def _cancelled(lab: Laboratory) -> None:
    lab.bob.answer_after_s = 60.0
    _begin(lab)
    lab.later(CALL_AT_S + 3.0, lab.alice.cancel)


def _cancelled_as_it_is_answered(lab: Laboratory) -> None:
    lab.bob.answer_after_s = 2.0
    _begin(lab)

    def gives_up() -> None:
        lab.alice.cancel()
        lab.alice.hang_up()

    lab.later(CALL_AT_S + 2.015, gives_up)


SCENES: Mapping[str, Scene] = {
    "talk": Scene(_talk, "answered", "caller"),
    "the callee hangs up": Scene(_callee_hangs_up, "answered", "callee"),
    "both hang up": Scene(_both_hang_up, "answered", ""),
    "hold against BYE": Scene(_hold_against_bye, "answered", "callee"),
    "rejected": Scene(_rejected, "busy", "callee"),
    "unanswered": Scene(_unanswered, "no_answer", ""),
    "cancelled": Scene(_cancelled, "cancelled", "caller"),
    "cancelled as it is answered": Scene(_cancelled_as_it_is_answered, "", ""),
}
