"""What `wire.Play.source` may name, and where its sound comes from.

`tone:NAME` is a tone as in `media.progress`; `music:hold` is music; `prompt:NAME:LANGUAGE` is a sentence of
`media.prompt`, with `:NUMBER` behind it if it tells one; `say:LANGUAGE:TEXT` is any text; all else is the path of a
file.

What may live here: that grammar, and what is heard instead where something is missing. It runs in the library's thread.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from media.music import CLOCK_RATE_HZ, hold_music
from media.progress import progress_tone
from media.prompt import PROMPTS, fallbacks
from media.shelf import Shelf
from media.sound import Sound, SoundError, from_content, from_file, from_samples
from media.speech import LEVEL_DBFS, WORDS_PER_MINUTE, SpeechError, is_language, speak
from media.wav import wave
from media.wire import Play

Speak = Callable[[str, str], bytes]
"""(text, language) -> a WAV. Blocks. Raises SpeechError."""

UNSPOKEN = "attention"
"""The tone that stands for words which cannot be spoken."""
SUFFIXES = (".wav", ".opus", ".ogg")

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NUMBER = re.compile(r"[0-9]{1,9}")
_log = logging.getLogger(__name__)


class Sources:
    """Where sounds come from; `load` is for `media.play.Library`."""

    def __init__(self, kept: Path | None = None, own: Path | None = None, speak: Speak = speak) -> None:
        """What is made is kept below `kept`. In `own`, `LANGUAGE/NAME.wav` is heard in the place of a sentence, and
        `hold.wav` in that of our music; they may be `.opus` as well."""
        self._shelf = Shelf(kept)
        self._own = own
        self._speak = speak
        self._told: set[str] = set()
        self._kinds = {"tone": self._tone, "music": self._music, "prompt": self._prompt, "say": self._say}

    def load(self, play: Play, clock_rate_hz: int) -> Sound:
        """Blocks. Raises SoundError."""
        kind, _, name = play.source.partition(":")
        if kind in self._kinds:
            return self._kinds[kind](name, clock_rate_hz, play.gain_db)
        return from_file(Path(play.source), clock_rate_hz, play.gain_db, play.key)

    def _tone(self, name: str, clock_rate_hz: int, gain_db: float) -> Sound:
        try:
            samples = progress_tone(name, clock_rate_hz)
        except ValueError as error:
            raise SoundError(str(error)) from error
        return from_samples(samples, clock_rate_hz, clock_rate_hz, gain_db)

    def _music(self, name: str, clock_rate_hz: int, gain_db: float) -> Sound:
        if name != "hold":
            raise SoundError(f"no music is called {name}: there is hold")
        own = self._own_file(name, ("",))
        if own is not None:
            return from_file(own, clock_rate_hz, gain_db)
        content = self._shelf.content("hold-1.wav", lambda: wave(hold_music(), CLOCK_RATE_HZ))
        return from_content(content, clock_rate_hz, gain_db)

    def _prompt(self, name: str, clock_rate_hz: int, gain_db: float) -> Sound:
        sentence, language, number = (*name.split(":", 2), "", "")[:3]
        if not _NAME.fullmatch(sentence) or not is_language(language.lower()):
            raise SoundError(f"prompt:{name} is no prompt:NAME:LANGUAGE")
        if number and not _NUMBER.fullmatch(number):
            raise SoundError(f"prompt:{name} tells no number")
        own = self._own_file(sentence, fallbacks(language))
        if own is not None and not number:
            return from_file(own, clock_rate_hz, gain_db)
        texts = PROMPTS.get(sentence)
        if texts is None:
            raise SoundError(f"no prompt is called {sentence}")
        spoken = [(texts[tag].format(number), tag) for tag in fallbacks(language) if tag in texts]
        return self._spoken(iter(spoken), clock_rate_hz, gain_db)

    def _say(self, name: str, clock_rate_hz: int, gain_db: float) -> Sound:
        language, _, text = name.partition(":")
        if not is_language(language.lower()) or not text:
            raise SoundError(f"say:{language}:... is no say:LANGUAGE:TEXT")
        return self._spoken(((text, tag) for tag in fallbacks(language)), clock_rate_hz, gain_db)

    def _own_file(self, name: str, folders: Iterable[str]) -> Path | None:
        if self._own is None:
            return None
        paths = (self._own / folder / f"{name}{suffix}" for folder in folders for suffix in SUFFIXES)
        return next((path for path in paths if path.is_file()), None)

    def _spoken(self, ways: Iterator[tuple[str, str]], clock_rate_hz: int, gain_db: float) -> Sound:
        """The first that can be spoken; if none can, a tone says that something should have been said."""
        for text, tag in ways:
            try:
                content = self._shelf.content(_kept_as(text, tag), partial(self._speak, text, tag))
            except SpeechError as error:
                self._tell_once(str(error))
            else:
                return from_content(content, clock_rate_hz, gain_db)
        return self._tone(UNSPOKEN, clock_rate_hz, gain_db)._replace(lasting=False)

    def _tell_once(self, reason: str) -> None:
        if reason not in self._told and len(self._told) < 100:
            self._told.add(reason)
            _log.warning("words are not spoken: a tone is heard", extra={"reason": reason})


def _kept_as(text: str, tag: str) -> str:
    """Another way of speaking is another name."""
    told = f"{WORDS_PER_MINUTE} {LEVEL_DBFS} {text}"
    return f"speech/{tag}/{hashlib.sha256(told.encode()).hexdigest()[:32]}.wav"
