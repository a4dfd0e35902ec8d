"""The way of an API that has no sessions beside it to those that do: letters to whoever holds the configuration.

What may live here: when that way is open, and how long its answers are waited for. What may be asked is for
`switchlog.desk.company` to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from adapters.command.kafka import KafkaCommands
from domain.ports import JournalAway, Sealer
from domain.refusal import Refusal
from switchlog.desk.company import DRAIN_S, OFFICE
from switchlog.store.journal import Vigil

if TYPE_CHECKING:
    from adapters.journal.kafka.mailbox import Mailbox

_ANSWER_S = 15.0
_PATIENCE_S = {"nodes.drain": DRAIN_S + 10.0}


class Afar:
    """Until `serve` has opened it, whatever is asked is refused."""

    def __init__(self, opening: Callable[[], Mailbox], sealer: Sealer) -> None:
        """`opening` blocks; it may raise JournalAway, which is waited for, and JournalError."""
        self._opening, self._sealer = opening, sealer
        self._others: KafkaCommands | None = None

    async def serve(self, stop: asyncio.Event) -> None:
        """Until `stop`. Raises JournalError."""
        mailbox = await self._opened(stop)
        if mailbox is None:
            return
        others = KafkaCommands(mailbox, self._sealer, lambda to: False, {})
        others.start()
        self._others = others
        try:
            await stop.wait()
        finally:
            self._others = None
            await others.close()
            await asyncio.to_thread(mailbox.close)

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        """The result there. Raises Refusal; of kind `unavailable` if nobody answers in time."""
        if self._others is None:
            raise Refusal("unavailable", "the nodes cannot be asked yet: the journal is not open")
        return await self._others.call(OFFICE, name, args, actor, command_id, _PATIENCE_S.get(name, _ANSWER_S))

    async def _opened(self, stop: asyncio.Event) -> Mailbox | None:
        vigil = Vigil("commands")
        while not stop.is_set():
            try:
                mailbox = await asyncio.to_thread(self._opening)
            except JournalAway as error:
                await vigil.away(error, stop)
            else:
                vigil.there()
                return mailbox
        return None
