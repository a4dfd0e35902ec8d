"""The picture of what a leg costs."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import picture
from bench.media import Shape
from bench.table import Line, Missing, Row, as_json


def row(shape: Shape, figure: float) -> Row:
    return Row(shape.name, figure, "%", "floor", 0.02, facts={"legs": shape.legs, "contexts": shape.rooms})


def test_rows_about_one_room_are_drawn_and_no_others(tmp_path: Path) -> None:
    rows: list[Line] = [
        row(Shape(300, 1), 0.05),
        row(Shape(10, 1), 0.2),
        row(Shape(300, 10), 0.06),
        row(Shape(100, 1, codec="Opus"), 0.9),
        row(Shape(100, 1, secure=True), 0.1),
        Missing("conference leg, G.711, 30 legs in 1 room", "it failed", failed=True),
    ]
    figures = tmp_path / "bench.json"
    figures.write_text(as_json(rows, {}))
    assert picture.points(json.loads(figures.read_text())) == [(10, 0.2, 0.02), (300, 0.05, 0.02)]
    drawn = tmp_path / "cost.svg"
    assert picture.main([str(figures), str(drawn)]) == 0
    assert "legs in one room" in "".join(ElementTree.parse(drawn).getroot().itertext())


def test_nothing_to_draw_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "bench.json"
    figures.write_text(as_json([], {}))
    assert picture.main([str(figures), str(tmp_path / "cost.svg")]) == 1
    assert "python -m bench conference" in capsys.readouterr().err
