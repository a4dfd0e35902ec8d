"""One thing fails, at each place where it can: the Nth append, fsync or datagram, or the whole process there.

After each: memory is the fold of the journal and effects are owed (checked by the laboratory at every step), whatever
was acknowledged is kept, the callee never sees a second INVITE, the call ends once, and everybody comes to rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from domain.call.call import Call
from domain.ports import Journal
from projections.cdr import fold_cdr
from tests.domain.world import START
from tests.faults.disk import Disk, Plan
from tests.faults.laboratory import Died, Laboratory
from tests.faults.scene import END_S, HANG_UP_AT_S, SCENES, Scene

KINDS = ("append", "fsync", "fsync, though written", "send", "death before an append", "death after an append",
         "death at a send", "death after a send")  # fmt: skip
LIMIT = 80
"""More of one kind than any scene has."""
STRIDE = int(os.environ.get("SWEEP_STRIDE", "1"))


class Story:
    """One laboratory over one file, with one fault in it."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.plan, self._path, self._disk = plan, path, None
        self.lab = Laboratory(self._journal)
        self.lab.on_server_send = self._sends

    def _seconds(self) -> float:
        lab = getattr(self, "lab", None)  # the first journal is opened while the laboratory is made
        return lab.clock_s if lab is not None else 0.0

    def _journal(self, generation: int) -> tuple[Journal, Mapping[int, int]]:
        self.close()
        self._disk = Disk(self._path, self.plan, lambda: START.timestamp() + self._seconds())
        return self._disk, self._disk.epochs

    def _sends(self, number: int) -> bool:
        if self.plan.due("death at a send"):
            raise Died
        if self._dies_after:
            self._dies_after = False
            raise Died
        self._dies_after = self.plan.due("death after a send")
        return not self.plan.due("send")

    _dies_after = False
    _disk: Disk | None

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()


def stories(path: Path, scene: Scene, kind: str) -> Iterator[tuple[int, Story]]:
    """The scene with its first such fault, with its second, and so on, until it has no more of them."""
    for nth in range(1, LIMIT, STRIDE):
        story = Story(path / f"{nth}.db", Plan(kind, nth))
        try:
            scene.play(story.lab)
            story.lab.run(END_S)
            yield nth, story
        finally:
            story.close()
        if not story.plan.done:
            return
    raise AssertionError("the limit of the sweep is too low")


def accept(scene: Scene, story: Story) -> None:
    """What must hold after any single fault."""
    lab = story.lab
    lab.at_rest()
    assert lab.exchange is not None
    assert lab.alice.registered and lab.bob.registered
    for number in ("1001", "1002"):
        assert len(lab.exchange.board.contacts("acme", number)) == 1, "a binding that was acknowledged is lost"
    events = lab.events()
    if not events and lab.alice.final >= 300:
        return  # the offer itself failed: refused, nothing acknowledged, nobody rung
    ends = [event for event in events if isinstance(event, Call.Ended)]
    assert len(ends) == 1 and len({event.originator_id for event in events}) == 1, [
        type(one).__name__ for one in events
    ]
    record = fold_cdr(events)
    assert record is not None and record.cdr.final
    connected = [event for event in events if isinstance(event, Call.Connected)]
    if lab.alice.final == 200:
        assert connected, "the caller was told of an answer that the journal does not have"
    if lab.alice.final == 200 and scene.disposition == "answered":
        talked_s = (record.cdr.ended_at - connected[0].timestamp).total_seconds() if record.cdr.ended_at else 0.0
        assert talked_s > HANG_UP_AT_S - 20, "an answered call was ended by nobody's wish"
    if scene.disposition:
        assert record.cdr.disposition == scene.disposition
    if scene.hangup_by:
        assert record.cdr.hangup_by == scene.hangup_by


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENES)
def test_every_single_fault_is_survived(tmp_path: Path, name: str, kind: str) -> None:
    scene, places = SCENES[name], 0
    for nth, story in stories(tmp_path, scene, kind):
        places = nth
        try:
            accept(scene, story)
        except AssertionError as broken:
            raise AssertionError(f"{name}, {kind} number {nth}: {broken}") from broken
    assert places > 2, "nothing was swept"
