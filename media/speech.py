"""Text that is spoken by espeak-ng, a program that runs as a process of its own.

What may live here: running it, and what its sound needs to be played: a level, and no silence around it.
"""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np

from media.pcm import Samples, clipped
from media.tone import FULL_SCALE
from media.track import WaveError
from media.wav import parse, wave

PROGRAM = "espeak-ng"
LEVEL_DBFS = -24.0
"""Root of the mean square over what is spoken: ITU-T P.56 has -26 dBov for speech."""
LONGEST_TEXT = 1000
WORDS_PER_MINUTE = 155
"""The program's own 175 is too fast for a telephone."""

_TIMEOUT_S = 20.0
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}")
_QUIET = 64
_EDGE_S = 0.1


class SpeechError(Exception):
    """The text cannot be spoken; the text of this says why."""


class NoProgramError(SpeechError):
    """There is no espeak-ng here."""


def is_language(tag: str) -> bool:
    """Whether it may be asked for: a tag as in BCP 47, in lower case. Whether it is spoken turns out later."""
    return _LANGUAGE.fullmatch(tag) is not None


def speak(text: str, language: str, program: str = PROGRAM) -> bytes:
    """A WAV of the spoken text. Blocks, for some 50 ms. Raises SpeechError."""
    if not is_language(language):
        raise SpeechError(f"{language!r} is no tag of a language")
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise SpeechError(f"a text of {len(text)} characters is not between 1 and {LONGEST_TEXT}")
    path = shutil.which(program)
    if path is None:
        raise NoProgramError(f"there is no {program}: install the package espeak-ng")
    command = [path, "-v", language, "-s", str(WORDS_PER_MINUTE), "-b", "1", "-z", "--stdin", "--stdout"]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpeechError(f"{program} cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise SpeechError(f"{program} does not speak {language}: {said or f'status {done.returncode}'}")
    try:
        samples, rate = parse(done.stdout)
    except WaveError as error:
        raise SpeechError(f"{program} wrote no sound: {error}") from error
    return wave(_levelled(samples, rate), rate)


def _levelled(samples: Samples, clock_rate_hz: int) -> Samples:
    """As loud as other speech, with a tenth of a second around it."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    if not len(loud):
        raise SpeechError("nothing was said")
    spoken = samples[loud[0] : loud[-1] + 1].astype(np.float64)
    factor = FULL_SCALE * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(spoken**2))
    return np.pad(clipped(spoken * factor), round(_EDGE_S * clock_rate_hz))
