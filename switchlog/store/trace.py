"""The wire trace as the settings want it: the tap of the sessions role, and the messages of a call for the API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.sip.message.text import to_text
from adapters.trace.message import call_id_of
from adapters.trace.segment import find
from adapters.trace.tap import Collector, Files, Sink, Tap
from switchlog.query.story import Story, line_of
from switchlog.setting.address import address
from switchlog.setting.folder import TRACE

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_AROUND = timedelta(seconds=40)
"""Before its first event a call has its challenge, after its last one 64*T1 of repetitions."""
_MOST = 2_000


def tap_of(settings: Settings) -> Tap | None:
    """None if nothing is to be traced."""
    sinks: list[Sink] = []
    if settings.trace_bytes:
        sinks.append(Files(settings.data / TRACE, settings.trace_bytes))
    if settings.hep:
        sinks.append(Collector(*address(settings.hep), settings.hep_id))
    return Tap(sinks) if sinks else None


def wire_of(story: Story, folder: Path) -> Sequence[dict[str, Any]]:
    """The messages of a call that are still kept, oldest first, at most 2,000. Blocks."""
    since, until = story.steps[0].time - _AROUND, story.steps[-1].time + _AROUND
    parties = {party.sip_call_id: party for party in story.parties}
    found: list[dict[str, Any]] = []
    for seen in find(folder, set(parties), _micros(since), _micros(until)):
        if len(found) == _MOST:
            break
        party = parties[to_text(call_id_of(seen.data))]
        found.append(
            {
                "time": datetime.fromtimestamp(seen.at_us / 1_000_000, UTC),
                "outbound": seen.outbound,
                "leg": party.leg,
                "transport": seen.transport,
                "remote": seen.remote,
                "line": line_of(seen.data),
                "raw": to_text(seen.data),
            }
        )
    return found


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
