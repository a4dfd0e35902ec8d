"""Where a message ends in a stream (RFC 3261 18.3), and keep-alives between messages (RFC 5626 3.5.1).

What may live here: bytes and lengths. The message itself is parsed by `message`.
"""

from __future__ import annotations

import re

from adapters.sip.message import MAX_MESSAGE, MessageError

_LENGTH = re.compile(rb"(?:^|\n)(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*\r?(?:\n|$)", re.IGNORECASE)


class StreamFramer:
    """Cuts a TCP or TLS stream into messages. `pings` counts double CRLFs, each to be answered by one CRLF."""

    def __init__(self) -> None:
        self.pings = 0
        self._buffer = bytearray()
        self._wanted = 0

    @property
    def buffered(self) -> int:
        """Bytes held of a message that is not whole yet; keep-alives do not count."""
        return 0 if not self._buffer.strip(b"\r\n") else len(self._buffer)

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises MessageError when no next message can be found."""
        self._buffer += data
        messages: list[bytes] = []
        while True:
            self._skip_keep_alives()
            if len(self._buffer) < max(self._wanted, 4):
                break
            if not self._wanted and not self._measure():
                break
            if len(self._buffer) < self._wanted:
                break
            messages.append(bytes(self._buffer[: self._wanted]))
            del self._buffer[: self._wanted]
            self._wanted = 0
        return messages

    def _skip_keep_alives(self) -> None:
        if self._wanted:
            return
        while self._buffer.startswith(b"\r\n\r\n"):
            self.pings += 1
            del self._buffer[:4]
        if self._buffer.startswith(b"\r\n") and len(self._buffer) > 2 and self._buffer[2:3] != b"\r":
            del self._buffer[:2]

    def _measure(self) -> bool:
        """Find the end of the headers and with it the length of the whole message."""
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_MESSAGE)
        if end < 0:
            if len(self._buffer) > MAX_MESSAGE:
                raise MessageError(513, "no end of the headers in sight")
            return False
        found = _LENGTH.search(self._buffer, 0, end + 2)
        if found is None:
            raise MessageError(400, "a message in a stream needs its Content-Length")
        self._wanted = end + 4 + int(found.group(1))
        if self._wanted > MAX_MESSAGE:
            raise MessageError(513, "the message is too long")
        return True
