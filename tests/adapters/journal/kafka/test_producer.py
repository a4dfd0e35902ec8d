"""When a commit counts, with a session that the test writes the answers of."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError, ProducerFencedError  # type: ignore[import-untyped]

from adapters.journal.kafka.message import Message
from adapters.journal.kafka.producer import Doubt, Transactor
from adapters.journal.kafka.topic import CALLS, Place, place

MESSAGES = [Message(place(CALLS, number), b"key", b"value", []) for number in (1, 2, 1)]


class Receipt:
    def __init__(self, at: int | Exception) -> None:
        self._at = at

    def offset(self) -> int:
        if isinstance(self._at, Exception):
            raise self._at
        return self._at


class Script:
    """A session that does what its fields say, and notes what it was asked."""

    def __init__(self) -> None:
        self.identities = [(7, 1)] * 10
        self.offsets: list[int | Exception] = [10, 20, 11]
        self.raises: dict[str, Exception] = {}
        self.committed: bool = True
        self.asked: list[str] = []
        self.places: list[Place] = []

    @property
    def identity(self) -> tuple[int, int]:
        return self.identities.pop(0)

    def begin(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._ask("begin")

    def send(self, message: Message) -> Receipt:
        self._ask("send")
        return Receipt(self.offsets[(self.asked.count("send") - 1) % len(self.offsets)])

    def flush(self) -> None:
        self._ask("flush")

    def commit(self) -> bool:
        self._ask("commit")
        return self.committed

    def abort(self) -> bool:
        self._ask("abort")
        return self.committed

    def close(self) -> None:
        self.asked.append("close")

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.raises:
            raise self.raises[what]


def opened(script: Script) -> Transactor:
    transactor = Transactor(lambda txn_id: script, "writer")
    transactor.open()
    return transactor


def test_what_was_acknowledged_and_committed_has_its_offsets() -> None:
    script = Script()
    transactor = opened(script)
    assert transactor.append(MESSAGES) == [10, 20, 11]
    assert script.places == [place(CALLS, 1), place(CALLS, 2)]
    assert script.asked == ["begin", "send", "send", "send", "flush", "commit"]
    assert transactor.is_open


def _doubtful() -> list[tuple[str, Script]]:
    rows: list[tuple[str, Script]] = []

    def row(name: str) -> Script:
        rows.append((name, Script()))
        return rows[-1][1]

    row("no commit in time").committed = False
    row("another epoch before the commit").identities = [(7, 1), (7, 1), (7, 2), (7, 2)]
    row("another epoch during the commit").identities = [(7, 1), (7, 1), (7, 1), (7, 2)]
    row("another producer").identities = [(7, 1), (7, 1), (8, 0), (8, 0)]
    row("a record that was not acknowledged").offsets = [10, KafkaTimeoutError("late"), 11]
    row("a record that is in doubt").offsets = [10, 20, Doubt("late")]
    for method in ("begin", "send", "flush", "commit"):
        row(f"fenced at {method}").raises = {method: ProducerFencedError()}
        row(f"a wrong state at {method}").raises = {method: RuntimeError("state")}
    row("a partition that is gone").raises = {"send": ValueError("Unrecognized partition 1")}
    return rows


@pytest.mark.parametrize(("name", "script"), _doubtful(), ids=lambda row: row if isinstance(row, str) else "")
def test_anything_else_is_a_doubt_and_ends_the_session(name: str, script: Script) -> None:
    transactor = opened(script)
    with pytest.raises(Doubt):
        transactor.append(MESSAGES)
    assert script.asked[-1] == "close"
    assert not transactor.is_open
    with pytest.raises(Doubt, match="no producer"):
        transactor.append(MESSAGES)
    assert script.asked.count("close") == 1


def test_a_commit_is_not_even_asked_for_when_a_record_is_missing() -> None:
    script = Script()
    script.offsets = [10, KafkaTimeoutError("late"), 11]
    with pytest.raises(Doubt, match="late"):
        opened(script).append(MESSAGES)
    assert "commit" not in script.asked


def test_who_cannot_open_is_in_doubt_and_may_try_again() -> None:
    failures: list[Exception] = [KafkaError("nobody answers"), ValueError("no broker")]
    script = Script()

    def opening(txn_id: str) -> Script:
        if failures:
            raise failures.pop(0)
        return script

    transactor = Transactor(opening, "writer")
    for said in ("nobody answers", "no broker"):
        with pytest.raises(Doubt, match=said):
            transactor.open()
        assert not transactor.is_open
    transactor.open()
    assert transactor.is_open
    assert transactor.identities == {"7:1"}


def test_opening_again_closes_the_session_before() -> None:
    script = Script()
    transactor = opened(script)
    transactor.open()
    assert script.asked == ["close"]


def test_mending_begins_a_transaction_and_aborts_it() -> None:
    script = Script()
    transactor = opened(script)
    transactor.mend(MESSAGES)
    assert script.asked == ["begin", "send", "send", "send", "flush", "abort"]
    script.committed = False
    with pytest.raises(Doubt):
        transactor.mend(MESSAGES)
    assert not transactor.is_open
