"""Where a message ends in a stream (RFC 3261 18.3), and keep-alives between messages (RFC 5626 3.5.1).

What may live here: bytes and lengths. The message itself is parsed by `message`.
"""

from __future__ import annotations

import re

from adapters.sip.message.message import MessageError, Request
from adapters.sip.message.parser import HEAD_END, MAX_MESSAGE, parse

_HALF_KEEP_ALIVE = (b"", b"\r", b"\n", b"\r\n", b"\r\n\r")
_LENGTH = re.compile(rb"(?:^|\n)(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*\r?(?:\n|$)", re.IGNORECASE)


class StreamFramer:
    """Cuts a TCP or TLS stream into messages. `pings` counts double CRLFs, each to be answered by one CRLF."""

    def __init__(self) -> None:
        self.pings = 0
        self._buffer = bytearray()
        self._wanted = 0
        self._searched = 0  # so far there is no end of the headers: a dripping peer must not make us search again
        self._error: MessageError | None = None

    @property
    def buffered(self) -> int:
        """Bytes held of a message that is not whole yet; keep-alives do not count."""
        return 0 if bytes(self._buffer[:4]) in _HALF_KEEP_ALIVE else len(self._buffer)

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises MessageError when no next message can be found.

        What was whole before such a place is returned first; the error then is raised by the next call.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        messages: list[bytes] = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except MessageError as error:
            if not messages:
                raise
            self._error = error
        return messages

    def _next(self) -> bytes | None:
        if not self._wanted:
            self._skip_keep_alives()
            self._wanted = self._measure()
        if not self._wanted or len(self._buffer) < self._wanted:
            return None
        message = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        self._wanted = self._searched = 0
        return message

    def _skip_keep_alives(self) -> None:
        while self._buffer.startswith((b"\r", b"\n")):
            if self._buffer.startswith(b"\r\n\r\n"):
                self.pings += 1
                del self._buffer[:4]
            elif not self.buffered:
                return  # perhaps a half of one
            else:
                del self._buffer[:1]

    def _measure(self) -> int:
        """The length of the next message with its body, or 0 if the end of its headers has not come."""
        if not self.buffered:
            return 0
        end = HEAD_END.search(self._buffer, max(0, self._searched - 2))
        if end is None:
            self._searched = len(self._buffer)
            if len(self._buffer) > MAX_MESSAGE:
                raise MessageError(513, "No end of the headers in sight")
            return 0
        found = _LENGTH.search(self._buffer, 0, end.start() + 1)
        if found is None:
            raise MessageError(400, "A message in a stream needs its Content-Length", self._readable(end.end()))
        wanted = end.end() + int(found.group(1))
        if wanted > MAX_MESSAGE:
            raise MessageError(513, "", self._readable(end.end()))
        return wanted

    def _readable(self, end: int) -> Request | None:
        """The request without its body, so that it can be told what is wrong."""
        try:
            message = parse(bytes(self._buffer[:end]))
        except MessageError as error:
            return error.request
        return message if isinstance(message, Request) else None
