"""The way in: packets of all legs of a tick to the playout buffers.

What may live here: what a packet is and whose. The usual ones are dealt with in arrays, the odd ones one by one, and of
those no more than a tick bears.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media import g711, header, rtp
from media.batch import LONGEST_PACKET_BYTES, Address, Batch, Network
from media.cells import CELL_BYTES, Cells
from media.columns import Columns
from media.header import Numbers
from media.rtp import HEADER_BYTES
from media.stream import Stream

MOST_ODD_PACKETS = 400
_IDLE_S = 0.2
"""Who was not heard for so long may come back as another source at once."""


class Inbound:
    """Of all legs; `streams` has them by their rows."""

    def __init__(self, columns: Columns, cells: Cells, streams: Sequence[Stream | None], network: Network) -> None:
        self._columns = columns
        self._cells = cells
        self._streams = streams
        self._network = network
        self.moved: list[tuple[Stream, Address]] = []
        """whose packets come from another place than it said, since somebody took them out of here"""
        self.refused = 0
        """packets that were none of a leg's, or too many"""

    def accept(self, batch: Batch, now_s: float) -> None:
        """Deal with all that came."""
        if not len(batch.rows):
            return
        headers = header.read(batch.packets)
        usual = self._columns.usual(headers, batch.rows, batch.lengths)
        if batch.sources:
            usual[list(batch.sources)] = False
        if usual.all():
            self._place(batch, headers, np.arange(len(usual)), now_s)
            return
        self._place(batch, headers, np.flatnonzero(usual), now_s)
        odd = np.flatnonzero(~usual).tolist()
        for index in odd[:MOST_ODD_PACKETS]:
            self._examine(batch, index, now_s)
        self.refused += max(0, len(odd) - MOST_ODD_PACKETS)

    def _place(self, batch: Batch, headers: header.Headers, chosen: Numbers, now_s: float) -> None:
        """Put usual packets into the buffers: those of one length at once, and nearly always all are of one."""
        rows, lengths = batch.rows[chosen], batch.lengths[chosen]
        self._columns.count_in(rows, headers.sequence[chosen], now_s)
        timestamps = headers.timestamp[chosen]
        for length in np.unique(lengths).tolist():
            same = lengths == length
            payloads = batch.packets[chosen[same], HEADER_BYTES:length]
            self._cells.put(rows[same], timestamps[same], payloads)

    def _examine(self, batch: Batch, index: int, now_s: float) -> None:
        """A packet that is not what was expected."""
        row, length = int(batch.rows[index]), int(batch.lengths[index])
        stream = self._streams[row] if row >= 0 else None
        packet = rtp.parse(batch.packets[index, :length].tobytes()) if length < LONGEST_PACKET_BYTES else None
        if stream is None or packet is None or not self._take(stream, packet, batch.sources.get(index), now_s):
            self.refused += 1

    def _take(self, stream: Stream, packet: rtp.Packet, source: Address | None, now_s: float) -> bool:
        """Whether it is sound of this leg; then it is placed, and the leg is where it came from."""
        row, columns = stream.row, self._columns
        cells, odd = divmod(len(packet.payload), CELL_BYTES)
        if packet.payload_type not in stream.laws or odd or not cells:
            return False
        idle = now_s - float(columns.last_heard_s[row]) > _IDLE_S
        if not stream.believes(packet, int(columns.source[row]), idle):
            return False
        if source is not None and not self._settle(stream, source):
            return False
        if (packet.ssrc, packet.payload_type) != (columns.source[row], columns.payload_type[row]):
            mu_law = stream.laws[packet.payload_type] is g711.MU_LAW
            columns.hear(row, packet.ssrc, packet.payload_type, mu_law, packet.sequence)
            self._cells.reset(row)
        one = np.array([row])
        columns.count_in(one, np.array([packet.sequence]), now_s)
        payload = np.frombuffer(packet.payload, dtype=np.uint8)[None]
        self._cells.put(one, np.array([packet.timestamp]), payload)
        return True

    def _settle(self, stream: Stream, source: Address) -> bool:
        """Whether the leg is there; from now on it is nowhere else."""
        if stream.pointed:
            return True
        said = stream.leg.remote
        if stream.leg.fixed and source != said:
            return False
        self._network.point(stream.row, source)
        stream.pointed = True
        if source != said:
            self.moved.append((stream, source))
        return True
