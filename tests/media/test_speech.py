"""Speech by espeak-ng: it speaks, in time and at the level of speech, or says why not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from media.prompt import PROMPTS
from media.speech import LEVEL_DBFS, PROGRAM, NoProgramError, SpeechError, speak
from media.wav import parse

SPEAKS = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="needs espeak-ng")


@SPEAKS
@pytest.mark.parametrize("language", sorted(PROMPTS["recorded"]))
def test_every_language_of_the_prompts_is_spoken(language: str) -> None:
    samples, rate_hz = parse(speak(PROMPTS["recorded"][language], language))
    assert 1.0 < len(samples) / rate_hz < 5.0
    spoken = samples[np.abs(samples.astype(int)) > 64].astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(spoken**2)) / 32767) == pytest.approx(LEVEL_DBFS, abs=3)
    assert not samples[: rate_hz // 20].any() and not samples[-rate_hz // 20 :].any()


@SPEAKS
def test_a_longer_text_takes_longer_and_is_never_taken_for_an_option() -> None:
    short, long = (len(parse(speak(text, "en")).samples) for text in ("-h", "-h is not an option; it is only text."))
    assert 0 < short < long


@SPEAKS
def test_a_language_without_a_voice_is_told() -> None:
    with pytest.raises(SpeechError, match="does not speak xx: "):
        speak("hello", "xx")


@pytest.mark.parametrize("language", ["", "../en", "-v", "en us", "EN", "e" * 100])
def test_what_is_no_language_never_reaches_the_program(language: str) -> None:
    with pytest.raises(SpeechError, match="is no tag of a language"):
        speak("hello", language)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001])
def test_a_text_has_its_bounds(text: str) -> None:
    with pytest.raises(SpeechError, match=f"a text of {len(text)} characters"):
        speak(text, "en")


def test_without_the_program_the_package_is_named() -> None:
    with pytest.raises(NoProgramError, match="there is no no-such-program: install the package espeak-ng"):
        speak("hello", "en", "no-such-program")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("print('no sound')", "wrote no sound"),
        ("import sys; sys.exit('out of voice')", "out of voice"),
        ("import sys; sys.exit(3)", "status 3"),
    ],
)
def test_whatever_the_program_does_is_an_error_with_a_reason(script: str, reason: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(SpeechError, match=reason):
        speak("hello", "en", str(program))
