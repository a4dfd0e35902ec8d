"""The groups of rows on media that need no server."""

from __future__ import annotations

from bench import codec
from bench.group import Setup
from bench.table import Line


async def codecs(setup: Setup) -> list[Line]:
    """Codecs and resampling, a frame of one leg."""
    setup.say("codecs and resampling")
    return await codec.rows(setup.quick)
