"""The way out: what each leg hears, as packets.

What may live here: payloads, headers and their order. What is heard is the mixer's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media import rtp
from media.batch import Network
from media.cells import FRAME_BYTES
from media.choir import Choir
from media.columns import Columns
from media.g711 import Laws
from media.header import Flags, Numbers
from media.libsrtp import LONGEST_TRAILER, Place
from media.pcm import Samples
from media.rtp import HEADER_BYTES
from media.stream import Stream
from media.voice import Packed

_FRAMES_A_SECOND = 50
_ALL_BUT_MARKER = 0x7F
_PACKET_BYTES = HEADER_BYTES + FRAME_BYTES


class Outbound:
    """Of all legs. G.711 legs get a packet each tick; theirs are one matrix that lasts, so a tick writes what changes.

    The numbers in those packets are ahead of `media.columns` until `settle` is called.
    """

    def __init__(self, columns: Columns, network: Network) -> None:
        self._columns = columns
        self._network = network
        self._choir = Choir()
        self.board(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_))

    def board(self, rows: Numbers, mu_law: Flags) -> None:
        """From now on these G.711 legs get a packet each tick; `mu_law` says who gets which law. Settle before.

        Packets to legs with SRTP are encrypted in their place, so there is room for what then follows them.
        """
        self._rows, self._mu_law, self._laws = rows, mu_law, Laws(mu_law)
        self._packets = packets = np.zeros((len(rows), _PACKET_BYTES + LONGEST_TRAILER), dtype=np.uint8)
        secure = self._columns.secure[rows]
        self._clear_rows, self._secure_rows = rows[~secure].tolist(), rows[secure].tolist()
        self._views = [packets[place, :_PACKET_BYTES].data for place in np.flatnonzero(~secure).tolist()]
        self._places = [Place(packets[place]) for place in np.flatnonzero(secure).tolist()]
        self._lengths = [_PACKET_BYTES] * len(self._places)
        self._second, self._payloads = packets[:, 1], packets[:, HEADER_BYTES:_PACKET_BYTES]
        self._sequence, self._timestamp = packets[:, 2:4].view(">u2"), packets[:, 4:8].view(">u4")
        self._ticks = 0
        self.stale = True
        """whether the columns say something new about headers"""
        self._marked = False

    def settle(self) -> None:
        """Bring the columns up to date: before they are read, and before anything in them is changed."""
        columns, rows = self._columns, self._rows
        if self._ticks:
            columns.sequence[rows] += self._ticks
            columns.timestamp[rows] += self._ticks * FRAME_BYTES
            columns.sent[rows] += self._ticks
            columns.sent_bytes[rows] += self._ticks * FRAME_BYTES
            self._ticks = 0

    def send_all(self, frames: Samples) -> None:
        """Send the G.711 legs on board their frames of 20 ms, (legs, 160)."""
        if self.stale:
            self._write_headers()
        else:
            if self._marked:
                self._second &= _ALL_BUT_MARKER
                self._marked = False
            self._sequence += 1  # both wrap as they are to
            self._timestamp += FRAME_BYTES
        self._payloads[:] = self._laws.encode(frames)
        self._ticks += 1
        self._network.send(self._clear_rows, self._views)
        self._network.send_from(self._secure_rows, self._places, self._lengths)

    def send_some(self, frames: Samples, others: Flags) -> None:
        """As `send_all`, but only to some of them: the rest gets something else in this tick."""
        self.settle()
        rows, mu_law = self._rows, self._mu_law
        self.board(rows[others], mu_law[others])
        self.send_all(frames[others])
        self.settle()
        self.board(rows, mu_law)

    def _write_headers(self) -> None:
        columns, rows = self._columns, self._rows
        rtp.write_headers(
            self._packets,
            columns.sent_type[rows],
            columns.sequence[rows],
            columns.timestamp[rows],
            columns.sent_source[rows],
            columns.marked[rows],
        )
        self._marked = bool(columns.marked[rows].any())
        columns.marked[rows] = False
        self.stale = False

    def send_coded(self, streams: Sequence[Stream], frames: Sequence[Samples]) -> None:
        """Send legs with codecs of their own what is full with these frames."""
        rows = [stream.row for stream in streams if stream.speaking is not None]
        speaking = [stream.speaking for stream in streams if stream.speaking is not None]
        packets = list(zip(rows, self._choir.packets(speaking, frames), strict=True))
        while packets := [(row, full) for row, full in packets if full]:
            self._send_first([row for row, _ in packets], [full.pop(0) for _, full in packets])

    def _send_first(self, rows: list[int], packed: Sequence[Packed]) -> None:
        """A packet to each of these rows."""
        columns, places = self._columns, np.array(rows, dtype=np.int64)
        headers = np.zeros((len(rows), HEADER_BYTES), dtype=np.uint8)
        rtp.write_headers(
            headers,
            columns.sent_type[places],
            columns.sequence[places],
            columns.timestamp[places],
            columns.sent_source[places],
            columns.marked[places],
        )
        columns.marked[places] = False
        columns.sequence[places] += 1
        columns.timestamp[places] += [one.ticks for one in packed]
        columns.sent[places] += 1
        columns.sent_bytes[places] += [len(one.payload) for one in packed]
        written = headers.tobytes()
        heads = (written[start : start + HEADER_BYTES] for start in range(0, len(written), HEADER_BYTES))
        self._network.send(rows, [head + one.payload for head, one in zip(heads, packed, strict=True)])

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
