"""Who is to be told where our media are, and when again."""

from __future__ import annotations

from adapters.media.move import Moves
from tests.domain.world import START, seconds


def test_who_does_not_take_it_is_told_less_and_less_often() -> None:
    moves, now, waits = Moves(), START, []
    for _ in range(7):
        moves.told("leg", now)
        due = moves.next_due()
        assert due is not None
        assert moves.due(due - seconds(0.001)) == []
        assert moves.due(due) == ["leg"]
        waits.append((due - now).total_seconds())
        now = due
    assert waits == [2, 4, 8, 16, 32, 32, 32]


def test_who_knows_is_told_no_more() -> None:
    moves = Moves()
    moves.told("leg", START)
    moves.over("leg")
    moves.over("leg")
    assert moves.next_due() is None
    moves.told("leg", START)
    assert moves.next_due() == START + seconds(2)
