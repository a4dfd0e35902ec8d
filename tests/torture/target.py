"""What is fed with any bytes, by Hypothesis, the kept corpus and the fuzzer: a target raises only for our faults.

A MessageError (a ValueError for SDP) is the right answer to nonsense; every other exception is a find, and so is a law
that does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.sip.digest.challenge import Asked, Challenger, Verified
from adapters.sip.message.framing import StreamFramer
from adapters.sip.message.header import CSeq, NameAddr, Via, header_params, parse_credentials, split_list
from adapters.sip.message.message import Message, MessageError, Request, Response, response_to
from adapters.sip.message.multipart import NotUnderstood, session_part
from adapters.sip.message.parser import parse
from adapters.sip.message.text import to_text, to_wire
from adapters.sip.message.uri import Uri
from adapters.sip.message.via import stamp_via
from domain.sdp import Sdp, map_crypto
from domain.values import Flow
from tests.torture.packet import packets, reports
from tests.torture.secured import dtls, keying, srtp

CORPUS = Path(__file__).parent / "corpus"
_CHALLENGER = Challenger(b"n" * 32)
FLOW = Flow("udp", "192.0.2.1:5060", "192.0.2.77:5060")


def message(data: bytes) -> None:
    """The parser: what is taken is kept to the byte, and written anew it is read the same again."""
    try:
        found = parse(data)
    except MessageError as refused:
        if refused.request is not None:
            _answer(refused.request, refused.status)
        return
    assert found.original() in data
    again = parse(found.serialise())
    assert (_fields(again), again.body) == (_fields(found), found.body)
    _read(found)
    if isinstance(found, Request):
        _answer(found, 400)


def header(data: bytes) -> None:
    """Each parser of a header's value; what it takes is written and read again."""
    text = to_text(data[:4096]).replace("\r", " ").replace("\n", " ")  # no header that was cut out has any
    for parser in (Via.parse, CSeq.parse, NameAddr.parse, Uri.parse):
        try:
            value = parser(text)
        except MessageError:
            continue
        written = str(value)
        assert parser(written) == value, (text, written)
    for lenient in (split_list, header_params):
        try:
            lenient(text)
        except MessageError:
            continue


def sdp(data: bytes) -> None:
    """Session descriptions; a key that is replaced twice by its inverse leaves the text as it was."""
    text = to_text(data)
    try:
        found = Sdp.parse(text)
        assert 0 <= found.port <= 65_535
        session_part("multipart/mixed;boundary=b", data)
    except (ValueError, NotUnderstood):
        pass
    sealed = map_crypto(text, lambda key: f"sealed.{key.encode('utf-8', 'surrogatepass').hex()}")
    assert map_crypto(sealed, lambda key: bytes.fromhex(key[7:]).decode("utf-8", "surrogatepass")) == text


def framer(data: bytes) -> None:
    """Streams: however the bytes are cut, the same messages come out."""
    assert _framed(data, len(data) or 1) == _framed(data, 7)


def credentials(data: bytes) -> None:
    """Authorization values: any text gets a verdict, and none of these is right."""
    text = to_text(data)
    try:
        parse_credentials(text)
    except MessageError:
        pass
    assert to_wire(text) == data
    asked = Asked("REGISTER", "sip:acme.example", "192.0.2.77")
    verdict = _CHALLENGER.check(text, asked, lambda user, realm, algorithm: "0" * 32, 1_800_000_000)
    assert not isinstance(verdict, Verified)


def _fields(found: Message) -> list[tuple[str, str]]:
    return [line for line in found.headers if line[0] != "Content-Length"]


def _framed(data: bytes, size: int) -> tuple[list[bytes], int, int]:
    one, out, status = StreamFramer(), [], 0
    for at in range(0, len(data), size):
        try:
            out += one.receive(data[at : at + size])
        except MessageError as lost:
            status = lost.status
            break
    if not status:
        try:
            out += one.receive(b"")
        except MessageError as lost:
            status = lost.status
    return out, one.pings if not status else 0, status


def _read(found: Request | Response) -> None:
    for name in ("via", "from_", "to", "cseq"):
        try:
            getattr(found, name)
        except MessageError:
            pass
    for name in ("Contact", "Route", "Record-Route", "Require"):
        try:
            found.get_all(name)
        except MessageError:
            pass


def _answer(request: Request, status: int) -> None:
    assert 400 <= status < 600
    try:
        stamp_via(request, FLOW)
        answer: Message = response_to(request, status, to_tag="t")
    except MessageError:
        return
    assert answer.serialise()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "message": message,
    "header": header,
    "sdp": sdp,
    "framer": framer,
    "credentials": credentials,
    "packets": packets,
    "reports": reports,
    "keying": keying,
    "srtp": srtp,
    "dtls": dtls,
}
