"""Legs on SRTP: keys from the SDP and from a handshake, what is forged, repeated or in the clear, and new keys."""

from __future__ import annotations

from media.dtls import DtlsSrtp
from media.srtp import Srtp
from media.wire import Dtls, Keyed, Latched, NotKeyed, Ready, Refused, Sdes
from tests.media.dtls_end import OTHER, OURS, THEIRS
from tests.media.party import HOST, Phone, Stage, theirs

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEYS = Sdes(SUITE, b"a" * 30, b"b" * 30)
OTHER_KEYS = Sdes(SUITE, b"c" * 30, b"d" * 30)
A_HZ, B_HZ = 400.0, 700.0


def pair(made: Stage) -> tuple[Phone, Phone]:
    """One on SRTP, one in the clear."""
    a, b = made.phone(frequency_hz=A_HZ, keys=KEYS), made.phone(frequency_hz=B_HZ)
    assert made.put([a.leg("a"), b.leg("b")]) == Ready("room", 1)
    return a, b


def test_both_hear_each_other(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert len(a.got) == 35


def test_what_is_in_the_clear_forged_or_repeated_is_not_heard(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.1)
    assert a.srtp is not None
    forger = Srtp(OTHER_KEYS)
    for n in range(40):
        packet = a.packet()
        wire = forger.protect(packet) if n % 2 else packet
        assert wire is not None
        a.send(wire)
        b.speak()
        made.tick()
    assert b.tones() == ()


def test_a_stranger_with_our_address_book_but_not_the_keys_moves_nothing(made: Stage) -> None:
    a, b = pair(made)
    stranger = made.phone(frequency_hz=1100.0)
    stranger.port, stranger.ssrc = a.port, a.ssrc
    made.run(0.7)
    assert made.words(Latched) == []
    assert b.tones() == (A_HZ,)
    assert stranger.got == []


def test_who_has_the_keys_may_come_from_elsewhere_at_once(made: Stage) -> None:
    a, b = pair(made)
    moved = made.phone(frequency_hz=A_HZ, keys=KEYS)
    moved.port = a.port
    made.run(0.7, silent=[a])
    assert made.words(Latched) == [Latched("room", "a", *moved.address)]
    assert (moved.tones(), b.tones()) == ((B_HZ,), (A_HZ,))


def test_new_keys_begin_a_new_stream_of_ours(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.3)
    assert a.srtp is not None
    before = {packet.ssrc for packet in a.got}
    a.keys = OTHER_KEYS
    a.srtp.rekey(OTHER_KEYS)
    made.put([a.leg("a"), b.leg("b")], rev=2)
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert before.isdisjoint(packet.ssrc for packet in a.got[-20:])
    assert a.got[-1].sequence < 1 << 15


def test_keys_that_fit_no_suite_are_refused(made: Stage) -> None:
    a = made.phone()
    said = made.put([a.leg("a", secure=Sdes(SUITE, b"a", b"b"))])
    assert isinstance(said, Refused)
    assert "leg a: " in said.reason


# --- by a handshake


def shaken(made: Stage, fingerprint: str) -> Phone:
    """A phone that shook hands as well as it could, beside one in the clear."""
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    wanted = Dtls(False, fingerprint, OURS.certificate, OURS.key)
    assert made.put([a.leg("a", secure=wanted), b.leg("b")]) == Ready("room", 1)
    at = (HOST, a.port)
    peer = DtlsSrtp(Dtls(True, OURS.fingerprint, THEIRS.certificate, THEIRS.key), at, made.now_s)
    for _ in range(20):
        for datagram, _ in peer.to_send():
            a.send(datagram)
        made.run(0.02, silent=[a])
        while a.other:
            peer.receive(a.other.pop(0), at, made.now_s)
    if peer.keys is not None:
        a.keys, a.srtp = peer.keys, Srtp(peer.keys)
    return a


def test_keys_of_a_handshake_are_told_and_used(made: Stage) -> None:
    a = shaken(made, THEIRS.fingerprint)
    (keyed,) = made.words(Keyed)
    assert (keyed.context, keyed.leg, keyed.keys) == ("room", "a", theirs(a.keys))
    a.got.clear()
    made.run(0.7)
    assert (a.tones(), made.phones[1].tones()) == ((B_HZ,), (A_HZ,))


def test_a_stranger_s_certificate_gets_no_keys_and_nothing_goes_there(made: Stage) -> None:
    a = shaken(made, OTHER.fingerprint)
    assert made.words(Keyed) == []
    made.run(31.0, silent=[a])
    assert [word.leg for word in made.words(NotKeyed)] == ["a"]
    assert a.got == []
