"""Sounds as they are played, and how one comes out of a file.

What may live here: what a sound is, bounds, and reading files: WAV, Opus in Ogg, sealed recordings. It may block.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from media import ogg, sealed, track, wav
from media.pcm import Samples, clipped
from media.resample import resampled

LONGEST_FILE_BYTES = 256 << 20
LONGEST_S = 3600.0
LOUDEST_GAIN_DB = 40.0


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
    """Mono samples that nobody writes to; of a file, `path` and `stamp` say which.

    What is not `lasting` stands for something that may be there next time.
    """

    samples: Samples
    clock_rate_hz: int
    path: Path | None = None
    stamp: Stamp | None = None
    lasting: bool = True

    def is_current(self) -> bool:
        """Whether the same would be found again. Blocks."""
        if not self.lasting:
            return False
        try:
            return self.path is None or Stamp.of(self.path) == self.stamp
        except OSError:
            return False


def from_samples(samples: Samples, from_hz: int, to_hz: int, gain_db: float) -> Sound:
    """At the rate and level that are wanted. Raises SoundError."""
    if not -120 <= gain_db <= LOUDEST_GAIN_DB:
        raise SoundError(f"a gain of {gain_db} dB is not between -120 and {LOUDEST_GAIN_DB:.0f}")
    if len(samples) > LONGEST_S * from_hz:
        raise SoundError(f"a sound lasts longer than {LONGEST_S:.0f} s")
    try:
        made = resampled(samples, from_hz, to_hz)
    except ValueError as error:
        raise SoundError(str(error)) from error
    if gain_db:
        made = clipped(made * 10 ** (gain_db / 20))
    made.setflags(write=False)
    return Sound(made, to_hz)


def from_content(content: bytes, to_hz: int, gain_db: float, key: bytes = b"") -> Sound:
    """Of a whole file. Raises SoundError."""
    try:
        return from_samples(*_parsed(content, key), to_hz, gain_db)
    except (ogg.OggError, sealed.SealedError, track.WaveError) as error:
        raise SoundError(str(error)) from error


def from_file(path: Path, to_hz: int, gain_db: float, key: bytes = b"") -> Sound:
    """Blocks. Raises SoundError."""
    try:
        if not path.is_file():
            raise SoundError(f"there is no file {path}")
        stamp = Stamp.of(path)
        if stamp.size > LONGEST_FILE_BYTES:
            raise SoundError(f"{path} has {stamp.size} bytes, more than {LONGEST_FILE_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise SoundError(f"cannot read {path}: {error.strerror}") from error
    try:
        return from_content(content, to_hz, gain_db, key)._replace(path=path, stamp=stamp)
    except SoundError as error:
        raise SoundError(f"{path} cannot be played: {error}") from error


def _parsed(content: bytes, key: bytes) -> wav.Wave:
    if content.startswith(sealed.MAGIC):
        opened = sealed.SealedWave(key, len(content), lambda at, length: content[at : at + length])
        return wav.parse(opened.read(0, len(opened)))
    return ogg.parse(content) if content.startswith(ogg.MAGIC) else wav.parse(content)
