"""What was said in messages, and greetings that are brought, for the HTTP API (`api.ports.Messages`)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from api.ports import Brought, Sound
from domain.ids import leg_id, new_stream_id
from domain.mailbox.greeting import LONGEST_S
from domain.refusal import Refusal
from domain.storage import MissingFileError, StorageError
from media.sealed import KEY_BYTES, SealedError
from switchlog.studio.reel import ReelStore
from switchlog.studio.sealed_wave import open_wave


class MessageSounds:
    """Files of messages; each has a key of its own, which whoever asks must know."""

    def __init__(self, store: ReelStore) -> None:
        self._store = store

    def audio(self, file: str, key: bytes) -> Sound:
        try:
            return open_wave(self._store.storage, file, key)
        except MissingFileError as error:
            raise Refusal("missing", "what was said is gone") from error
        except (StorageError, SealedError) as error:
            raise Refusal("unavailable", str(error)) from error

    def bring(self, tenant: str, content: bytes) -> Brought:
        from media.container import ContainerError  # which load numpy: nobody waits for that here
        from media.track import WaveError

        message, key = leg_id(new_stream_id(time.time_ns() // 1_000_000, 0, os.urandom(8)), 0), os.urandom(KEY_BYTES)
        draft = self._store.spool / f"{message}.{os.urandom(8).hex()}.draft"
        try:
            sha256, duration_ms = _sealed(draft, content, key)
            name = f"{tenant}/voicemail/{message}"
            self._store.storage.put(name, draft)
        except WaveError as error:
            raise Refusal("invalid", f"this is no WAV that can be played: {error}") from error
        except (ContainerError, StorageError, OSError) as error:
            raise Refusal("unavailable", f"the greeting cannot be kept: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
        return Brought(message, name, key, sha256, duration_ms)

    def discard(self, file: str) -> None:
        try:
            self._store.storage.delete(file)
        except StorageError as error:
            raise Refusal("unavailable", str(error)) from error


def _sealed(path: Path, content: bytes, key: bytes) -> tuple[str, int]:
    """Write a WAV's sound into a sealed file, mono, at its own rate; SHA-256 of it as it will be served, and its length
    in ms. Raises WaveError, ContainerError, OSError and Refusal."""
    from media.container import contain
    from media.track import Track
    from media.wav import parse

    samples, rate = parse(content)
    track = Track(rate, 1)
    duration_ms = track.duration_ms(samples.nbytes)
    if not 0 < duration_ms <= LONGEST_S * 1000:
        raise Refusal("invalid", f"a greeting is up to {LONGEST_S} seconds long, and not {duration_ms / 1000:.1f}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    container = contain(path, track, key)
    container.append(samples.astype("<i2").tobytes())
    while (sha256 := container.finish()) is None:
        pass
    return sha256, duration_ms
