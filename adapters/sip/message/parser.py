"""Reading whole SIP messages (RFC 3261 section 7): the cut into start line, header lines and body.

What may live here: what makes bytes a message, and what is wrong with those that are none. The parser is bounded: sizes
and counts are checked before any work is done.
"""

from __future__ import annotations

import re

from adapters.sip.message.message import Message, MessageError, Request, Response
from adapters.sip.message.text import to_text
from adapters.sip.message.vocabulary import AS_WRITTEN, CANONICAL, TOKEN

MAX_MESSAGE = 65_536
MAX_HEADER_LINE = 8_192
MAX_HEADERS = 200

_SINGLE = ("From", "To", "Call-ID", "CSeq", "Content-Length", "Content-Type", "Max-Forwards", "Expires")
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_METHODS = frozenset({"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "REGISTER", "UPDATE"})
_URI_NEVER = re.compile(r'[\x00-\x20\x7f<>"]')
HEAD_END = re.compile(rb"\n\r?\n")


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
    message.came_as(data[: len(data) - len(body) + len(message.body)])
    if request is not None and request.cseq.method != request.method:
        raise MessageError(400, "CSeq names another method", request)
    return message


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
    if len(parts) < 3 or (parts[0] not in _METHODS and not (parts[0] and set(parts[0]) <= TOKEN)):
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
    if not name or not set(name) <= TOKEN:
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
