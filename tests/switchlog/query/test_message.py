"""Greetings that are brought: sealed in the storage, and nothing left elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from adapters.storage.folder import FolderStorage
from domain.refusal import Refusal
from media.track import HEAD_BYTES
from media.wav import wave
from switchlog.query.message import MessageSounds
from switchlog.studio.reel import ReelStore
from switchlog.studio.spool import read_name

SAMPLES = np.arange(24_000, dtype=np.int16)


@pytest.fixture
def sounds(tmp_path: Path) -> MessageSounds:
    store = ReelStore(lambda: FolderStorage(tmp_path / "storage"), tmp_path / "spool", lambda purpose: b"")
    return MessageSounds(store)


def files(tmp_path: Path) -> list[str]:
    return [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()]


def test_what_is_brought_can_be_fetched_and_discarded(sounds: MessageSounds, tmp_path: Path) -> None:
    brought = sounds.bring("acme", wave(SAMPLES, 16_000))
    assert (brought.duration_ms, brought.file) == (1500, f"acme/voicemail/{brought.message}")
    assert files(tmp_path) == [f"storage/{brought.file}"]
    found = sounds.audio(brought.file, brought.key)
    content = found.read(0, len(found))
    assert content[HEAD_BYTES:] == SAMPLES.tobytes()
    assert hashlib.sha256(content).hexdigest() == brought.sha256
    assert SAMPLES.tobytes()[1000:2000] not in (tmp_path / "storage" / brought.file).read_bytes(), "it is sealed"
    assert read_name(f"{brought.message}.rec") is not None, "its name is that of a message"
    sounds.discard(brought.file)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no WAV"),
        (b"ID3 and so on", "no WAV"),
        (wave(SAMPLES, 16_000)[:30], "no WAV"),
        (wave(SAMPLES[:0], 16_000), "up to 120 seconds"),
        (wave(np.zeros(121 * 8000, np.int16), 8000), "up to 120 seconds"),
    ],
)
def test_what_cannot_be_a_greeting_is_refused_and_leaves_nothing(
    sounds: MessageSounds, tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        sounds.bring("acme", content)
    assert refused.value.kind == "invalid"
    assert files(tmp_path) == []
