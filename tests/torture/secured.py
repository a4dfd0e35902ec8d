"""What is fed with any bytes where media is encrypted: attributes of session descriptions, SRTP, DTLS.

Refusing is always right; taking something that no key made, or being kept from what comes after it, is a find.
"""

from __future__ import annotations

from adapters.media import crypto, handshake
from adapters.media.self_signed import self_signed
from adapters.sip.message.text import to_text
from media.dtls import DtlsSrtp
from media.dtls_record import datagrams, is_client_hello, is_sound
from media.libsrtp import LONGEST_PACKET, SUITES
from media.srtp import Srtp
from media.wire import Dtls, Sdes

_OURS, _THEIRS = (self_signed(bytes((n,)), 2026) for n in range(2))
_NEAR, _FAR, _ELSEWHERE = ("127.0.0.1", 4000), ("127.0.0.1", 5000), ("127.0.0.1", 6000)
_RTP, _RTCP = b"\x80\x00\x00\x01" + bytes(168), b"\x80\xc8\x00\x06" + bytes(24)


def keying(data: bytes) -> None:
    """`a=crypto`, `a=setup`, `a=fingerprint`: what is taken is written and read again, and is one line."""
    lines = to_text(data).replace("\r", "\n").split("\n")
    try:
        chosen = crypto.choose(lines)
    except crypto.CryptoError:
        pass
    else:
        assert not set(str(chosen)) & set("\r\n;|")
        assert crypto.parse(str(chosen)) == chosen
    try:
        fingerprint = handshake.choose(lines)
    except handshake.HandshakeError:
        pass
    else:
        assert handshake.choose([fingerprint]) == fingerprint
    try:
        assert handshake.setup_answer(lines[0]) in ("active", "passive")
    except handshake.HandshakeError:
        pass


def srtp(data: bytes) -> None:
    """Nothing that no key made is taken, and what one made still is; whatever we are to send goes out or does not."""
    for suite in ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"):
        key, other = (bytes([n]) * SUITES[suite].keying_bytes for n in range(2))
        near, far = Srtp(Sdes(suite, key, other)), Srtp(Sdes(suite, other, key))
        for packet in (data, b"\x80" + data, _RTP[:12] + data, _RTCP[:8] + data):
            assert far.unprotect(packet) is None
            assert far.unprotect_rtcp(packet) is None
        assert far.forged + far.replayed + far.malformed == 8
        sound, report = near.protect(_RTP), near.protect_rtcp(_RTCP)
        assert sound is not None and far.unprotect(sound) == _RTP
        assert report is not None and far.unprotect_rtcp(report) == _RTCP
        wire = near.protect(b"\x80\x00\x00\x02" + data)
        assert wire is None or len(wire) > len(data)
        assert len(data) <= LONGEST_PACKET - 12 or wire is None


def dtls(data: bytes) -> None:
    """Whatever came before, from the peer's address too, its handshake comes to keys from another port."""
    near = DtlsSrtp(Dtls(False, _THEIRS.fingerprint, _OURS.certificate, _OURS.key), _FAR, 0.0)
    far = DtlsSrtp(Dtls(True, _OURS.fingerprint, _THEIRS.certificate, _THEIRS.key), _NEAR, 0.0)
    ((hello, _),) = far.to_send()
    for each in (data, hello[:13] + data, hello[: len(data) % len(hello)] + data):
        if is_sound(each):
            assert b"".join(datagrams(each, 1200)) == each
            is_client_hello(each)
        near.receive(each, _FAR, 0.0)
    near.to_send()
    assert near.keys is None
    near.receive(hello, _ELSEWHERE, 0.0)
    while answers := near.to_send():
        for answer, to in answers:
            if to == _ELSEWHERE:
                far.receive(answer, _NEAR, 0.0)
        for each, _ in far.to_send():
            near.receive(each, _ELSEWHERE, 0.0)
    assert near.keys is not None and near.source == _ELSEWHERE
