"""The groups of rows on media that need no server."""

from __future__ import annotations

import asyncio

from bench import codec, hearing, recording
from bench.group import Setup
from bench.table import Line


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
