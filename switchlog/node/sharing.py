"""How a node of a cluster learns the secrets that all nodes share, and tells its own.

The journal's notes are the truth (`adapters.keys.courier`). A node begins by comparing its master key with the
cluster's, which the first note of its kind names; the first node of all writes that note. From then on it follows.

Several threads of a process, and several processes of a node, follow into one replica: whoever reads a note first.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import structlog

from adapters.keys.courier import KEY, Device, HashedKey
from adapters.keys.master import KeyStoreError
from adapters.keys.replica import Replica
from domain.ports import JournalError, Note, Notebook, Noted

_log = structlog.get_logger(__name__)

FOLLOW_S = 0.5
"""How long a follower waits for the next note at a time, and its end for it."""
PAUSE_S = 1.0
_PAGE = 1000


Tell = Callable[[Sequence[Note]], None]
"""Posts notes, durably. Blocks, raises JournalError."""


class Sharing:
    """One a process. Methods block; safe from several threads. `clock` is aware UTC."""

    def __init__(self, replica: Replica, notebook: Notebook, clock: Callable[[], datetime]) -> None:
        self._replica, self._notebook, self._clock = replica, notebook, clock
        self._lock = threading.Lock()
        self._begun = False

    def begin(self, tell: Tell | None = None) -> bool:
        """Compare keys with the cluster, and learn everything that was acknowledged by now.

        False if there is no cluster yet; with `tell` there is one from now on.

        Raises KeyStoreError if the cluster has another master key, JournalError.
        """
        found = self._cluster()
        if found is None and tell is not None:
            tell([self._replica.courier.check(secrets.token_hex(8), self._clock())])
            found = self._cluster()  # somebody else's may have come first
        if found is None:
            return False
        self._replica.adopt(found)
        self.catch_up()
        self._begun = True
        return True

    def catch_up(self) -> None:
        """Learn everything that was acknowledged before the call. Raises JournalError, KeyStoreError."""
        while self._learn(0.0):
            pass

    def letters(self, changes: Iterable[Device | HashedKey]) -> list[Note]:
        """What other nodes are to be told."""
        courier, at = self._replica.courier, self._clock()
        return [courier.device(one, at) if isinstance(one, Device) else courier.api_key(one, at) for one in changes]

    async def follow(self, stop: asyncio.Event) -> None:
        """Learn on until told to stop; a journal or disk that fails is tried again.

        Raises KeyStoreError if nothing was learnt yet and nothing can be, as the cluster has another master key.
        """
        waiting = False
        while not stop.is_set():
            try:
                await asyncio.to_thread(self._learn, FOLLOW_S) if self._begun else await asyncio.to_thread(self.begin)
            except (JournalError, KeyStoreError) as error:
                if isinstance(error, KeyStoreError) and not self._begun:
                    raise
                if not waiting:
                    _log.warning("the secrets of other nodes cannot be learnt", reason=str(error))
                waiting = True
            else:
                if waiting:
                    _log.info("the secrets of other nodes are learnt again")
                waiting = False
            if waiting or not self._begun:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), PAUSE_S)

    def _learn(self, wait_s: float) -> bool:
        """Take the next notes; whether there were any."""
        found = self._notebook.notes(self._replica.position, _PAGE, wait_s)
        with self._lock:
            known = self._replica.position
            if found.position > known:
                changes = [self._opened(one) for one in found.notes if one.position > known]
                self._replica.take((one for one in changes if one is not None), found.position)
        return bool(found.notes)

    def _opened(self, noted: Noted) -> Device | HashedKey | None:
        try:
            return self._replica.courier.open(noted.note)
        except ValueError as error:
            _log.warning("a secret in the journal is left out", position=noted.position, reason=str(error))
            return None

    def _cluster(self) -> str | None:
        """What the first readable note of its kind says; None if there is none."""
        position = 0
        while (found := self._notebook.notes(position, _PAGE)).notes:
            for noted in found.notes:
                if noted.note.type == KEY:
                    try:
                        return self._replica.courier.cluster(noted.note)
                    except KeyStoreError as error:
                        raise KeyStoreError(
                            f"the master key in {self._replica.key_file} is not the one of this cluster: it {error}; "
                            "copy another node's there, or name it in SWITCHLOG_MASTER_KEY_FILE"
                        ) from error
                    except ValueError as error:
                        _log.warning("a note about the master key is left out", reason=str(error))
            position = found.position
        return None
