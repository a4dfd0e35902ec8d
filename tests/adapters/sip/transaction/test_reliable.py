"""The pace of responses that wait for their PRACK (RFC 3262 section 3)."""

from __future__ import annotations

from adapters.sip.transaction.key import ServerKey
from adapters.sip.transaction.reliable import ReliableResponses
from adapters.sip.transaction.timer import Timers
from tests.domain.world import UDP

KEY = ServerKey("z9hG4bK1", "INVITE", "127.0.0.1:6001")


def played(waiting: ReliableResponses, until: float = 1000.0) -> tuple[list[float], list[ServerKey], float]:
    """When something was sent again, what was given up, and when the last thing happened."""
    sent: list[float] = []
    given_up: list[ServerKey] = []
    at = 0.0
    while (due := waiting.next_timer()) is not None and due <= until:
        at = due
        outbox: list[tuple[object, bytes]] = []
        given_up += waiting.on_timer(at, outbox)  # type: ignore[arg-type]
        sent += [at] * len(outbox)
    return sent, given_up, at


def test_intervals_double_without_a_limit_for_64_t1() -> None:
    waiting = ReliableResponses(Timers())
    waiting.start(KEY, "a", UDP, b"180", 0.0)
    assert played(waiting) == ([0.5, 1.5, 3.5, 7.5, 15.5, 31.5], [KEY], 32.0)
    assert len(waiting) == 0


def test_early_dialogs_are_repeated_each_on_its_own() -> None:
    waiting = ReliableResponses(Timers())
    waiting.start(KEY, "a", UDP, b"180", 0.0)
    waiting.start(KEY, "b", UDP, b"183", 0.0)
    waiting.confirmed(KEY, "a")
    assert played(waiting, 2.0)[0] == [0.5, 1.5]
    waiting.confirmed(KEY, "b")
    assert waiting.next_timer() is None
    assert len(waiting) == 0


def test_one_that_is_started_again_keeps_its_pace_and_another_begins_anew() -> None:
    waiting = ReliableResponses(Timers())
    waiting.start(KEY, "a", UDP, b"180", 0.0)
    played(waiting, 1.0)
    waiting.start(KEY, "a", UDP, b"180", 1.0)
    assert waiting.next_timer() == 1.5
    waiting.start(KEY, "a", UDP, b"183", 1.0)
    assert waiting.next_timer() == 1.5
    assert played(waiting, 2.0)[0] == [1.5]


def test_a_final_response_ends_them_all() -> None:
    waiting = ReliableResponses(Timers())
    waiting.start(KEY, "a", UDP, b"180", 0.0)
    waiting.start(KEY, "b", UDP, b"183", 0.0)
    waiting.finished(KEY)
    assert played(waiting) == ([], [], 0.0)
