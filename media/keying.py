"""Handshakes of legs that get their SRTP keys by DTLS on the media port (RFC 5764).

What may live here: which leg shakes hands, and what comes of it. A step takes as long as hundreds of packets, so
datagrams wait here until there is time for them between two ticks. Until a leg has keys nothing of it is heard, and
nothing goes there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from media.batch import Address, Data, Network
from media.columns import Columns
from media.dtls import DtlsError, DtlsSrtp
from media.latch import Latch
from media.libsrtp import Place
from media.srtp import Srtp
from media.stream import Stream, UnfitLegError
from media.wire import Dtls, FromWorker, Keyed, Leg, NotKeyed, Sdes

_MOST_WAITING = 512
"""datagrams of all legs; a peer repeats what was lost"""


def handshake(leg: Leg, wanted: Dtls, now_s: float) -> DtlsSrtp:
    """The handshake that a leg asks for. Raises UnfitLegError."""
    try:
        return DtlsSrtp(wanted, leg.remote, now_s)
    except DtlsError as error:
        raise UnfitLegError(f"leg {leg.id}: {error}") from error


class Silence:
    """What guards the way to a leg that is to have keys and has none: nothing goes there."""

    def protect(self, packet: Data) -> None:
        """Nothing."""

    def protect_in(self, place: Place, length: int) -> int:
        """Nothing."""
        return 0


class _Waiting(NamedTuple):
    row: int
    datagram: bytes
    source: Address


class Keying:
    """Of all legs. `renew` begins a new stream to a leg; what there is to say goes to `said`."""

    def __init__(
        self, columns: Columns, network: Network, renew: Callable[[Stream], None], said: list[FromWorker]
    ) -> None:
        self._columns = columns
        self._network = network
        self._renew = renew
        self._said = said
        self._handshakes: dict[int, tuple[Stream, DtlsSrtp]] = {}
        self._waiting: deque[_Waiting] = deque(maxlen=_MOST_WAITING)

    @property
    def busy(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self._waiting)

    def begin(self, stream: Stream, shaking: DtlsSrtp) -> None:
        """A leg has no keys any more, until this handshake is over."""
        stream.srtp = None
        self._network.guard(stream.row, Silence())
        self._handshakes[stream.row] = stream, shaking
        self._flush(stream, shaking)

    def keyed(self, row: int) -> Sdes | None:
        """What the handshake of the leg of this row gave."""
        return self._handshakes[row][1].keys if row in self._handshakes else None

    def shakes(self, row: int) -> bool:
        """Whether the leg of this row has a handshake, over or not."""
        return row in self._handshakes

    def end(self, row: int) -> None:
        """The leg of this row is gone, or has other keys."""
        self._handshakes.pop(row, None)

    def take(self, stream: Stream, datagram: bytes, source: Address) -> None:
        """A datagram of DTLS came for a leg."""
        if stream.row in self._handshakes:
            self._waiting.append(_Waiting(stream.row, datagram, source))

    def work(self, now_s: float) -> None:
        """Do one step of one handshake."""
        if not self._waiting:
            return
        row, datagram, source = self._waiting.popleft()
        if row in self._handshakes:
            stream, shaking = self._handshakes[row]
            shaking.receive(datagram, source, now_s)
            self._settle(stream, shaking)

    def check(self, now_s: float) -> None:
        """Repeat what was not answered, give up what came to nothing. To be asked some times a second."""
        for stream, shaking in list(self._handshakes.values()):
            due_s = shaking.timer()
            if due_s is not None and due_s <= now_s:
                shaking.on_timer(now_s)
                self._settle(stream, shaking)

    def _settle(self, stream: Stream, shaking: DtlsSrtp) -> None:
        self._flush(stream, shaking)
        if shaking.failure:
            self.end(stream.row)
            if stream.srtp is None:
                self._said.append(NotKeyed(stream.context, stream.leg.id, shaking.failure))
        elif shaking.keys is not None and stream.srtp is None:
            stream.srtp = Srtp(shaking.keys)
            stream.latch = Latch(shaking.source, stream.leg.fixed)
            stream.pointed = False
            self._renew(stream)
            self._network.guard(stream.row, stream.srtp)
            self._network.unpoint(stream.row, shaking.source)
            self._said.append(Keyed(stream.context, stream.leg.id, shaking.keys))

    def _flush(self, stream: Stream, shaking: DtlsSrtp) -> None:
        for datagram, destination in shaking.to_send():
            self._network.send_plain(stream.row, datagram, destination)
