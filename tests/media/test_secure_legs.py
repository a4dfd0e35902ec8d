"""Legs on SRTP: keys from the SDP and from a handshake, what is forged, repeated or in the clear, and new keys."""

from __future__ import annotations

from msgspec.structs import replace

from media import rtcp
from media.demux import Kind, kind
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

WANTED = Dtls(False, THEIRS.fingerprint, OURS.certificate, OURS.key)


def shake(made: Stage, a: Phone) -> None:
    """Let the phone begin a handshake, and take its keys if it comes to any."""
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


def pair_by_dtls(made: Stage, wanted: Dtls = WANTED) -> tuple[Phone, Phone]:
    """One that is to shake hands, beside one in the clear."""
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    assert made.put([a.leg("a", secure=wanted), b.leg("b")]) == Ready("room", 1)
    return a, b


def test_keys_of_a_handshake_are_told_and_used(made: Stage) -> None:
    a, b = pair_by_dtls(made)
    shake(made, a)
    (keyed,) = made.words(Keyed)
    assert (keyed.context, keyed.leg, keyed.keys) == ("room", "a", theirs(a.keys))
    assert made.engine.inventory().keyed == (keyed,)
    a.got.clear()
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))


def test_a_stranger_s_certificate_gets_no_keys_and_nothing_goes_there(made: Stage) -> None:
    a, _ = pair_by_dtls(made, Dtls(False, OTHER.fingerprint, OURS.certificate, OURS.key))
    shake(made, a)
    assert made.words(Keyed) == []
    made.run(31.0, silent=[a])
    assert [word.leg for word in made.words(NotKeyed)] == ["a"]
    assert a.got == []


def test_without_keys_nothing_is_in_the_clear_whatever_is_put_and_nothing_is_believed(made: Stage) -> None:
    a, b = pair_by_dtls(made)
    elsewhere = made.phone(frequency_hz=1100.0)
    leg = a.leg("a", secure=WANTED)
    changed = [replace(leg, fixed=True), replace(leg, remote=elsewhere.address), replace(leg, dtmf=101), leg]
    for rev, each in enumerate(changed, 2):
        made.put([each, b.leg("b")], rev=rev)
        made.run(8.0)
    assert [word.leg for word in made.words(NotKeyed)] == ["a"]
    made.put([b.leg("b")], rev=9)
    made.run(0.1)
    assert b.tones() == ()
    for phone in (a, elsewhere):
        assert phone.got == [], "sound"
        assert [data for data in phone.other if kind(data) is not Kind.DTLS] == [], "reports"


def test_reports_wait_for_keys_like_sound(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ, keys=KEYS), made.phone(frequency_hz=B_HZ)
    leg = a.leg("a", rtcp_mux=True)
    made.put([leg, b.leg("b")])
    made.run(0.3)
    made.put([replace(leg, secure=WANTED), b.leg("b")], rev=2)
    a.other.clear()
    ours = int(made.engine._cycle.columns.sent_source[made.engine._legs["a"].row])
    a.send(rtcp.build([rtcp.ReceiverReport(a.ssrc, (rtcp.Block(ours, 0, 77, 0, 0),))]))
    made.run(8.0, silent=[a])
    made.put([b.leg("b")], rev=3)
    made.run(0.1, silent=[a])
    assert a.other == []
    assert [word.remote_lost for word in made.ends()] == [-1]


def test_a_handshake_that_came_to_nothing_may_begin_anew_when_its_leg_is_put_again(made: Stage) -> None:
    a, b = pair_by_dtls(made)
    made.run(31.0, silent=[a])
    assert len(made.words(NotKeyed)) == 1
    made.put([a.leg("a", secure=WANTED), b.leg("b")], rev=2)
    shake(made, a)
    assert len(made.words(Keyed)) == 1


def test_told_again_with_the_keys_that_it_gave_nothing_changes(made: Stage) -> None:
    a, b = pair_by_dtls(made)
    shake(made, a)
    made.run(0.3)
    sources = {packet.ssrc for packet in a.got}
    known = replace(WANTED, keys=theirs(a.keys))
    for rev, secure in enumerate((known, WANTED, known), 2):
        made.put([a.leg("a", secure=secure), b.leg("b")], rev=rev)
        made.run(0.3)
    assert {packet.ssrc for packet in a.got} == sources
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert len(made.words(Keyed)) == 1


def test_a_worker_that_takes_over_needs_no_handshake(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ, keys=KEYS), made.phone(frequency_hz=B_HZ)
    known = replace(WANTED, keys=theirs(KEYS))
    assert made.put([a.leg("a", secure=known), b.leg("b")]) == Ready("room", 1)
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert made.words(Keyed) == []
    (keyed,) = made.engine.inventory().keyed
    assert keyed.keys == theirs(KEYS)


def test_another_certificate_of_the_peer_makes_another_handshake(made: Stage) -> None:
    a, b = pair_by_dtls(made, Dtls(False, OTHER.fingerprint, OURS.certificate, OURS.key))
    shake(made, a)
    assert made.words(Keyed) == []
    made.put([a.leg("a", secure=WANTED), b.leg("b")], rev=2)
    shake(made, a)
    a.got.clear()
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))


def test_keys_of_a_handshake_that_cannot_be_are_refused(made: Stage) -> None:
    a = made.phone()
    said = made.put([a.leg("a", secure=replace(WANTED, keys=Sdes(SUITE, b"a", b"b")))])
    assert isinstance(said, Refused)
    assert "leg a: " in said.reason
