"""What is done with the files of messages: all of it blocks, none of it decides.

What may live here: the spool, in which recordings grow and from which messages are played, and the way from there to
the storage and into mails. Nothing here may be called by the loop's thread.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.notify.note import MailRefused, Note
from domain.mailbox.mailbox import Message
from domain.routing.directory import Box
from domain.storage import MissingFileError, Storage
from media.part import part_of

if TYPE_CHECKING:
    from adapters.notify.mail import Mailer

LEAST_MS = 1000
"""Whoever says nothing for so long has left no message."""
_PIECE_BYTES = 1 << 20
_MOST_TRIES = 5
"""So often a recording is looked for that no worker may ever have begun."""


class Nothing(Exception):
    """There is no message; the text says why."""


class NotSendable(Exception):
    """No mail can be sent about a message, and trying again is of no use."""


class Kept(NamedTuple):
    """A message in the storage: its name there, SHA-256 of its WAV, how long it is."""

    file: str
    sha256: str
    duration_ms: int


class Clerk:
    """Of several threads."""

    def __init__(self, opening: Callable[[], Storage], spool: Path, mailer: Mailer | None = None) -> None:
        """`opening` the storage may raise StorageError; `spool` is a folder of this machine that the media workers can
        write and read."""
        self._opening, self._spool, self._mailer = opening, spool, mailer

    @cached_property
    def _storage(self) -> Storage:
        """Once it is needed: a node without mailboxes needs none."""
        return self._opening()

    def path(self, message: str) -> Path:
        """Where it is recorded; the folder is made."""
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._spool / f"{message}.rec"

    def keep(self, tenant: str, message: str, key: bytes, tries: int) -> Kept:
        """Bring what was recorded to the storage. Raises Nothing, ContainerError, StorageError and OSError."""
        from media.container import ContainerError, complete  # which load numpy: nobody waits for that here

        path, name = self.path(message), f"{tenant}/voicemail/{message}"
        if not path.exists() and not part_of(path).exists():
            return self._brought(name, key, tries)
        try:
            done = complete(path, key)
        except ContainerError as error:
            if tries >= _MOST_TRIES:
                raise Nothing(f"the recording cannot be read: {error}") from error
            raise
        if done.duration_ms < LEAST_MS:
            path.unlink()
            raise Nothing("nothing was said")
        self._storage.put(name, path)
        return Kept(name, done.sha256, done.duration_ms)

    def _brought(self, name: str, key: bytes, tries: int) -> Kept:
        """What another node has brought to the storage, and could not write down any more. Raises Nothing, StorageError
        and SealedError."""
        from switchlog.studio.sealed_wave import open_wave  # as above

        try:
            wave = open_wave(self._storage, name, key)
        except MissingFileError:
            if tries >= _MOST_TRIES:
                raise Nothing("nothing was recorded here") from None
            raise
        digest = hashlib.sha256()
        for at in range(0, len(wave), _PIECE_BYTES):
            digest.update(wave.read(at, _PIECE_BYTES))
        return Kept(name, digest.hexdigest(), wave.track.duration_ms(wave.data_bytes))

    def fetch(self, message: Message) -> Path:
        """A copy for a media worker, still sealed. Raises StorageError and OSError."""
        path = self._copy(message.id)
        if path.exists():
            return path
        draft = path.with_suffix(f".{secrets.token_hex(8)}.draft")  # another visit may fetch it at the same time
        try:
            with draft.open("xb") as file:
                for piece in self._storage.open(message.file):
                    file.write(piece)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return path

    def erase(self, message: Message) -> None:
        """Raises StorageError and OSError."""
        self._storage.delete(message.file)
        self._copy(message.id).unlink(missing_ok=True)
        self.tidy(message.id)

    def mail(self, box: Box, message: Message, key: bytes, timezone: str) -> None:
        """Tell the box's owner. Raises NotSendable, MailError, StorageError, SealedError and OSError."""
        if self._mailer is None:
            raise NotSendable("no mail server is set: SWITCHLOG_SMTP")
        if not box.email:
            raise NotSendable("the mailbox has no address any more")
        from switchlog.studio.sealed_wave import open_wave  # as above

        wave = open_wave(self._storage, message.file, key)
        note = Note(
            to=box.email,
            mailbox=box.number,
            number=message.number,
            name=message.name,
            left_at=message.left_at or message.begun_at,
            timezone=timezone,
            duration_ms=message.duration_ms,
            message=message.id,
        )
        try:
            self._mailer.send(note, wave.read(0, len(wave)))
        except MailRefused as error:
            raise NotSendable(str(error)) from error

    def tidy(self, message: str) -> None:
        """What was recorded is in the storage."""
        self.path(message).unlink(missing_ok=True)

    def _copy(self, message: str) -> Path:
        return self.path(message).with_suffix(".play")
