"""The ladder of a call as text: a column for each party, arrows to and from us, events at the right. Pure.

What may live here: drawing. It gets the JSON of `GET /v1/calls/{id}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from switchlog.cli.output import shown

Json = Mapping[str, Any]
_LANE = 28
_TIME = 15
_LABEL = _LANE - 6


def draw(story: Json) -> Iterator[str]:
    """The events with the messages that caused them and followed from them."""
    lanes = _Lanes(story["parties"])
    yield from lanes.head("events")
    for step in story["steps"]:
        if step["takeover"]:
            yield lanes.row("", f"=== taken over by {shown(step['node'])}, term {step['epoch']}")
        heard = [(step["heard"], False)] if step["heard"] else []
        messages = heard + [(said, True) for said in step["said"]]
        events = [f"{one['sequence']:>3} {one['type']}  {shown(one['summary'])}".rstrip() for one in step["events"]]
        time = _clock(step["time"])
        for message, event in zip_longest(messages, events):
            arrow = lanes.arrow(message[0]["leg"], message[0]["line"], message[1]) if message else None
            yield lanes.row(time, event or "", arrow)
            time = ""


def draw_wire(story: Json) -> Iterator[str]:
    """The messages that were seen on the wire, as far as they are still kept."""
    lanes = _Lanes(story["parties"])
    yield from lanes.head("seen on the wire")
    for seen in story["wire"]:
        arrow = lanes.arrow(seen["leg"], seen["line"], seen["outbound"])
        yield lanes.row(_clock(seen["time"]), f"{seen['transport']} {seen['remote']}", arrow)


class _Lanes:
    """Where the life lines stand: the caller, we, the callees."""

    def __init__(self, parties: Sequence[Json]) -> None:
        caller, *callees = parties
        self._names = [_name(caller), "switchlog", *(_name(one) for one in callees)]
        self._at = {party["leg"]: lane for lane, party in zip([0, *range(2, len(parties) + 1)], parties, strict=True)}
        self._empty = (("|" + " " * (_LANE - 1)) * len(self._names)).rstrip()

    def head(self, last: str) -> Iterator[str]:
        yield (
            " " * _TIME
            + "".join(name[: _LANE - 2].ljust(_LANE) for name in self._names[:-1])
            + (self._names[-1][: _LANE - 2].ljust(_LANE) + last)
        )

    def arrow(self, leg: str, line: str, outbound: bool) -> str:
        """The life lines with an arrow between us and a party."""
        lane = self._at.get(leg, 0)
        start, end = sorted((lane * _LANE, _LANE))
        rightwards = (lane > 1) == outbound
        label = f" {_short(shown(line))} "
        middle = label.center(end - start - 2, "-")
        shaft = f"{middle}>" if rightwards else f"<{middle}"
        return f"{self._empty[: start + 1]}{shaft}{self._empty[end:]}"

    def row(self, time: str, event: str, arrow: str | None = None) -> str:
        width = _LANE * len(self._names)
        return f"{time:<{_TIME}}{(arrow or self._empty):<{width}}{event}".rstrip()


def _short(line: str) -> str:
    """What fits on an arrow: a long reason loses its method first."""
    if len(line) > _LABEL:
        line = line.partition(" (")[0]
    return line if len(line) <= _LABEL else line[: _LABEL - 2] + ".."


def _name(party: Json) -> str:
    device = "" if party["device"] == party["number"] else f" {shown(party['device'])}"
    return f"{shown(party['number'])}{device}"


def _clock(time: str) -> str:
    """`09:00:00.123` of an ISO time."""
    return time.partition("T")[2][:12]
