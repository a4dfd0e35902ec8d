"""Relayed contexts: packets pass as they are under headers of ours, at once, and nothing else does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from media import dtmf, rtp
from media.wire import Codec, Dtmf, Ready, Record, Sdes, Silent
from tests.media.party import G722, OPUS, PCMA, PCMU, Phone, Stage

EXTENSION = b"\xbe\xde\x00\x01" + bytes(4)
A_HZ, B_HZ = 400.0, 700.0
KEYS = Sdes("AES_CM_128_HMAC_SHA1_80", b"a" * 30, b"b" * 30)


def pair(made: Stage, codec: Codec = PCMU, **changes: object) -> tuple[Phone, Phone]:
    a, b = made.phone(codec, A_HZ), made.phone(codec, B_HZ, ssrc=8, sequence=100, timestamp=5)
    assert made.put([a.leg("a", dtmf=101, **changes), b.leg("b", dtmf=98)], relayed=True) == Ready("room", 1)
    return a, b


@pytest.mark.parametrize("codec", [PCMU, OPUS])
def test_payloads_pass_unchanged_in_order(made: Stage, codec: Codec) -> None:
    a, b = pair(made, codec)
    sent = []
    for _ in range(40):
        sent.append(rtp.parse(packet := a.packet()))
        a.speak(packet)
        b.speak()
        made.tick()
    assert [packet.payload for packet in b.got] == [packet.payload for packet in sent if packet is not None]
    assert {(later.sequence - one.sequence) % 65536 for one, later in pairwise(b.got)} == {1}
    assert {(later.timestamp - one.timestamp) % (1 << 32) for one, later in pairwise(b.got)} == {
        codec.clock_rate_hz // 50
    }
    (ssrc,) = {packet.ssrc for packet in b.got}
    assert ssrc != a.ssrc
    assert a.tones() == (B_HZ,)


def test_packets_pass_between_ticks(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.1)
    before = len(b.got)
    a.speak()
    made.engine.pulse(made.now_s + 0.005)
    b.listen()
    assert len(b.got) == before + 1


def test_the_party_sees_one_stream_when_the_other_side_begins_anew(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.3)
    a.ssrc, a.sequence, a.timestamp = 99, 40_000, 123_456_789
    made.run(0.3)
    assert len({packet.ssrc for packet in b.got}) == 1
    assert all(0 < (later.sequence - one.sequence) % 65536 < 3 for one, later in pairwise(b.got))
    assert all(0 < (later.timestamp - one.timestamp) % (1 << 32) <= 480 for one, later in pairwise(b.got))
    assert len(b.got) >= 28


def test_losses_stay_visible_and_are_measured(made: Stage) -> None:
    a, b = pair(made)
    for n in range(50):
        packet = a.packet()
        if n % 10 != 5:
            a.speak(packet)
        b.speak()
        made.tick()
    gaps = [(later.sequence - one.sequence) % 65536 for one, later in pairwise(b.got)]
    assert gaps.count(2) == 5
    made.put([a.leg("a", dtmf=101)], rev=2)
    made.put([], rev=3)
    by_leg = {word.leg: word for word in made.ends()}
    assert (by_leg["a"].received, by_leg["a"].lost) == (45, 5)
    assert (by_leg["b"].received, by_leg["b"].sent) == (50, 45)


def test_digits_pass_under_the_other_s_payload_type_and_are_told(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.1)
    press(made, a, "7")
    events = [packet for packet in b.got if packet.payload_type == 98]
    assert len(events) == 7
    assert [packet.marker for packet in events] == [True] + [False] * 6
    assert made.words(Dtmf) == [Dtmf("room", "a", "7", 100)]


@pytest.mark.parametrize("codec", [G722, OPUS])
def test_digits_pass_between_two_codecs(made: Stage, codec: Codec) -> None:
    """Also from one clock to another."""
    a, b = made.phone(PCMU, A_HZ), made.phone(codec, B_HZ)
    made.put([a.leg("a", dtmf=101), b.leg("b", dtmf=98)], relayed=True)
    made.run(0.1)
    for digit in "7#":
        press(made, a, digit)
        made.run(0.3)
    receiver, digits = dtmf.EventReceiver(codec.clock_rate_hz), list[dtmf.Digit]()
    for packet in b.got:
        if packet.payload_type == 98:
            digits += receiver.receive(packet, made.now_s * 1000)
    assert [(digit.digit, digit.duration_ms) for digit in digits] == [("7", 100), ("#", 100)]
    assert [word.digit for word in made.words(Dtmf)] == ["7", "#"]
    assert {(later.sequence - one.sequence) % 65536 for one, later in pairwise(b.got)} == {1}


@pytest.mark.parametrize(("of_a", "of_b"), [({"muted": True}, {}), ({}, {"deaf": True}), ({}, {"sends": False})])
def test_digits_pass_where_sound_does(made: Stage, of_a: dict[str, object], of_b: dict[str, object]) -> None:
    a, b = made.phone(PCMU, A_HZ), made.phone(OPUS, B_HZ)
    made.put([a.leg("a", dtmf=101, **of_a), b.leg("b", dtmf=98, **of_b)], relayed=True)
    press(made, a, "7")
    made.run(0.3)
    assert [packet for packet in b.got if packet.payload_type == 98] == []
    assert len(made.words(Dtmf)) == 1


def test_digits_pass_while_it_is_recorded(made: Stage, tmp_path: Path) -> None:
    a, b = made.phone(PCMU, A_HZ), made.phone(PCMU, B_HZ)
    legs = [a.leg("a", dtmf=101), b.leg("b", dtmf=98)]
    made.put(legs, relayed=True, records=(Record("r", str(tmp_path / "r"), sides=("a", "b")),))
    press(made, a, "7")
    made.run(0.3)
    assert any(packet.payload_type == 98 for packet in b.got)
    made.put(legs, rev=2, relayed=True)
    b.got.clear()
    press(made, a, "8")
    made.run(0.3)
    assert sum(packet.payload_type == 98 for packet in b.got) == 7, "once, as it came"


def press(made: Stage, phone: Phone, digit: str) -> None:
    """A telephone-event of 100 ms, by this phone's clock."""
    sender = dtmf.EventSender(phone.codec.clock_rate_hz)
    sender.send(digit)
    start = phone.timestamp
    while sender.busy:
        event = sender.tick(start)
        if event is not None:
            phone.speak(rtp.header(101, phone.sequence, event.timestamp, phone.ssrc, event.marker) + event.payload)
            phone.sequence += 1
        made.tick()


def test_how_its_silence_sounds_passes_and_excuses_it(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.5)
    a.speak(a.packet(b"\x28", 13))
    made.run(8.0, silent=[a])
    assert [(packet.payload_type, packet.payload) for packet in b.got[-1:]] == [(13, b"\x28")]
    assert made.words(Silent) == []


def test_codecs_that_the_other_has_not_do_not_pass(made: Stage) -> None:
    a, b = pair(made, codecs=(PCMU, PCMA))
    made.run(0.2)
    before = len(b.got)
    a.speak_as(PCMA)
    made.run(0.2)
    assert len(b.got) == before


def test_muted_does_not_pass(made: Stage) -> None:
    a, b = pair(made, muted=True)
    made.run(0.3)
    assert b.got == []
    assert a.tones(0.2) == () or len(a.got) == 15


def test_one_side_may_be_encrypted(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ, keys=KEYS), made.phone(frequency_hz=B_HZ)
    made.put([a.leg("a"), b.leg("b")], relayed=True)
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))


def test_from_relayed_to_mixed_and_back_the_streams_go_on(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.4)
    made.put([a.leg("a", dtmf=101), b.leg("b", dtmf=98)], rev=2)
    made.run(0.6)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    made.put([a.leg("a", dtmf=101), b.leg("b", dtmf=98)], rev=3, relayed=True)
    made.run(0.6)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert len({packet.ssrc for packet in b.got}) == 1
    assert all(0 < (later.sequence - one.sequence) % 65536 < 3 for one, later in pairwise(b.got))
    assert len(b.got) >= 78


def test_strangers_do_not_pass(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.2)
    stranger = made.phone(frequency_hz=1100.0)
    stranger.port = a.port
    made.run(0.5)
    assert b.tones(0.3) == (A_HZ,)
    assert stranger.got == []


def test_different_codecs_are_mixed_instead(made: Stage) -> None:
    a, b = made.phone(PCMU, A_HZ), made.phone(OPUS, B_HZ)
    made.put([a.leg("a"), b.leg("b")], relayed=True)
    made.run(0.7)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))


def test_packets_with_extensions_pass_without_them(made: Stage) -> None:
    a, b = pair(made)
    sent = []
    for _ in range(30):
        packet = a.packet()
        sent.append(packet[12:])
        a.send(b"\x90" + packet[1:12] + EXTENSION + packet[12:])
        b.speak()
        made.tick()
    assert [packet.payload for packet in b.got] == sent
    assert {(later.sequence - one.sequence) % 65536 for one, later in pairwise(b.got)} == {1}
