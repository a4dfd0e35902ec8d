"""What a peer can do wrong in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.sip.message import Request


class MessageError(ValueError):
    """The peer's fault. `status` and `reason` are the answer it deserves; `request` what could be read of it.

    An empty reason stands for the status's own phrase. Without a request nothing can be answered: drop it.
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(reason or f"status {status}")
        self.status = status
        self.reason = reason
        self.request = request
