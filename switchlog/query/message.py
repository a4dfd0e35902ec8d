"""What was said in messages, for the HTTP API (`api.ports.Messages`)."""

from __future__ import annotations

from api.ports import Sound
from domain.refusal import Refusal
from domain.storage import MissingFileError, StorageError
from media.sealed import SealedError
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
