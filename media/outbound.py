"""The way out: what each leg hears, as packets.

What may live here: payloads, headers and their order. What is heard is the mixer's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media import g711, rtp
from media.batch import Network
from media.cells import FRAME_BYTES
from media.columns import Columns
from media.header import Bytes, Flags, Numbers
from media.pcm import Samples
from media.rtp import HEADER_BYTES
from media.stream import Stream

_FRAMES_A_SECOND = 50
_PACKET_BYTES = HEADER_BYTES + FRAME_BYTES


class Outbound:
    """Of all legs."""

    def __init__(self, columns: Columns, network: Network) -> None:
        self._columns = columns
        self._network = network

    def send_all(self, frames: Samples, rows: Numbers, row_list: Sequence[int], mu_law: Flags) -> None:
        """Send G.711 legs their frames of 20 ms, (legs, 160); `mu_law` says who gets which law."""
        packets = np.empty((len(rows), _PACKET_BYTES), dtype=np.uint8)
        _encode(frames, mu_law, packets)
        columns = self._columns
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
        columns.sent_bytes[rows] += FRAME_BYTES
        self._network.send(row_list, packets.tobytes(), _PACKET_BYTES)

    def send_one(self, stream: Stream, frame: Samples) -> None:
        """Send a leg with a codec of its own what is full with this frame."""
        if stream.speaking is not None:
            for payload, ticks in stream.speaking.packets(frame):
                self._send(stream.row, int(self._columns.sent_type[stream.row]), payload)
                self._columns.timestamp[stream.row] += ticks

    def send_key(self, stream: Stream) -> bool:
        """Send what of a digit is due in place of sound, if something is."""
        row, columns = stream.row, self._columns
        event = stream.keys.tick(columns.sent_timestamp(row))
        if event is None:
            return False
        columns.marked[row] = event.marker
        self._send(row, stream.leg.dtmf, event.payload, event.timestamp)
        columns.timestamp[row] += stream.leg.codecs[0].clock_rate_hz // _FRAMES_A_SECOND
        return True

    def _send(self, row: int, kind: int, payload: bytes, timestamp: int | None = None) -> None:
        columns = self._columns
        stamp = columns.sent_timestamp(row) if timestamp is None else timestamp
        head = rtp.header(
            kind, int(columns.sequence[row]), stamp, int(columns.sent_source[row]), bool(columns.marked[row])
        )
        columns.marked[row] = False
        columns.sequence[row] += 1
        columns.sent[row] += 1
        columns.sent_bytes[row] += len(payload)
        self._network.send_one(row, head + payload)


def _encode(frames: Samples, mu_law: Flags, packets: Bytes) -> None:
    if mu_law.all():
        packets[:, HEADER_BYTES:] = g711.MU_LAW.encode(frames)
    elif not mu_law.any():
        packets[:, HEADER_BYTES:] = g711.A_LAW.encode(frames)
    else:
        packets[mu_law, HEADER_BYTES:] = g711.MU_LAW.encode(frames[mu_law])
        packets[~mu_law, HEADER_BYTES:] = g711.A_LAW.encode(frames[~mu_law])
