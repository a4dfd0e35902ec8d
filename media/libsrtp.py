"""The libsrtp that `pylibsrtp` carries, as a hot path wants it: a status instead of an exception, nothing made twice.

What may live here: calls into that library, nothing about legs. `pylibsrtp` names neither AES-256 in counter mode nor
the rollover counter, though its shared object has both, and its `Session` makes objects for each packet. Whatever of it
is private is touched in this file only, and `pyproject.toml` holds its version narrowly for that.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum

import msgspec
from pylibsrtp import Error, Policy, Session
from pylibsrtp import _binding as binding

from media.header import Bytes

LONGEST_PACKET = 2048
"""in bytes, as it stands on the wire; more than any path carries in one datagram of voice"""
LONGEST_TRAILER = 4 + 16 + 128

Data = bytes | bytearray | memoryview


class Status(IntEnum):
    """What libsrtp says of a packet (`srtp_err_status_t`), as far as a caller tells it apart."""

    OK = 0
    MALFORMED = 2
    FORGED = 7
    REPLAYED = 9
    TOO_OLD = 10


class Suite(msgspec.Struct, frozen=True):
    """A crypto suite: lengths in bytes; `profile` that of libsrtp, `setters` replace it for (SRTP, SRTCP)."""

    name: str
    key_bytes: int
    salt_bytes: int
    tag_bytes: int
    profile: int
    setters: tuple[str, str] | None = None

    @property
    def keying_bytes(self) -> int:
        """A master key with its salt behind it."""
        return self.key_bytes + self.salt_bytes


_AES_256 = "srtp_crypto_policy_set_aes_cm_256_hmac_sha1_"
# RFC 3711 and 4568 6.2, RFC 6188, RFC 7714. SRTCP has a tag of 80 bits in all suites of HMAC-SHA1 (RFC 4568 6.2.2).
SUITES = {
    suite.name: suite
    for suite in (
        Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 10, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
        Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, 4, Policy.SRTP_PROFILE_AES128_CM_SHA1_32),
        # A profile whose key is not longer than theirs: Policy looks at the length before the setters change it.
        Suite("AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 1, (_AES_256 + "80", _AES_256 + "80")),
        Suite("AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 1, (_AES_256 + "32", _AES_256 + "80")),
        Suite("AEAD_AES_128_GCM", 16, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
        Suite("AEAD_AES_256_GCM", 32, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
    )
}

_ffi, _lib = binding.ffi, binding.lib
_exported = ctypes.CDLL(binding.__file__)
_LENGTH = _ffi.new("int *")
"""in and out of the library, of all contexts: one is always in the cache"""


class Place:
    """Memory that a packet begins in, and in which it may become another one: `view` is all of it."""

    __slots__ = ("data", "room", "view")

    def __init__(self, memory: Bytes) -> None:
        """`memory` is contiguous."""
        self.view: memoryview = memory.data
        # Not of the view: CPython 3.11 ends by SIGSEGV when it collects a view that something else looks through.
        self.data = _ffi.cast("void *", memory.__array_interface__["data"][0])
        self.room = len(self.view) - LONGEST_TRAILER
        """for a packet that is to be protected"""


class Context:
    """One key in one direction (RFC 3711 section 3.2), for any number of sources. All are of one thread.

    What a call refused is None, and `status` then says why: one of Status, or another number of libsrtp.
    """

    def __init__(self, suite: Suite, keying: bytes, *, inbound: bool) -> None:
        """Raises ValueError if the key is not as long as the suite wants it."""
        if len(keying) != suite.keying_bytes:
            raise ValueError(f"{suite.name} wants {suite.keying_bytes} bytes of key and salt, not {len(keying)}")
        self.status: int = Status.OK
        self.suite, self.keying = suite, keying
        self._session = Session(self._policy(Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND))
        self._context = self._session._srtp[0]
        self._data = _ffi.new("char[]", LONGEST_PACKET + LONGEST_TRAILER)
        self._view = _ffi.buffer(self._data)
        self._length = _ffi.new("int *")

    def protect(self, packet: Data) -> bytes | None:
        """The SRTP packet of an RTP packet."""
        return self._call(_lib.srtp_protect, packet)

    def protect_rtcp(self, packet: Data) -> bytes | None:
        """The SRTCP packet of a compound RTCP packet."""
        return self._call(_lib.srtp_protect_rtcp, packet)

    def unprotect(self, packet: Data) -> bytes | None:
        """The RTP packet within an SRTP packet that is genuine and new."""
        return self._call(_lib.srtp_unprotect, packet)

    def unprotect_rtcp(self, packet: Data) -> bytes | None:
        """The RTCP packet within an SRTCP packet that is genuine and new."""
        return self._call(_lib.srtp_unprotect_rtcp, packet)

    def protect_in(self, place: Place, length: int) -> int:
        """As `protect`, of so many bytes, in their place: how many there are then; 0 if they were refused."""
        if length > place.room:
            self.status = Status.MALFORMED
            return 0
        _LENGTH[0] = length
        status = _lib.srtp_protect(self._context, place.data, _LENGTH)
        if status:
            self.status = status
            return 0
        return int(_LENGTH[0])

    def unprotect_in(self, place: Place, length: int) -> int:
        """As `unprotect`, of so many bytes, in their place: how many there are then; 0 if they were refused.

        What was refused may be there no more.
        """
        _LENGTH[0] = length
        status = _lib.srtp_unprotect(self._context, place.data, _LENGTH)
        if status:
            self.status = status
            return 0
        return int(_LENGTH[0])

    def unprotect_at(self, packet: Data, rollovers: range) -> bytes | None:
        """Like `unprotect`, for a source not heard before whose sequence numbers wrapped that often already.

        The counts are tried in their order. Each costs as much as a forged packet, and all together 50 us more.
        """
        ssrc = int.from_bytes(packet[8:12], "big")
        try:
            self._session.add_stream(self._policy(Policy.SSRC_SPECIFIC, ssrc))
        except Error:
            self.status = Status.MALFORMED
            return None
        for rollover in rollovers:
            _exported.srtp_set_stream_roc(_pointer(self._context), ctypes.c_uint32(ssrc), ctypes.c_uint32(rollover))
            if (plain := self.unprotect(packet)) is not None:
                return plain
        self._session.remove_stream(ssrc)
        return None

    def _call(self, function: object, packet: Data) -> bytes | None:
        length = len(packet)
        if length > LONGEST_PACKET:
            self.status = Status.MALFORMED
            return None
        self._length[0] = length
        self._view[0:length] = packet
        self.status = function(self._context, self._data, self._length)  # type: ignore[operator]
        if self.status:
            return None
        plain: bytes = self._view[0 : self._length[0]]
        return plain

    def _policy(self, ssrc_type: int, ssrc: int = 0) -> Policy:
        policy = Policy(self.keying, ssrc_type, ssrc, self.suite.profile)
        if self.suite.setters:
            fields = policy._policy
            for setter, part in zip(self.suite.setters, (fields.rtp, fields.rtcp), strict=True):
                getattr(_exported, setter)(_pointer(_ffi.addressof(part)))
        return policy


def _pointer(of: object) -> ctypes.c_void_p:
    return ctypes.c_void_p(int(_ffi.cast("intptr_t", of)))
