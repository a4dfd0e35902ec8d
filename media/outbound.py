"""The way out: what each leg hears, as packets.

What may live here: payloads, headers and their order. What is heard is the mixer's.
"""

from __future__ import annotations

import numpy as np

from media import g711, rtp
from media.batch import Network
from media.cells import FRAME_BYTES
from media.columns import Columns
from media.header import Bytes
from media.layout import Sending
from media.pcm import Samples
from media.rtp import HEADER_BYTES

_PACKET_BYTES = HEADER_BYTES + FRAME_BYTES


class Outbound:
    """Of all legs."""

    def __init__(self, columns: Columns, network: Network) -> None:
        self._columns = columns
        self._network = network

    def send(self, heard: Samples, to: Sending) -> None:
        """Send each leg its frame of 20 ms; `heard` is (legs, 160), by place."""
        if not len(to.rows):
            return
        packets = np.empty((len(to.rows), _PACKET_BYTES), dtype=np.uint8)
        frames = heard if len(to.places) == len(heard) else heard[to.places]
        _encode(frames, to, packets)
        columns, rows = self._columns, to.rows
        rtp.write_headers(
            packets,
            columns.sent_type[rows],
            columns.sequence[rows],
            columns.timestamp[rows],
            columns.sent_source[rows],
            columns.marked[rows],
        )
        columns.marked[rows] = False
        columns.sequence[rows] += 1
        columns.timestamp[rows] += FRAME_BYTES
        columns.sent[rows] += 1
        self._network.send(to.row_list, packets.tobytes(), _PACKET_BYTES)


def _encode(frames: Samples, to: Sending, packets: Bytes) -> None:
    if to.mu_law.all():
        packets[:, HEADER_BYTES:] = g711.MU_LAW.encode(frames)
    elif not to.mu_law.any():
        packets[:, HEADER_BYTES:] = g711.A_LAW.encode(frames)
    else:
        packets[to.mu_law, HEADER_BYTES:] = g711.MU_LAW.encode(frames[to.mu_law])
        packets[~to.mu_law, HEADER_BYTES:] = g711.A_LAW.encode(frames[~to.mu_law])
