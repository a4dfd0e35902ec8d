"""Which leg is where in the matrices of a tick: made anew when a context changes, so that a tick need not ask.

What may live here: indices. A place is a row of a matrix of a tick, legs of one room side by side; a row is one of all
that lasts (`media.columns`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.header import Flags, Numbers
from media.mixer import Gains, Rooms
from media.stream import Stream


class Layout(NamedTuple):
    """Mixed legs of one rate, by place."""

    streams: tuple[Stream, ...]
    rows: Numbers
    rooms: Rooms
    names: tuple[str, ...]
    """contexts, by room"""
    gains: Gains
    """factors of what each says; 0 of those that are muted"""
    plain: bool
    """whether all gains are 1"""
    deaf: NDArray[np.int64]
    """places that hear nothing"""
    sending: Sending


class Sending(NamedTuple):
    """Those of the legs to which something is sent: their places, and which of these get mu-law."""

    places: NDArray[np.int64]
    rows: Numbers
    row_list: list[int]
    mu_law: Flags


def arrange(rooms: Sequence[tuple[str, Sequence[Stream]]]) -> Layout | None:
    """The layout of these rooms of one leg or more each; None of no room."""
    if not rooms:
        return None
    streams = tuple(stream for _, members in rooms for stream in members)
    legs = [stream.leg for stream in streams]
    rows = np.array([stream.row for stream in streams], dtype=np.int64)
    gains = np.array([0.0 if leg.muted else 10 ** (leg.gain_db / 20) for leg in legs], dtype=np.float32)
    sending = np.flatnonzero([leg.sends for leg in legs])
    return Layout(
        streams,
        rows,
        Rooms.of_sizes([len(members) for _, members in rooms]),
        tuple(name for name, _ in rooms),
        gains,
        bool((gains == 1).all()),
        np.flatnonzero([leg.deaf for leg in legs]),
        Sending(sending, rows[sending], rows[sending].tolist(), _mu_law(streams)[sending]),
    )


def _mu_law(streams: Sequence[Stream]) -> Flags:
    return np.array([stream.law is g711.MU_LAW for stream in streams], dtype=np.bool_)
