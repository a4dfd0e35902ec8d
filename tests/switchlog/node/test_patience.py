"""What waits: each by itself, whatever becomes of the others."""

from __future__ import annotations

from switchlog.node.patience import MOST, WAIT_S, Patience


def test_one_that_cannot_be_handled_keeps_no_other_from_its_turn() -> None:
    now_s, asked, served = 0.0, 0, list[str]()

    def later() -> None:
        nonlocal asked
        asked += 1

    def fault() -> None:
        served.append("fault")
        raise RuntimeError("a fault of ours")

    patience = Patience(lambda: now_s, later)
    for branch, ready, again in (
        ("z9hG4bK.1", True, fault),
        ("z9hG4bK.2", True, lambda: served.append("second")),
        ("z9hG4bK.3", False, lambda: served.append("third")),
    ):
        assert patience.put_off(branch, lambda ready=ready: ready, again)  # type: ignore[misc]
    patience.retry()
    assert served == ["fault", "second"]
    assert (len(patience), asked) == (1, 4), "it is looked again after the third"
    now_s = WAIT_S
    patience.retry()
    assert served == ["fault", "second", "third"] and len(patience) == 0


def test_more_than_can_wait_are_refused_and_not_remembered() -> None:
    patience = Patience(lambda: 0.0, lambda: None)
    waits = [patience.put_off(f"z9hG4bK.{n}", lambda: False, lambda: None) for n in range(MOST + 9)]
    assert waits == [True] * MOST + [False] * 9
    assert len(patience._until) == MOST
