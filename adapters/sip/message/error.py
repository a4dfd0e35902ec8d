"""Why a message is not served: what its sender did wrong in it, or what it may not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.sip.message.message import Request


class MessageError(ValueError):
    """The peer's fault. `status` and `reason` are the answer it deserves; `request` what could be read of it.

    An empty reason stands for the status's own phrase. Without a request nothing can be answered: drop it.
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(reason or f"status {status}")
        self.status = status
        self.reason = reason
        self.request = request


class NotAllowed(Exception):
    """The request will not be served; `status` is the SIP status that says why, `headers` say more."""

    def __init__(self, status: int, reason: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)
