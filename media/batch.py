"""The sockets of all legs: what came on any of them as one matrix of bytes, and many packets sent at once.

What may live here: reading and writing, bounded. What is in the packets is others' business.

Each leg has its own socket, as its port tells it apart. One that is pointed at its party (`point`) gets nothing from
strangers and costs least. `recvmmsg` and `sendmmsg` serve one socket a call, so they would cost more than plain calls.
"""

from __future__ import annotations

import select
import socket
from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from media import port
from media.header import Bytes, Numbers, Seconds
from media.libsrtp import Place

LONGEST_PACKET_BYTES = 2048
"""What fills so much is taken as longer than any packet of ours, and cut off."""
PACKETS_A_ROUND = 16
"""Of one socket at most: what else waits there is left to the kernel, which drops what it has no room for."""
REPORTS_A_ROUND = 64
_PITCH_BYTES = 64
"""Between packets: at a distance of a power of two their headers would drive each other out of the cache."""

Address = tuple[str, int]
Data = bytes | memoryview
_Read = Callable[[memoryview], int]
_Send = Callable[[Data], int]


class Guard(Protocol):
    """What makes of a packet of ours what goes on the wire."""

    def protect(self, packet: Data) -> bytes | None:
        """None for nothing."""

    def protect_in(self, place: Place, length: int) -> int:
        """Of so many bytes, in their place: how many there are then; 0 for nothing."""


class Batch(NamedTuple):
    """What came: `packets` (packets, LONGEST_PACKET_BYTES), in the order of arrival for each leg, `places` its rows.

    `sources` tells by packet where it came from, unless its socket is pointed. `reports` are datagrams of RTCP sockets.
    `single` says that there is one packet of each leg at most.
    """

    packets: Bytes
    places: Sequence[Place]
    rows: Numbers
    lengths: Numbers
    arrived_s: Seconds
    sources: dict[int, Address]
    reports: list[tuple[int, bytes, Address]]
    single: bool


class _Place(NamedTuple):
    row: int
    sock: socket.socket
    report: bool


class Network:
    """Sockets by the rows of their legs. Methods do not block.

    `host` is the address to bind to; `::` is all that there are, those of IPv4 as well.
    """

    def __init__(self, host: str, rows: int) -> None:
        self._host = host
        self._epoll = select.epoll()
        self._pairs: dict[int, port.Pair] = {}
        self._places: dict[int, _Place] = {}
        self._pointed: dict[int, tuple[_Read, int]] = {}
        """by file descriptor: what to read with and the row"""
        self._senders: list[_Send | None] = [None] * rows
        self._bare_senders: list[_Send | None] = [None] * rows
        """past the guards"""
        self._guards: dict[int, Guard] = {}
        self._most = 2 * rows + 4 * PACKETS_A_ROUND
        self._matrix = np.zeros((self._most, LONGEST_PACKET_BYTES + _PITCH_BYTES), dtype=np.uint8)[
            :, :LONGEST_PACKET_BYTES
        ]
        self._read_places = [Place(row) for row in self._matrix]
        self._views = [place.view for place in self._read_places]
        self._rows, self._lengths, self._arrived_s = array("q"), array("q"), array("d")
        self._sources: dict[int, Address] = {}
        self._reports: list[tuple[int, bytes, Address]] = []
        self._single = True
        self.unsent = 0
        """packets that the kernel did not take"""

    def open(self, row: int, number: int) -> None:
        """Open the port of a leg, and the one above for RTCP. Raises port.PortTakenError."""
        pair = port.open_pair(self._host, number)
        self._pairs[row] = pair
        self._watch(_Place(row, pair.rtp, False))
        self._watch(_Place(row, pair.rtcp, True))

    def close(self, row: int) -> None:
        """Close a leg's sockets; what came through them and was not taken yet has row -1 from now on."""
        pair = self._pairs.pop(row)
        self._rows = array("q", [-1 if one == row else one for one in self._rows])
        self._single = self._single and not self._rows
        self._reports = [one for one in self._reports if one[0] != row]
        for sock in pair:
            self._epoll.unregister(sock)
            del self._places[sock.fileno()]
            self._pointed.pop(sock.fileno(), None)
        self._senders[row] = self._bare_senders[row] = None
        self._guards.pop(row, None)
        pair.close()

    def point(self, row: int, remote: Address) -> None:
        """Exchange packets with this address only. Raises OSError for one that cannot be."""
        sock = self._pairs[row].rtp
        port.point(sock, port.to_socket(self._host, remote))
        self._pointed[sock.fileno()] = (sock.recv_into, row)
        self._send_by(row, sock.send)

    def unpoint(self, row: int, remote: Address | None) -> None:
        """Take packets from everywhere, and send to `remote` if there is one."""
        sock = self._pairs[row].rtp
        if self._pointed.pop(sock.fileno(), None) is not None:
            port.unpoint(sock)
        place = None if remote is None else port.to_socket(self._host, remote)
        self._send_by(row, None if place is None else lambda data: sock.sendto(data, place))

    def guard(self, row: int, guard: Guard | None) -> None:
        """Let what is sent from now on pass through this; to be said before `point` or `unpoint`."""
        if guard is None:
            self._guards.pop(row, None)
        else:
            self._guards[row] = guard

    def close_all(self) -> None:
        for row in list(self._pairs):
            self.close(row)
        self._epoll.close()

    # --- in

    def receive(self, now_s: float) -> None:
        """Read what waits, as far as it is bounded, behind what was read since the last `batch`."""
        for turn in range(PACKETS_A_ROUND):
            free = self._most - len(self._rows)
            ready = self._epoll.poll(0, free) if free else ()
            if not ready:
                break
            self._single = self._single and turn == 0 and not self._arrived_s
            self._read(ready)
        self._arrived_s.extend([now_s] * (len(self._rows) - len(self._arrived_s)))

    def batch(self) -> Batch:
        """All that was read since the last time. It is valid until the next `receive`."""
        found = Batch(
            self._matrix[: len(self._rows)],
            self._read_places,
            np.frombuffer(self._rows, dtype=np.int64),
            np.frombuffer(self._lengths, dtype=np.int64),
            np.frombuffer(self._arrived_s, dtype=np.float64),
            self._sources,
            self._reports,
            self._single,
        )
        self._single = True
        self._rows, self._lengths, self._arrived_s = array("q"), array("q"), array("d")
        self._sources, self._reports = {}, []
        return found

    def _read(self, ready: Sequence[tuple[int, int]]) -> None:
        rows, lengths, views, pointed = self._rows, self._lengths, self._views, self._pointed
        for descriptor, _ in ready:
            try:
                if descriptor in pointed:
                    read, row = pointed[descriptor]
                    lengths.append(read(views[len(rows)]))
                    rows.append(row)
                else:
                    self._read_from(self._places[descriptor])
            except OSError:
                continue  # what came was an ICMP error, or its checksum was wrong

    def _read_from(self, place: _Place) -> None:
        if place.report:
            data, source = place.sock.recvfrom(LONGEST_PACKET_BYTES)
            if len(self._reports) < REPORTS_A_ROUND:
                self._reports.append((place.row, data, port.from_socket(source)))
            return
        length, source = place.sock.recvfrom_into(self._views[len(self._rows)])
        self._sources[len(self._rows)] = port.from_socket(source)
        self._lengths.append(length)
        self._rows.append(place.row)

    # --- out

    def send(self, rows: Sequence[int], packets: Sequence[Data]) -> None:
        """Send to each of these rows its packet; to those whose remote is not known, nothing."""
        senders = self._senders
        for row, packet in zip(rows, packets, strict=True):
            sender = senders[row]
            if sender is not None:
                try:
                    sender(packet)
                except OSError:
                    self.unsent += 1

    def send_from(self, rows: Sequence[int], places: Sequence[Place], lengths: Sequence[int]) -> None:
        """As `send`, of packets that begin in these places, for legs with a guard: it changes them there."""
        # All of one kind before the other: ciphers and the kernel would drive each other out of the cache.
        wired = []
        for row, place, length in zip(rows, places, lengths, strict=True):
            guard = self._guards.get(row)
            wired.append(guard.protect_in(place, length) if guard is not None else 0)
        for row, place, length in zip(rows, places, wired, strict=True):
            sender = self._bare_senders[row]
            if sender is not None and length:
                try:
                    sender(place.view[:length])
                except OSError:
                    self.unsent += 1

    def send_one(self, row: int, packet: bytes) -> None:
        self.send((row,), (packet,))

    def send_plain(self, row: int, datagram: bytes, remote: Address) -> None:
        """Send a datagram from the port of RTP past the guard, which is for RTP."""
        try:
            self._pairs[row].rtp.sendto(datagram, port.to_socket(self._host, remote))
        except OSError:
            self.unsent += 1

    def report(self, row: int, packet: bytes, remote: Address, muxed: bool) -> None:
        """Send a datagram of RTCP from the port that is for it, or from that of RTP if they share it (RFC 5761)."""
        pair = self._pairs[row]
        try:
            (pair.rtp if muxed else pair.rtcp).sendto(packet, port.to_socket(self._host, remote))
        except OSError:
            self.unsent += 1

    def _send_by(self, row: int, send: _Send | None) -> None:
        guard = self._guards.get(row)
        self._senders[row] = self._bare_senders[row] = send
        if guard is not None and send is not None:

            def guarded(data: Data) -> int:
                wire = guard.protect(data)
                return 0 if wire is None else send(wire)

            self._senders[row] = guarded

    def _watch(self, place: _Place) -> None:
        self._epoll.register(place.sock, select.EPOLLIN)
        self._places[place.sock.fileno()] = place
