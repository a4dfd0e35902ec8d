"""Rooms of several codecs: the rate of the mix, who hears whom, packet times, changes in mid-call, what is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from media import rtcp
from media.rate import mix_rate_hz
from media.wire import Codec, Leg, Ready, Refused
from tests.media.party import G722, L16, LEVEL_DBFS, OPUS, PCMA, PCMU, Phone, Stage

A_HZ, B_HZ, C_HZ, D_HZ = 400.0, 700.0, 1100.0, 1700.0
WIDE_HZ = 6000.0


def room(made: Stage, *codecs: Codec) -> list[Phone]:
    phones = [made.phone(codec, hz) for codec, hz in zip(codecs, (A_HZ, B_HZ, C_HZ, D_HZ), strict=False)]
    assert made.put([phone.leg(str(n)) for n, phone in enumerate(phones)]) == Ready("room", 1)
    return phones


def test_each_hears_exactly_the_others_whatever_they_speak(made: Stage) -> None:
    phones = room(made, PCMU, G722, OPUS, L16)
    made.run(1.2)
    everybody = {A_HZ, B_HZ, C_HZ, D_HZ}
    for phone in phones:
        others = everybody - {phone.frequency_hz}
        assert set(phone.tones()) == others
        assert phone.levels(*others) == pytest.approx([LEVEL_DBFS] * 3, abs=1.0)


@pytest.mark.parametrize(
    ("codecs", "rate_hz"),
    [
        ((PCMU, PCMA), 8000),
        ((OPUS,), 48000),
        ((PCMU, OPUS), 8000),
        ((PCMU, G722, OPUS), 16000),
        ((OPUS, OPUS, PCMU), 48000),
        ((), 8000),
    ],
)
def test_a_mix_keeps_what_two_can_hear(codecs: tuple[Codec, ...], rate_hz: int) -> None:
    assert mix_rate_hz(Leg(str(n), 2 * n, None, (codec,)) for n, codec in enumerate(codecs)) == rate_hz


def test_wide_band_reaches_who_can_hear_it_and_the_rate_follows_who_comes_and_goes(made: Stage) -> None:
    narrow, wide = made.phone(frequency_hz=A_HZ), made.phone(G722, WIDE_HZ)
    other = made.phone(OPUS)
    made.put([narrow.leg("narrow"), wide.leg("wide")])
    made.run(0.6, silent=[other])
    assert narrow.tones() == ()
    made.put([narrow.leg("narrow"), wide.leg("wide"), other.leg("other")], rev=2)
    made.run(0.8)
    assert other.tones() == (A_HZ, WIDE_HZ)
    assert wide.tones() == (A_HZ,)


@pytest.mark.parametrize("ptime_ms", [10, 40, 60])
@pytest.mark.parametrize("codec", [PCMU, G722, OPUS])
def test_packets_are_as_long_as_asked(made: Stage, codec: Codec, ptime_ms: int) -> None:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(codec, B_HZ)
    made.put([a.leg("a"), b.leg("b", ptime_ms=ptime_ms)])
    made.run(0.9)
    assert abs(len(b.got) - 900 // ptime_ms) <= 1
    steps = {later.timestamp - one.timestamp for one, later in pairwise(b.got)}
    assert steps == {codec.clock_rate_hz * ptime_ms // 1000}
    assert b.tones(0.4) == (A_HZ,)


def test_a_codec_may_change_in_mid_stream(made: Stage) -> None:
    a, b = made.phone(PCMU, A_HZ), made.phone(PCMU, B_HZ)
    made.put([a.leg("a", codecs=(PCMU, PCMA, G722)), b.leg("b")])
    for codec in (PCMU, PCMA, G722, PCMU):
        a.speak_as(codec)
        made.run(0.6)
        assert b.tones(0.4) == (A_HZ,)
        assert b.levels(A_HZ, last_s=0.4) == pytest.approx([LEVEL_DBFS], abs=0.5)
    assert a.tones() == (B_HZ,)


def test_what_we_send_may_change_in_mid_call(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    made.put([a.leg("a"), b.leg("b")])
    made.run(0.2)
    b.codec = OPUS
    made.put([a.leg("a"), b.leg("b", codecs=(OPUS, PCMU))], rev=2)
    b.speak_as(PCMU)
    made.run(0.5)
    assert {packet.payload_type for packet in b.got[-20:]} == {OPUS.payload_type}


@pytest.mark.parametrize("codec", [PCMU, G722, OPUS])
def test_what_is_lost_is_concealed(made: Stage, codec: Codec) -> None:
    a, b = made.phone(codec, A_HZ), made.phone(frequency_hz=B_HZ)
    made.put([a.leg("a"), b.leg("b")])
    for n in range(50):
        packet = a.packet()
        if n % 10 != 5:
            a.speak(packet)
        b.speak()
        made.tick()
    (level,) = b.levels(A_HZ)
    assert level > LEVEL_DBFS - 2.0


def test_a_codec_that_is_not_spoken_is_refused_by_name(made: Stage) -> None:
    a = made.phone()
    said = made.put([a.leg("a", codecs=(Codec("GSM", 3),))])
    assert isinstance(said, Refused)
    assert "leg a: codec GSM" in said.reason
    assert made.engine.legs == 0


def test_a_payload_type_that_means_another_codec_from_now_on_is_heard_as_that(made: Stage) -> None:
    a, b = made.phone(L16, A_HZ), made.phone(G722, B_HZ)
    made.put([a.leg("a"), b.leg("b")])
    made.run(0.5)
    assert b.tones() == (A_HZ,)
    other = replace(OPUS, payload_type=L16.payload_type)
    a.speak_as(other)
    made.put([a.leg("a"), b.leg("b")], rev=2)
    made.run(1.0)
    assert b.tones() == (A_HZ,)
    assert b.levels(A_HZ) == pytest.approx([LEVEL_DBFS], abs=1.0)


def test_a_leg_that_tells_of_loss_gets_copies_of_what_was_before(made: Stage) -> None:
    a, b = made.phone(replace(OPUS, parameters="useinbandfec=1"), A_HZ), made.phone(OPUS, B_HZ)
    made.put([a.leg("a", rtcp_mux=True), b.leg("b")])
    codings = []
    for lost_of_256 in (0, 26, 0, 0, 0, 0, 0):
        made.run(0.5)
        block = rtcp.Block(a.got[-1].ssrc, lost_of_256, 0, 0, 0)
        a.send(rtcp.build([rtcp.ReceiverReport(a.ssrc, (block,))]))
        codings.append(a.got[-1].payload[0] >> 3)
    transforms = [coding >= 16 for coding in codings]
    assert transforms[0], "a voice's model has room for a copy, a transform has not (RFC 6716 table 2)"
    assert transforms[1:] == [True, False, False, False, False, True]
    assert a.tones() == (B_HZ,)
