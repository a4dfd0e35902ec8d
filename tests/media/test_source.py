"""What a source names is what is heard, or something that stands for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from media.container import contain
from media.music import hold_music
from media.part import part_of
from media.progress import progress_tone
from media.prompt import LANGUAGE, PROMPTS, fallbacks
from media.sound import Sound, SoundError
from media.source import UNSPOKEN, Sources
from media.speech import NoProgramError, SpeechError
from media.tone import levels, tone
from media.track import Track
from media.wav import wave
from media.wire import Play
from tests.media.test_ogg import FILE as OPUS

KEY = bytes(range(32))


class Speaker:
    """Speaks a second of a tone a language, and remembers what it was asked to say."""

    def __init__(self, *languages: str) -> None:
        self.said: list[tuple[str, str]] = []
        self._languages = languages

    def __call__(self, text: str, language: str) -> bytes:
        if language not in self._languages:
            raise SpeechError(f"no voice for {language}")
        self.said.append((language, text))
        return wave(tone(500, 1.0, 16000), 16000)


def of(sources: Sources, source: str, rate_hz: int = 8000, gain_db: float = 0.0, key: bytes = b"") -> Sound:
    return sources.load(Play("p", source, gain_db=gain_db, key=key), rate_hz)


def test_a_tone_is_a_tone() -> None:
    assert (of(Sources(), "tone:busy:gb").samples == progress_tone("busy:gb", 8000)).all()
    with pytest.raises(SoundError, match="no tone is called boo"):
        of(Sources(), "tone:boo")


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
@pytest.mark.parametrize("content", [wave(tone(440, 1.5, 44100), 44100), OPUS], ids=["wav", "opus"])
def test_a_file_is_converted_to_the_rate_that_is_asked_for(content: bytes, rate_hz: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    found = of(Sources(), str(tmp_path / "a"), rate_hz)
    assert found.clock_rate_hz == rate_hz
    assert len(found.samples) == pytest.approx(1.5 * rate_hz, abs=0.01 * rate_hz)
    assert levels(found.samples, rate_hz, [440])[0] == pytest.approx(-13, abs=0.5)
    assert not found.samples.flags.writeable


def test_a_gain_makes_it_louder_and_never_wraps() -> None:
    plain = of(Sources(), "tone:440").samples
    louder = of(Sources(), "tone:440", gain_db=6.0).samples
    assert np.abs(louder - plain.astype(float) * 10**0.3).max() <= 1
    assert of(Sources(), "tone:440", gain_db=40.0).samples.max() == 32767
    for gain_db in (41.0, -121.0, float("nan")):
        with pytest.raises(SoundError, match="a gain of"):
            of(Sources(), "tone:440", gain_db=gain_db)


def test_a_sealed_recording_is_played_with_its_key_only(tmp_path: Path) -> None:
    path, sound = tmp_path / "a.swl", tone(440, 0.5)
    container = contain(path, Track(8000, 1), KEY)
    container.append(sound.tobytes())
    while container.finish() is None:
        pass
    assert (of(Sources(), str(path), key=KEY).samples == sound).all()
    for key, reason in ((bytes(32), "another key"), (b"", "key of 0 bytes")):
        with pytest.raises(SoundError, match=f"{path} cannot be played: .*{reason}"):
            of(Sources(), str(path), key=key)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin as a WAV"),
        (b"RIFF\0\0\0\0WAVE", "no sound"),
        (b"OggS" * 20, "broken"),
        (b"\xff" * 99, "WAV"),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(SoundError, match=f"{path} cannot be played: .*{reason}"):
        of(Sources(), str(path))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", part_of(tmp_path / "x"), Path("/dev/zero")):
        with pytest.raises(SoundError, match=f"there is no file {path}"):
            of(Sources(), str(path))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.wav").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(SoundError, match="more than"):
        of(Sources(), str(tmp_path / "a.wav"))


def test_a_prompt_is_spoken_once_in_the_language_and_kept(tmp_path: Path) -> None:
    speaker = Speaker("de")
    for _ in range(2):
        found = of(Sources(tmp_path, speak=speaker), "prompt:recorded:de")
        assert levels(found.samples, 8000, [500])[0] == pytest.approx(-13, abs=0.5)
    assert speaker.said == [("de", PROMPTS["recorded"]["de"])]
    of(Sources(speak=speaker), "prompt:recorded:de")
    assert len(speaker.said) == 2


@pytest.mark.parametrize(
    ("asked", "voices", "spoken"),
    [
        ("de-at", ["de", "en"], "de"),
        ("de-AT", ["de", "en"], "de"),
        ("ja", ["en", "ja"], "en"),
        ("fr", ["en"], "en"),
        ("en-gb", ["en"], "en"),
    ],
)
def test_a_language_falls_back_to_a_wider_one_and_to_english(asked: str, voices: list[str], spoken: str) -> None:
    speaker = Speaker(*voices)
    of(Sources(speak=speaker), f"prompt:recorded:{asked}")
    assert speaker.said == [(spoken, PROMPTS["recorded"][spoken])]


def test_a_number_is_told_with_its_sentence() -> None:
    speaker = Speaker("fr")
    of(Sources(speak=speaker), "prompt:voicemail-new:fr:12")
    assert speaker.said == [("fr", "Nouveaux messages: 12.")]


def test_any_text_can_be_said_colons_and_all() -> None:
    speaker = Speaker("de")
    of(Sources(speak=speaker), "say:de-ch:Sie wählen: 1 oder 2")
    assert speaker.said == [("de", "Sie wählen: 1 oder 2")]


def test_an_own_recording_is_heard_in_the_place_of_a_sentence(tmp_path: Path) -> None:
    speaker = Speaker("de", "en")
    sources = Sources(own=tmp_path, speak=speaker)
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "recorded.wav").write_bytes(wave(tone(700, 1.0), 8000))
    (tmp_path / "de" / "welcome.opus").write_bytes(OPUS)
    assert levels(of(sources, "prompt:recorded:de-at").samples, 8000, [700])[0] == pytest.approx(-13, abs=0.5)
    assert len(of(sources, "prompt:welcome:de").samples) > 8000
    assert speaker.said == []
    of(sources, "prompt:recorded:en")
    assert speaker.said == [("en", PROMPTS["recorded"]["en"])]


def test_where_nothing_can_be_spoken_a_tone_is_heard_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def mute(text: str, language: str) -> bytes:
        raise NoProgramError("there is no espeak-ng: install the package espeak-ng")

    sources = Sources(speak=mute)
    found = [of(sources, source) for source in ("prompt:recorded:de", "say:en:hello", "prompt:goodbye:en")]
    assert all((sound.samples == progress_tone(UNSPOKEN, 8000)).all() for sound in found)
    assert [vars(line)["reason"] for line in caplog.records] == ["there is no espeak-ng: install the package espeak-ng"]
    assert not found[0].is_current(), "it may be there next time"


@pytest.mark.parametrize(
    "source",
    [
        "prompt:",
        "prompt:recorded",
        "prompt:recorded:",
        "prompt:../../etc/passwd:en",
        "prompt:recorded:../../etc",
        "prompt:recorded:en:a lot",
        "prompt:nothing-like-it:en",
        "say:en",
        "say:en:",
        "say:-v:hello",
        "say:hello",
        "music:",
        "music:lift",
        "",
    ],
)
def test_a_source_that_means_nothing_is_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(SoundError):
        of(Sources(own=tmp_path, speak=Speaker("en")), source)


def test_a_folder_that_cannot_be_written_costs_no_sound(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    found = of(Sources(tmp_path / "file", speak=Speaker("en")), "say:en:hello")
    assert len(found.samples) == 8000
    assert [line.message for line in caplog.records] == ["a sound cannot be kept"]


def test_hold_music_is_made_once_and_kept(tmp_path: Path) -> None:
    found = of(Sources(tmp_path), "music:hold", 16000)
    assert (found.samples == hold_music()).all()
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(wave(tone(440, 1.0), 8000))
    assert len(of(Sources(tmp_path), "music:hold").samples) == 8000


def test_own_hold_music_is_heard_in_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "hold.opus").write_bytes(OPUS)
    found = of(Sources(own=tmp_path), "music:hold")
    assert levels(found.samples, 8000, [440])[0] == pytest.approx(-13, abs=0.5)
    assert found.path == tmp_path / "hold.opus"


def test_every_sentence_is_in_english_and_tells_a_number_in_all_languages_or_none() -> None:
    for name, texts in PROMPTS.items():
        assert LANGUAGE in texts, name
        assert len({text.count("{}") for text in texts.values()}) == 1, name
        assert all(text.strip() == text and text for text in texts.values()), name


def test_fallbacks_end_with_english_and_name_nothing_twice() -> None:
    assert list(fallbacks("zh-Hant-TW")) == ["zh-hant-tw", "zh-hant", "zh", "en"]
    assert list(fallbacks("en-US")) == ["en-us", "en"]
