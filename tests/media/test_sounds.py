"""What is played, recorded and pressed in contexts, and who talks."""

from __future__ import annotations

import hashlib
import time
import wave as stored
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from media import dtmf, rtp, tone
from media.g711 import MU_LAW
from media.part import part_of
from media.pcm import Samples
from media.wav import parse, wave
from media.wire import Dtmf, Play, PlayDone, Ready, Record, RecordClosed, Silent, Talking
from tests.media.party import G722, LEVEL_DBFS, PCMU, Phone, Stage, stage

A_HZ, B_HZ, C_HZ, PLAYED_HZ = 400.0, 700.0, 1100.0, 1500.0
TIMEOUT_S = 5.0


def pair(made: Stage, **changes: object) -> tuple[Phone, Phone]:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    assert made.put([a.leg("a", dtmf=101), b.leg("b", dtmf=101)], **changes) == Ready("room", 1)  # type: ignore[arg-type]
    return a, b


def until(made: Stage, kind: type[PlayDone] | type[RecordClosed]) -> None:
    """Tick until it is said: sounds are read and files written by threads of their own."""
    end = time.monotonic() + TIMEOUT_S
    while not made.words(kind):
        assert time.monotonic() < end
        made.run(0.02)


# --- plays


@pytest.fixture
def played(tmp_path: Path) -> Play:
    """Half a second of a tone."""
    path = tmp_path / "tone.wav"
    path.write_bytes(wave(tone.tone(PLAYED_HZ, 0.5), 8000))
    return Play("p", str(path))


def test_what_a_leg_alone_is_to_hear_takes_the_room_s_place_while_it_lasts(made: Stage, played: Play) -> None:
    a, b = pair(made)
    made.put([a.leg("a", plays=(played,)), b.leg("b")], rev=2)
    until(made, PlayDone)
    assert made.words(PlayDone) == [PlayDone("room", "a", "p")]
    assert a.tones(0.4) == (PLAYED_HZ,)
    assert b.tones(0.4) == (A_HZ,)
    made.run(0.6)
    assert a.tones() == (B_HZ,)
    assert len(made.words(PlayDone)) == 1


def test_plays_of_a_leg_follow_each_other(made: Stage, played: Play) -> None:
    a, b = pair(made)
    more = Play("q", played.source)
    made.put([a.leg("a", plays=(played, more)), b.leg("b")], rev=2)
    until(made, PlayDone)
    made.run(0.7)
    assert [word.play for word in made.words(PlayDone)] == ["p", "q"]


def test_what_all_are_to_hear_is_mixed_in(made: Stage, played: Play) -> None:
    a, b = pair(made, plays=(Play("p", played.source, loop=True, gain_db=-6.0),))
    made.run(0.1)
    end = time.monotonic() + TIMEOUT_S
    while a.levels(PLAYED_HZ, last_s=0.3)[0] < LEVEL_DBFS - 7 and time.monotonic() < end:
        made.run(0.1)
    made.run(0.6)
    assert (a.tones(), b.tones()) == ((B_HZ, PLAYED_HZ), (A_HZ, PLAYED_HZ))
    assert a.levels(PLAYED_HZ) == pytest.approx([tone.TONE_LEVEL_DBFS - 6], abs=0.5)


def test_a_play_that_goes_on_is_not_begun_again_and_one_that_is_gone_ends(made: Stage, played: Play) -> None:
    a, b = pair(made)
    looped = Play("p", played.source, loop=True)
    made.put([a.leg("a", plays=(looped,)), b.leg("b")], rev=2)
    end = time.monotonic() + TIMEOUT_S
    while a.tones(0.3) != (PLAYED_HZ,):
        assert time.monotonic() < end
        made.run(0.02)
    for rev in range(3, 8):
        made.put([a.leg("a", plays=(looped,), muted=rev % 2 == 0), b.leg("b")], rev=rev)
        made.run(0.1)
    assert tone.gaps(a.heard(0.5), 8000, PLAYED_HZ) == []
    made.put([a.leg("a"), b.leg("b")], rev=8)
    made.run(0.6)
    assert a.tones() == (B_HZ,)
    assert made.words(PlayDone) == []


def test_what_cannot_be_played_is_told_with_its_reason(made: Stage) -> None:
    a, b = pair(made)
    made.put([a.leg("a", plays=(Play("p", "/nowhere.wav"),)), b.leg("b")], rev=2)
    until(made, PlayDone)
    (done,) = made.words(PlayDone)
    assert "/nowhere.wav" in done.reason
    made.run(0.6)
    assert a.tones() == (B_HZ,)


# --- recordings


def recorded(made: Stage, path: Path) -> tuple[Samples, RecordClosed]:
    """The samples of a file, (samples, channels), once it is whole."""
    until(made, RecordClosed)
    (closed,) = made.words(RecordClosed)
    content = path.read_bytes()
    assert closed.sha256 == hashlib.sha256(content).hexdigest()
    with stored.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels()), closed


def test_each_side_is_on_its_channel_and_a_masked_stretch_is_silent(made: Stage, tmp_path: Path) -> None:
    a, b = pair(made)
    record = Record("r", str(tmp_path / "call.wav"), "stereo", ("a", "b"))
    legs = [a.leg("a"), b.leg("b")]
    made.put(legs, rev=2, records=(record,))
    made.run(1.0)
    made.put(legs, rev=3, records=(Record("r", record.path, "stereo", ("a", "b"), masked=True),))
    made.run(0.5)
    made.put(legs, rev=4)
    samples, closed = recorded(made, Path(record.path))
    assert closed.duration_ms == 1500
    left, right = samples[2000:8000, 0], samples[2000:8000, 1]
    assert [round(hz, -1) for hz in tone.tones(left, 8000)] == [A_HZ]
    assert [round(hz, -1) for hz in tone.tones(right, 8000)] == [B_HZ]
    assert not samples[8000:].any()


def test_a_mixed_recording_has_all(made: Stage, tmp_path: Path) -> None:
    a, b = pair(made)
    path = tmp_path / "room.wav"
    made.put([a.leg("a"), b.leg("b")], rev=2, records=(Record("r", str(path)),))
    made.run(1.0)
    made.put([a.leg("a")], rev=3)
    made.put([], rev=4)
    samples, _ = recorded(made, path)
    assert sorted(round(hz, -1) for hz in tone.tones(samples[2000:].ravel(), 8000)) == [A_HZ, B_HZ]


def test_a_worker_that_ends_leaves_recordings_to_be_gone_on_with(tmp_path: Path) -> None:
    """Their calls may outlive it."""
    path = tmp_path / "room.wav"
    for seconds in (1.5, 3.0):
        with stage() as made:
            a, b = pair(made)
            made.put([a.leg("a"), b.leg("b")], rev=2, records=(Record("r", str(path)),))
            made.run(1.5)
        assert not path.exists()
        assert parse(part_of(path).read_bytes()).samples.shape[0] == seconds * 8000


# --- digits


def test_digits_of_telephone_events_are_told_once(made: Stage) -> None:
    a, _ = pair(made)
    made.run(0.1)
    sender = dtmf.EventSender()
    sender.send("5#")
    while sender.busy:
        event = sender.tick(a.timestamp)
        a.timestamp += 160
        if event is not None:
            a.speak(rtp.header(101, a.sequence, event.timestamp, a.ssrc, event.marker) + event.payload)
            a.sequence += 1
        made.tick()
    assert made.words(Dtmf) == [Dtmf("room", "a", "5", 100), Dtmf("room", "a", "#", 100)]


def test_a_digit_whose_end_is_lost_is_told_all_the_same(made: Stage) -> None:
    a, _ = pair(made)
    made.run(0.1)
    sender = dtmf.EventSender()
    sender.send("5")
    while sender.busy:
        event = sender.tick(a.timestamp)
        if event is not None and not event.payload[1] & 0x80:
            a.speak(rtp.header(101, a.sequence, event.timestamp, a.ssrc, event.marker) + event.payload)
            a.sequence += 1
        made.tick()
    assert made.words(Dtmf) == []
    made.run(0.4)
    (word,) = made.words(Dtmf)
    assert (word.leg, word.digit, 60 <= word.duration_ms <= 100) == ("a", "5", True)
    made.run(1.0)
    assert len(made.words(Dtmf)) == 1


def test_digits_in_the_sound_are_told_if_that_was_asked(made: Stage) -> None:
    a, b = made.phone(), made.phone()
    made.put([a.leg("a", inband_dtmf=True), b.leg("b")])
    sound = np.concatenate([np.zeros(800, np.int16), dtmf.dual_tone("9", 100), np.zeros(1600, np.int16)])
    for phone in (a, b):
        for start in range(0, len(sound) - 159, 160):
            phone.speak(phone.packet(MU_LAW.encode(sound[start : start + 160]).tobytes()))
            made.tick()
    assert [(word.leg, word.digit) for word in made.words(Dtmf)] == [("a", "9")]


@pytest.mark.parametrize("codec", [PCMU, G722])
def test_digits_are_sent_once_for_each_rev_in_the_sound_s_place(made: Stage, codec: object) -> None:
    a, b = made.phone(PCMU, A_HZ), made.phone(codec, B_HZ)  # type: ignore[arg-type]
    made.put([a.leg("a"), b.leg("b", dtmf=101)])
    made.run(0.2)
    pressed = [a.leg("a"), b.leg("b", dtmf=101, send_digits="42")]
    made.put(pressed, rev=2)
    made.put(pressed, rev=2)
    made.put(pressed, rev=2, epoch=2)
    made.run(0.8)
    events = [packet for packet in b.got if packet.payload_type == 101]
    receiver, digits = dtmf.EventReceiver(), list[dtmf.Digit]()
    for packet in events:
        digits += receiver.receive(packet, 0.0)
    assert [digit.digit for digit in digits] == ["4", "2"]
    assert {(later.sequence - one.sequence) % 65536 for one, later in pairwise(b.got)} == {1}
    assert b.tones(0.3) == (A_HZ,)
    sound = [packet.timestamp for packet in b.got if packet.payload_type != 101]
    assert all((later - one) % 160 == 0 for one, later in pairwise(sound))


# --- who talks, who is silent


def test_who_talks_is_told_the_loudest_first_and_when_it_changes(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ, level_dbfs=-20.0), made.phone(frequency_hz=B_HZ, level_dbfs=-10.0)
    c = made.phone()
    made.put([a.leg("a"), b.leg("b"), c.leg("c")])
    made.run(1.5)
    assert made.words(Talking)[-1] == Talking("room", ("b", "a"))
    before = len(made.words(Talking))
    made.run(1.0)
    assert len(made.words(Talking)) == before
    made.run(2.0, silent=[b])
    assert made.words(Talking)[-1] == Talking("room", ("a",))


def test_a_leg_that_stops_sending_is_told_and_that_it_sends_again(made: Stage) -> None:
    a, b = pair(made)
    made.run(0.5)
    made.run(4.0, silent=[a])
    (told,) = made.words(Silent)
    assert (told.leg, 2400 <= told.since_ms < 3000) == ("a", True)
    made.run(2.0)
    assert made.words(Silent)[1:] == [Silent("room", "a", 0)]
    assert b.tones() == (A_HZ,)
