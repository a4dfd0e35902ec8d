"""What handshakes on media ports gave, kept for as long as the calls last: for when all that remembers it has died.

What may live here: one sealed file for each leg, in a folder of the node that its sessions processes share. Not in the
journal: that is for ever, and keys that come of a handshake are to be gone with the call. A file that cannot be written
or read is no harm but that a restart of everything costs the call its audio.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog

from media.wire import Dtls, Leg, Sdes

_log = structlog.get_logger(__name__)
LONGEST_S = 24 * 3600
"""So long a key is kept if nobody was there when its call ended."""


class _Kept(msgspec.Struct, frozen=True):
    agreement: str
    keys: Sdes


class Keyring:
    """Of one node; without a folder it keeps nothing."""

    def __init__(self, folder: Path | None, seal: Callable[[str], str], unseal: Callable[[str], str]) -> None:
        self._folder, self._seal, self._unseal = folder, seal, unseal
        if folder is not None:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._sweep(folder)

    def keep(self, leg: Leg) -> None:
        """The keys that a leg has now."""
        if self._folder is None or not isinstance(leg.secure, Dtls) or leg.secure.keys is None:
            return
        kept = _Kept(_agreement(leg.secure), leg.secure.keys)
        draft = self._folder / f".{leg.id}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
                file.write(self._seal(msgspec.json.encode(kept).decode()))
            draft.rename(self._folder / leg.id)
        except OSError as error:
            _log.warning("the keys of a leg are in memory only", leg=leg.id, reason=str(error))

    def known(self, leg: Leg) -> Leg:
        """The leg with its keys, if those that are kept are of what was agreed on for it."""
        if self._folder is None or not isinstance(leg.secure, Dtls):
            return leg
        try:
            kept = msgspec.json.decode(self._unseal((self._folder / leg.id).read_text()), type=_Kept)
        except (OSError, ValueError):
            return leg
        if kept.agreement != _agreement(leg.secure):
            return leg
        return msgspec.structs.replace(leg, secure=msgspec.structs.replace(leg.secure, keys=kept.keys))

    def drop(self, leg: str) -> None:
        """Its call is over."""
        if self._folder is not None:
            with suppress(OSError):
                (self._folder / leg).unlink()

    @staticmethod
    def _sweep(folder: Path) -> None:
        oldest = time.time() - LONGEST_S
        for path in folder.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _agreement(secure: Dtls) -> str:
    told = (secure.active, secure.fingerprint, secure.certificate, secure.association)
    return sha256(msgspec.json.encode(told)).hexdigest()
