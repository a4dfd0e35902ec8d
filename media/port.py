"""Ports for RTP and, one above, for RTCP.

What may live here: opening, pointing and closing sockets. What goes through them is others' business.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from typing import NamedTuple

RECEIVE_BUFFER_BYTES = 1 << 18
"""A second of audio of any codec, and the bound on what a flood can make us keep."""

_AF_UNSPEC = struct.pack("=H14x", socket.AF_UNSPEC)
_libc = ctypes.CDLL(None, use_errno=True)


class PortTakenError(OSError):
    """Somebody else has a port that was to be ours: whoever shares out the ports has to choose another."""


BOTH = "::"
"""To bind to all addresses of both families: those of IPv4 are seen as parts of IPv6 there (RFC 4291 2.5.5.2)."""
_MAPPED = "::ffff:"


def to_socket(host: str, remote: tuple[str, int]) -> tuple[str, int]:
    """A place as a socket that is bound to `host` is to be told it."""
    return (_MAPPED + remote[0], remote[1]) if host == BOTH and ":" not in remote[0] else remote


def from_socket(source: tuple[str, int]) -> tuple[str, int]:
    """The place that a socket says, in the words of its own family."""
    host, port = source[:2]
    return (host.removeprefix(_MAPPED) if "." in host else host), port


class Pair(NamedTuple):
    """Sockets of one leg, not blocking; that of RTCP is there too when it shares the port of RTP, which may change."""

    rtp: socket.socket
    rtcp: socket.socket

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def open_pair(host: str, port: int) -> Pair:
    """Sockets at `port` and at the one above. Raises PortTakenError."""
    rtp = _open(host, port)
    try:
        return Pair(rtp, _open(host, port + 1))
    except PortTakenError:
        rtp.close()
        raise


def point(sock: socket.socket, remote: tuple[str, int]) -> None:
    """Let the kernel take packets from `remote` only, and send there. Raises OSError for a place that cannot be."""
    sock.connect(remote)


def unpoint(sock: socket.socket) -> None:
    """Take packets from everywhere again."""
    # The socket module has no address of family AF_UNSPEC, which is what undoes connect (connect(2)).
    if _libc.connect(sock.fileno(), _AF_UNSPEC, len(_AF_UNSPEC)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _open(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if host == BOTH:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise PortTakenError(error.errno, f"port {port} of {host or 'any address'}: {error.strerror}") from error
    return sock
