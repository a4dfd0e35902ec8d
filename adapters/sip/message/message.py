"""SIP messages (RFC 3261 section 7): lazily parsed, byte-exact where nothing was changed.

What may live here: header lines and a body, and how they are written. Values of headers are parsed by `header` when
they are asked for; whole messages are read by `parser`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from adapters.sip.message.error import MessageError
from adapters.sip.message.header import CSeq, NameAddr, Via, kept_via, plain_via, split_list
from adapters.sip.message.text import to_wire
from adapters.sip.message.vocabulary import AS_WRITTEN, PHRASES, TOKEN

__all__ = [
    "PHRASES",
    "Message",
    "MessageError",
    "Request",
    "Response",
    "response_to",
]

_LISTS = frozenset(
    {"Accept", "Allow", "Contact", "Path", "Record-Route", "Require", "Route", "Service-Route", "Supported",
     "Unsupported", "Via"}
)  # fmt: skip
_T = TypeVar("_T")


class Message:
    """Header lines in wire order, as (canonical name, raw value), and a body. Typed headers are parsed once.

    Typed properties raise MessageError(400) when the header is missing or malformed. `headers` is changed by the
    methods only.
    """

    __slots__ = ("_cseq", "_first", "_from", "_to", "_via", "_wire", "body", "headers")

    def __init__(self, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.headers = list(headers)
        self.body = body
        self._wire = b""
        self._first: dict[str, str] | None = None
        self._via: Via | None = None
        self._cseq: CSeq | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None

    def get(self, name: str) -> str | None:
        """The first raw value."""
        return (self._first or self.firsts()).get(name)

    def get_all(self, name: str) -> list[str]:
        """All values; those of list headers are split at their commas."""
        first = self._first or self.firsts()
        value = first.get(name)
        if value is None:
            return []
        if len(first) == len(self.headers):  # no name twice
            values = [value]
        else:
            values = [value for header, value in self.headers if header == name]
        if name not in _LISTS or (len(values) == 1 and value and "," not in value and value == value.strip()):
            return values
        return [one for value in values for one in self._parsed(name, split_list, value)]

    def set(self, name: str, value: str) -> None:
        """Replace all headers of this name by one, in the place of the first."""
        _check(name, value)
        place = next((n for n, (header, _) in enumerate(self.headers) if header == name), len(self.headers))
        self.remove(name)
        self.headers.insert(place, (name, value))

    def add(self, name: str, value: str) -> None:
        """Append a header line."""
        _check(name, value)
        first = self._first
        if first is not None and name not in first:
            first[name] = value
        self._forget_value(name)
        self.headers.append((name, value))

    def push(self, name: str, value: str) -> None:
        """Put a header line before all others: so its value is the first of this name."""
        _check(name, value)
        self._forget(name)
        self.headers.insert(0, (name, value))

    def pop(self, name: str) -> str:
        """Take the first value off a header whose values form a list; empty if there is none. Raises MessageError."""
        place = next((n for n, (header, _) in enumerate(self.headers) if header == name), None)
        if place is None:
            return ""
        first, *others = self._parsed(name, split_list, self.headers[place][1]) or [""]
        self._forget(name)
        self.headers[place : place + 1] = [(name, ", ".join(others))] if others else []
        return first

    def remove(self, name: str) -> None:
        """Drop all headers of this name."""
        self._forget(name)
        self.headers = [line for line in self.headers if line[0] != name]

    def stamp(self, text: str, via: Via) -> None:
        """Replace the top Via, which stands alone in its line, by `text`, whose value is `via`."""
        headers, place = self.headers, 0
        while headers[place][0] != "Via":
            place += 1
        headers[place] = ("Via", text)
        self.firsts()["Via"] = text
        self._via = via
        self._wire = b""

    def came_as(self, wire: bytes) -> None:
        """These bytes are what `serialise` would write: what came, until something is changed."""
        self._wire = wire

    @property
    def via(self) -> Via:
        """The top Via."""
        if self._via is None:
            text = (self._first or self.firsts()).get("Via", "")
            known = kept_via(text) or plain_via(text)
            self._via = known or self._parsed("Via", Via.parse, next(iter(self.get_all("Via")), ""))
        return self._via

    @property
    def cseq(self) -> CSeq:
        if self._cseq is None:
            self._cseq = self._parsed("CSeq", CSeq.parse, self.get("CSeq") or "")
        return self._cseq

    @property
    def from_(self) -> NameAddr:
        if self._from is None:
            self._from = self._parsed("From", NameAddr.parse, self.get("From") or "")
        return self._from

    @property
    def to(self) -> NameAddr:
        if self._to is None:
            self._to = self._parsed("To", NameAddr.parse, self.get("To") or "")
        return self._to

    @property
    def call_id(self) -> str:
        return self.get("Call-ID") or ""

    def serialise(self) -> bytes:
        """The message as sent: headers in order, the right Content-Length last."""
        lines = "\r\n".join([f"{name}: {value}" for name, value in self.headers if name != "Content-Length"])
        text = f"{self._start_line()}\r\n{lines}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        return to_wire(text) + self.body

    def original(self) -> bytes:
        """The bytes as they were received, with their folds, names and line ends; `serialise()` after any change.

        Changes are those by the methods. What followed the body, and empty lines before, are not in it.
        """
        return self._wire or self.serialise()

    def _start_line(self) -> str:
        raise NotImplementedError

    def firsts(self) -> dict[str, str]:
        """Name -> the first raw value."""
        if self._first is None:
            self._first = dict(reversed(self.headers))
        return self._first

    def _parsed(self, name: str, parser: Callable[[str], _T], value: str) -> _T:
        try:
            return parser(value)
        except ValueError as error:
            request = self if isinstance(self, Request) else None
            raise MessageError(400, f"Malformed {name}", request) from error

    def _forget(self, name: str) -> None:
        self._first = None
        self._forget_value(name)

    def _forget_value(self, name: str) -> None:
        self._wire = b""
        if name == "Via":
            self._via = None
        elif name == "CSeq":
            self._cseq = None
        elif name == "From":
            self._from = None
        elif name == "To":
            self._to = None


class Request(Message):
    """`uri` is as written."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    def _start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """An empty `reason` becomes the status's own phrase."""

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str = "", headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason or PHRASES.get(status, "Unknown")

    def _start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


def response_to(request: Request, status: int, reason: str = "", to_tag: str = "") -> Response:
    """A response with what it copies from its request (8.2.6, 12.1.1). Raises MessageError if To is malformed.

    Lines are copied as they are: split into their values, five hundred short ones would become five hundred lines.
    """
    copied = ("Via", "Record-Route") if 100 < status < 300 else ("Via",)
    headers = [line for name in copied for line in request.headers if line[0] == name]
    to = request.get("To") or ""
    if to_tag and not request.to.tag:
        to = f"{to};tag={to_tag}"
    headers += [("From", request.get("From") or ""), ("To", to), ("Call-ID", request.call_id)]
    headers.append(("CSeq", request.get("CSeq") or ""))
    timestamp = request.get("Timestamp")
    if status == 100 and timestamp:
        headers.append(("Timestamp", timestamp))
    return Response(status, reason, headers)


def _check(name: str, value: str) -> None:
    if "\r" in value or "\n" in value or (name not in AS_WRITTEN and not (name and set(name) <= TOKEN)):
        raise ValueError(f"our own header {name!r} would break the message")
