"""SIP messages (RFC 3261 section 7): lazily parsed, byte-exact where nothing was changed.

What may live here: the cut of a message into start line, header lines and body, and back. Values of headers are parsed
by `header` when they are asked for. The parser is bounded: sizes and counts are checked before any work is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from adapters.sip.error import MessageError
from adapters.sip.header import CSeq, NameAddr, Via, kept_via, plain_via, split_list
from adapters.sip.text import to_text, to_wire
from adapters.sip.vocabulary import AS_WRITTEN, CANONICAL, PHRASES

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADER_LINE",
    "MAX_MESSAGE",
    "PHRASES",
    "Message",
    "MessageError",
    "Request",
    "Response",
    "parse",
    "response_to",
]

MAX_MESSAGE = 65_536
MAX_HEADER_LINE = 8_192
MAX_HEADERS = 200

_LISTS = frozenset(
    {"Accept", "Allow", "Contact", "Path", "Record-Route", "Require", "Route", "Service-Route", "Supported",
     "Unsupported", "Via"}
)  # fmt: skip
_SINGLE = ("From", "To", "Call-ID", "CSeq", "Content-Length", "Content-Type", "Max-Forwards", "Expires")
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
_METHODS = frozenset({"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "REGISTER", "UPDATE"})
_URI_NEVER = re.compile(r'[\x00-\x20\x7f<>"]')
HEAD_END = re.compile(rb"\n\r?\n")
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


def parse(data: bytes) -> Request | Response:
    """One whole message: a datagram, or what the framer cut from a stream.

    Raises MessageError. A body longer than Content-Length is cut (18.3), a shorter one refused.
    """
    if len(data) > MAX_MESSAGE:
        raise MessageError(513, "")
    data = data.lstrip(b"\r\n")
    head, body = _cut(data)
    text = to_text(head)
    lines = text.split("\r\n")
    message, problem = _plain(text, lines) or _general(text)
    first = message.firsts()
    problem = problem or _incomplete(message, first)
    request = message if isinstance(message, Request) else None
    if problem is not None:
        if request is not None and all(first.get(name) for name in _MANDATORY):
            problem.request = request  # a response finds its way
        raise problem
    message.body = _body(first.get("Content-Length"), body, request)
    message._wire = data[: len(data) - len(body) + len(message.body)]
    if request is not None and request.cseq.method != request.method:
        raise MessageError(400, "CSeq names another method", request)
    return message


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


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Head without its last line end, body. Line ends may be LF alone."""
    end = HEAD_END.search(data)
    if end is None:
        return data.rstrip(b"\r\n"), b""
    return data[: end.start()].removesuffix(b"\r"), data[end.end() :]


def _plain(text: str, lines: list[str]) -> tuple[Request | Response, MessageError | None] | None:
    """A head in which every line is as nearly everybody writes it: a known name, no fold, not long. None if not so."""
    clean = len(lines) - 1
    if clean > MAX_HEADERS or len(text) > MAX_HEADER_LINE or not text.count("\r") == text.count("\n") == clean:
        return None
    try:
        pairs = [line.split(": ", 1) for line in lines[1:]]
        headers = [(AS_WRITTEN[name], value.strip(" \t")) for name, value in pairs]
    except (KeyError, ValueError):
        return None
    message, problem = _start(lines[0])
    message.headers = headers
    return message, problem


def _general(text: str) -> tuple[Request | Response, MessageError | None]:
    """The message with its head, and what is wrong with it but can still be answered."""
    lines, problem = _lines(text)
    message, bad_start = _start(lines[0])
    bad_headers = _read_headers(message, lines)
    return message, bad_start or problem or bad_headers


def _lines(text: str) -> tuple[list[str], MessageError | None]:
    """The unfolded lines (7.3.1), and what is wrong with their ends: a bare CR could end a line for somebody else."""
    problem = None
    lines = text.split("\r\n")
    clean = len(lines) - 1
    if text.count("\r") != clean or text.count("\n") != clean:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            problem = MessageError(400, "A bare CR")
            text = text.replace("\r", " ")
        lines = text.split("\n")
    if "\n " in text or "\n\t" in text:
        lines = re.sub(r"\r?\n[ \t]+", " ", text).replace("\r\n", "\n").split("\n")
    return lines, problem


def _start(line: str) -> tuple[Request | Response, MessageError | None]:
    """The message with its start line, and what is wrong with that line but can still be answered."""
    if line.startswith("SIP/2.0 ") or line[:8].upper() == "SIP/2.0 ":
        status, _, reason = line[8:].partition(" ")
        if len(status) != 3 or not (status.isascii() and status.isdecimal()) or status[0] not in "123456":
            raise MessageError(400, "No status in the status line")
        return Response(int(status), reason), None
    plain = line.rstrip(" ")
    parts = plain.split(" ")
    if len(parts) < 3 or (parts[0] not in _METHODS and not (parts[0] and set(parts[0]) <= _TOKEN)):
        raise MessageError(400, "No SIP message")
    request = Request(parts[0], " ".join(parts[1:-1]))
    version = parts[-1].upper()
    if not version.startswith("SIP/"):
        raise MessageError(400, "No SIP message")
    if version != "SIP/2.0":
        return request, MessageError(505, "")
    if plain != line:
        return request, MessageError(400, "White space at the end of the request line")
    if len(parts) != 3 or _URI_NEVER.search(request.uri):
        return request, MessageError(400, "Malformed Request-URI")
    return request, None


def _read_headers(message: Message, lines: list[str]) -> MessageError | None:
    """Fill in the header lines that can be read; returns what is wrong with the others."""
    problem: MessageError | None = None
    if len(lines) > MAX_HEADERS + 1:
        problem = MessageError(513, "Too many headers")
        del lines[MAX_HEADERS + 1 :]
    append, known = message.headers.append, AS_WRITTEN.get
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        canonical = known(name)
        if canonical is None or not colon:
            name, colon, value = line.partition(":")
            canonical = known(name) or _canonical(name)
        if len(line) > MAX_HEADER_LINE:
            problem = MessageError(513, "A header is too long")
        elif not colon or not canonical:
            problem = problem or MessageError(400, "Malformed header")
        else:
            append((canonical, value.strip(" \t")))
    return problem


def _canonical(name: str) -> str:
    """The name as we write it; empty if it is no token."""
    name = name.rstrip(" \t")
    if not name or not set(name) <= _TOKEN:
        return ""
    return CANONICAL.get(name.lower(), name)


def _incomplete(message: Message, first: dict[str, str]) -> MessageError | None:
    """What is missing (8.1.1), or there twice though it may not be (7.3.1)."""
    for name in _MANDATORY:
        if not first.get(name):
            return MessageError(400, f"Missing {name}")
    if len(first) != len(message.headers):
        names = [name for name, _ in message.headers]
        for name in _SINGLE:
            if names.count(name) > 1:
                return MessageError(400, f"{name} twice")
    return None


def _body(content_length: str | None, body: bytes, request: Request | None) -> bytes:
    if content_length is None:
        return body
    if not (content_length.isascii() and content_length.isdecimal()) or len(content_length) > 9:
        raise MessageError(400, "Malformed Content-Length", request)
    length = int(content_length)
    if length > len(body):
        raise MessageError(400, "The body is shorter than Content-Length", request)
    return body[:length]


def _check(name: str, value: str) -> None:
    if "\r" in value or "\n" in value or (name not in AS_WRITTEN and not (name and set(name) <= _TOKEN)):
        raise ValueError(f"our own header {name!r} would break the message")
