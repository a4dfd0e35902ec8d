"""The groups of rows on media that need no server."""

from __future__ import annotations

import asyncio

from bench import codec, hearing, media, media_click, media_takeover, recording
from bench.group import Setup
from bench.media import Shape
from bench.table import Line

_SHAPES = {
    "conference": (
        *(Shape(legs, 1) for legs in (10, 30, 100, 200, 300)),
        *(Shape(300, rooms) for rooms in (10, 100)),
        Shape(100, 10),
        *(Shape(100, 10, codec=codec) for codec in ("G.722", "Opus")),
    ),
    "conference-srtp": (Shape(300, 100, secure=True),),
    "relay": (Shape(300, 150, relayed=True),),
    "steady": (Shape(300, 10),),
}
_SHARED_LEGS = 500
_FULL_S, _QUICK_S = 15.0, 4.0
_STEADY_S, _STEADY_QUICK_S = 600.0, 20.0
"""for whether anything is lost in the long run"""


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
    steady = _STEADY_QUICK_S if setup.quick else _STEADY_S
    lines: list[Line] = []
    floors: dict[int, float] = {}
    for row, shape in ((row, shape) for row, shapes in _SHAPES.items() if row in setup.wanted for shape in shapes):
        setup.say(shape.name)
        if shape.legs not in floors:
            floors[shape.legs] = await asyncio.to_thread(media.floor, shape.legs, seconds)
        lasting = steady if row == "steady" else seconds
        lines.append(await asyncio.to_thread(media.row, shape, lasting, floors[shape.legs]))
    if "shared" in setup.wanted:
        setup.say("one room over two workers")
        each = await asyncio.to_thread(media.floor, _SHARED_LEGS // 2, seconds)
        lines.append(await asyncio.to_thread(media.shared, Shape(_SHARED_LEGS, 1), seconds, each))
    if "takeover" in setup.wanted:
        setup.say("death of a media worker")
        for rooms in (1, 10):
            lines.append(await asyncio.to_thread(media_takeover.row, Shape(100, rooms)))
    if "click" in setup.wanted:
        setup.say("mouth to ear")
        lines.append(await asyncio.to_thread(media_click.row, 2 * seconds))
    return lines
