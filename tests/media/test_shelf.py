"""Sounds that are kept: made once, and not more of them than there is room for."""

from __future__ import annotations

import os
from pathlib import Path

from media.shelf import Shelf


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    made = [shelf.content("en/a.wav", lambda: os.urandom(9)) for shelf in (Shelf(tmp_path), Shelf(tmp_path))]
    assert made == [(tmp_path / "en" / "a.wav").read_bytes()] * 2


def test_what_was_made_first_goes_when_there_is_too_much(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, most_bytes=250)
    for number in range(4):
        shelf.content(f"en/{number}.wav", lambda: bytes(100))
        os.utime(tmp_path / "en" / f"{number}.wav", (number, number))
    shelf.content("de/0.wav", lambda: bytes(100))
    assert sorted(path.name for path in (tmp_path / "en").iterdir()) == ["2.wav", "3.wav"]
    assert (tmp_path / "de" / "0.wav").exists()
