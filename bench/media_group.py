"""The groups of rows on media that need no server."""

from __future__ import annotations

import asyncio

from bench import codec, hearing, media, media_click, recording
from bench.group import Setup
from bench.media import Shape
from bench.table import Line

_SHAPES = {
    "conference": (Shape(10, 1), Shape(100, 10), Shape(300, 1), Shape(300, 10), Shape(300, 100)),
    "conference-srtp": (Shape(300, 100, secure=True),),
    "relay": (Shape(300, 150, relayed=True),),
}
_FULL_S, _QUICK_S = 15.0, 4.0


async def codecs(setup: Setup) -> list[Line]:
    """Codecs and resampling, a frame of one leg."""
    setup.say("codecs and resampling")
    return await asyncio.to_thread(codec.rows, setup.quick)


async def recordings(setup: Setup) -> list[Line]:
    """Recordings of calls beside a tick."""
    setup.say("recording of calls")
    return await asyncio.to_thread(recording.rows, setup.folder, setup.quick)


async def hear(setup: Setup) -> list[Line]:
    """Packets, jitter buffer, concealment and digits of one leg."""
    setup.say("packets, the jitter buffer, gaps and digits")
    return await asyncio.to_thread(hearing.rows, setup.quick)


async def legs(setup: Setup) -> list[Line]:
    """CPU of a media worker for each leg, and how long a click takes through it."""
    seconds = _QUICK_S if setup.quick else _FULL_S
    lines: list[Line] = []
    floors: dict[int, float] = {}
    for shape in (one for row, shapes in _SHAPES.items() if row in setup.wanted for one in shapes):
        setup.say(shape.name)
        if shape.legs not in floors:
            floors[shape.legs] = await asyncio.to_thread(media.floor, shape.legs, seconds)
        lines.append(await asyncio.to_thread(media.row, shape, seconds, floors[shape.legs]))
    if "click" in setup.wanted:
        setup.say("mouth to ear")
        lines.append(await asyncio.to_thread(media_click.row, 2 * seconds))
    return lines
