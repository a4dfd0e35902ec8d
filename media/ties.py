"""The way to other workers of this node: datagrams between Unix sockets in one folder, several partials in each.

What may live here: the socket and its datagrams. Nobody waits here: what another worker has no room for is lost, as
is what comes for a worker that is not there. Who may open the folder may speak here.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from media.span import Partial

_log = logging.getLogger(__name__)
_SUFFIX = ".sums"
_MOST_BYTES = 64 << 10
"""of samples in a datagram"""
_LONGEST_BYTES = 1 << 20

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[Partial, ...])


class Ties(Protocol):
    """The way to other workers, who are named by the files of their control sockets."""

    def send(self, peer: str, partials: Iterable[Partial]) -> None:
        """Tell a worker this."""

    def receive(self) -> Iterator[tuple[str, Partial]]:
        """Who has told us what since this was asked last."""

    def close(self) -> None: ...


class Alone:
    """No way to anybody: for a worker that has no folder with others."""

    def send(self, peer: str, partials: Iterable[Partial]) -> None:
        return

    def receive(self) -> Iterator[tuple[str, Partial]]:
        return iter(())

    def close(self) -> None:
        return


class SocketTies:
    """A socket beside the control socket."""

    def __init__(self, control: Path) -> None:
        """Raises OSError."""
        self._path = control.with_suffix(_SUFFIX)
        self._suffix = control.suffix
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(str(self._path))
            self._path.chmod(0o600)
        except OSError:
            self._socket.close()
            raise

    def send(self, peer: str, partials: Iterable[Partial]) -> None:
        address = str(self._path.with_name(peer).with_suffix(_SUFFIX))
        for several in _packed(partials):
            with contextlib.suppress(OSError):
                self._socket.sendto(_encoder.encode(several), address)

    def receive(self) -> Iterator[tuple[str, Partial]]:
        while True:
            try:
                datagram, address = self._socket.recvfrom(_LONGEST_BYTES)
            except OSError:
                return
            try:
                partials = _decoder.decode(datagram)
            except msgspec.DecodeError:
                _log.warning(
                    "what another worker said is not understood: is it of another version?", extra={"of": str(address)}
                )
                continue
            peer = Path(str(address)).with_suffix(self._suffix).name
            for partial in partials:
                yield peer, partial

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)


def _packed(partials: Iterable[Partial]) -> Iterator[tuple[Partial, ...]]:
    several: list[Partial] = []
    size = 0
    for partial in partials:
        if several and size + len(partial.samples) > _MOST_BYTES:
            yield tuple(several)
            several, size = [], 0
        several.append(partial)
        size += len(partial.samples)
    if several:
        yield tuple(several)
