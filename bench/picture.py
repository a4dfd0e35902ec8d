"""`python -m bench.picture FIGURES PICTURE`: what a leg costs against the number of legs, as an SVG.

FIGURES is the JSON that `python -m bench conference` writes; drawn is what it says of one room.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.media import UNIT, YARDSTICK

WANTED_PERCENT = 0.10
_SIZE_INCHES = (7.0, 4.0)


def points(figures: Mapping[str, Any]) -> list[tuple[float, float, float]]:
    """Legs, what one costs, and the floor, of all rows about one room of G.711; by the number of legs."""
    rows = [row for row in figures["rows"] if row["name"].startswith("conference leg, G.711") and "facts" in row]
    alone = [row for row in rows if row["facts"]["contexts"] == 1]
    return sorted((row["facts"]["legs"], row["figure"], row["yardstick_figure"]) for row in alone)


def draw(drawn: Sequence[tuple[float, float, float]]) -> Figure:
    """The picture. Raises ValueError if there is nothing to be drawn."""
    if not drawn:
        raise ValueError("there are no rows about one room: run `python -m bench conference` first")
    legs, costs, floors = zip(*drawn, strict=True)
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.plot(legs, costs, marker="o", label="a leg of a conference, G.711, both ways, nobody silent")
    axes.plot(legs, floors, marker="s", linestyle="--", label=YARDSTICK)
    axes.axhline(WANTED_PERCENT, color="grey", linestyle=":", label=f"wanted: at most {WANTED_PERCENT:.2f} %")
    axes.set(xlabel="legs in one room", ylabel=UNIT, ylim=(0, None), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.picture", description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("picture", type=Path)
    wanted = parser.parse_args(argv)
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "switchlog"})  # text, and the same names each time
    try:
        figure = draw(points(json.loads(wanted.figures.read_text())))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    figure.savefig(wanted.picture, format="svg", metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
