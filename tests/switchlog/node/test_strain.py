"""The edge sees the worst of what its workers bear, also of one that has no time to say it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from switchlog.node.strain import Strain, StrainFile, Strains


def test_the_worst_of_all_that_run_counts(tmp_path: Path) -> None:
    paths = [tmp_path / "links" / name for name in ("a_1", "a_2", "a_3")]
    one, two = StrainFile(paths[0]), StrainFile(paths[1])
    strains = Strains(paths)
    assert strains.worst() == Strain(), "nobody has said anything"
    one.tell(Strain(0.3, 0.1))
    two.tell(Strain(0.2, 0.6))
    assert strains.worst() == Strain(0.3, 0.6)
    StrainFile(paths[0]).tell(Strain(0.4, 0.0))  # it was started again
    assert strains.worst() == Strain(0.4, 0.6)


@pytest.mark.parametrize(("silent_s", "seen_s"), [(0.05, 0.0), (0.5, 0.5), (60.0, 0.0)])
def test_who_is_held_up_is_seen_to_wait_and_who_is_gone_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_s: float, seen_s: float
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    path = tmp_path / "a_1"
    StrainFile(path).tell(Strain())
    strains = Strains([path])
    now += silent_s
    assert strains.worst().delay_s == pytest.approx(seen_s)
