"""From the name of a source to samples at the rate that is asked for.

What may live here: which source means what, bounds, and reading files. It runs in the library's thread and may block.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from media.pcm import Samples, clipped
from media.progress import progress_tone
from media.resample import resampled
from media.wav import parse

LONGEST_FILE_BYTES = 256 << 20
LONGEST_S = 3600.0
LOUDEST_GAIN_DB = 40.0
_TONE = "tone:"


class SoundError(Exception):
    """A source cannot be played; the text says why and whose fault that is."""


class Stamp(NamedTuple):
    """Which state of a file was read."""

    modified_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Raises OSError."""
        found = path.stat()
        return cls(found.st_mtime_ns, found.st_size)


class Sound(NamedTuple):
    """Mono samples that nobody writes to; of a file, `path` and `stamp` say which."""

    samples: Samples
    clock_rate_hz: int
    path: Path | None = None
    stamp: Stamp | None = None

    def is_current(self) -> bool:
        """Whether the file is still the one that was read. Blocks."""
        try:
            return self.path is None or Stamp.of(self.path) == self.stamp
        except OSError:
            return False


def load(source: str, clock_rate_hz: int, gain_db: float = 0.0) -> Sound:
    """What `wire.Play.source` names. Blocks. Raises SoundError."""
    if not -120 <= gain_db <= LOUDEST_GAIN_DB:
        raise SoundError(f"a gain of {gain_db} dB is not between -120 and {LOUDEST_GAIN_DB:.0f}")
    if source.startswith(_TONE):
        try:
            samples = progress_tone(source.removeprefix(_TONE), clock_rate_hz)
        except ValueError as error:
            raise SoundError(str(error)) from error
        return Sound(_finished(samples, gain_db), clock_rate_hz)
    return _of_file(Path(source), clock_rate_hz, gain_db)


def _of_file(path: Path, clock_rate_hz: int, gain_db: float) -> Sound:
    try:
        stamp = Stamp.of(path)
        if not path.is_file():
            raise SoundError(f"{path} is no file")
        if stamp.size > LONGEST_FILE_BYTES:
            raise SoundError(f"{path} has {stamp.size} bytes, more than {LONGEST_FILE_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise SoundError(f"cannot read {path}: {error.strerror}") from error
    try:
        samples, rate = parse(content)
        if len(samples) > LONGEST_S * rate:
            raise SoundError(f"{path} lasts longer than {LONGEST_S:.0f} s")
        samples = resampled(samples, rate, clock_rate_hz)
    except ValueError as error:
        raise SoundError(f"{path} cannot be played: {error}") from error
    return Sound(_finished(samples, gain_db), clock_rate_hz, path, stamp)


def _finished(samples: Samples, gain_db: float) -> Samples:
    if gain_db:
        samples = clipped(samples * 10 ** (gain_db / 20))
    samples.setflags(write=False)
    return samples
