"""What a board is connected to: the world as its driver gives it.

What may live here: those names, and what a node that is alone knows of others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from domain.base import Event
from domain.call.call import Call
from domain.call.effect import Effect
from domain.values import Contact


def _always(shard: int) -> bool:
    """All belong to the only node."""
    return True


def nowhere(tenant: str, number: str) -> tuple[Contact, ...]:
    """The only node knows of no bindings but its own."""
    return ()


def _nobody(shard: int) -> None:
    """Where nobody else has anything of a shard in memory."""


class Outlets(NamedTuple):
    """What a board is connected to; all are called on the loop's thread."""

    perform: Callable[[Call, tuple[Effect, ...]], None]
    lost: Callable[[int, str], None]
    """(shard, reason): ownership is lost, the shard was dropped"""
    settled: Callable[[], None]
    """something was answered: send what waits"""
    told: Callable[[tuple[Event, ...]], None]
    """events of a call that are durable now, for the log"""
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes]
    """so many random bytes"""
    mine: Callable[[int], bool] = _always
    """whether a shard that is not owned here is to be, so that it is claimed again"""
    elsewhere: Callable[[str, str], tuple[Contact, ...]] = nowhere
    """(tenant, number) -> the bindings that hold now, of an extension whose shard another node owns"""
    left: Callable[[int], None] = _nobody
    """a shard is not owned here any more, for whatever reason"""
