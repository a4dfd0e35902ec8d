"""The messages of RFC 4475 and RFC 5118: read as meant there, written back as they came, answered as expected."""

from __future__ import annotations

import re

import pytest

from adapters.sip.message.header import NameAddr
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.parser import parse
from adapters.sip.message.uri import Uri
from adapters.sip.request.translate import number_of
from domain.sdp import Sdp
from tests.torture import town
from tests.torture.case import ALL, FOLDER, RFCS, Case, cases, wire
from tests.torture.line import STRANGER, Line
from tests.torture.page import PAGE, page

COMPACT = {
    "c": "Content-Type", "f": "From", "i": "Call-ID", "l": "Content-Length", "m": "Contact", "s": "Subject",
    "t": "To", "v": "Via",
}  # fmt: skip


def good() -> list[tuple[str, str]]:
    return [(rfc, name) for rfc, name in ALL if cases(rfc)[name].parse == "ok"]


def value_of(message: Request | Response, path: str) -> str | int | None:
    """`count:Via`, a header's name, or attributes from the message, its `sdp`, its `contact`, its `request_uri` on."""
    if path.startswith("count:"):
        return len(message.get_all(path.removeprefix("count:")))
    if path == "body":
        return len(message.body)
    root, _, rest = path.partition(".")
    if not hasattr(message, root) and root not in ("sdp", "contact", "request_uri"):
        return message.get(path)
    match root:
        case "sdp":
            found: object = Sdp.parse(message.body.decode())
        case "contact":
            found = NameAddr.parse(message.get_all("Contact")[0])
        case "request_uri":
            assert isinstance(message, Request)
            found = Uri.parse(message.uri)
        case _:
            found = getattr(message, root)
    for name in rest.split(".") if rest else ():
        found = getattr(found, name)
    return found if isinstance(found, (str, int)) else "none" if found is None else str(found)


def statuses(said: list[tuple[str, Request | Response]]) -> str:
    """What went back to the sender, and nothing else may have gone anywhere."""
    assert {address for address, _ in said} <= {STRANGER}, said
    return " ".join(str(one.status) if isinstance(one, Response) else one.method for _, one in said)


def in_another_transaction(data: bytes, authorization: str) -> bytes:
    """The same request, sent again with credentials as a user agent does: one CSeq later, by another branch."""
    data = re.sub(rb"(?im)^(cseq[ \t]*:\s*)(\d+)", lambda it: it[1] + str(int(it[2]) + 1).encode(), data, count=1)
    data = data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKagain")
    return data.replace(b"\r\n", b"\r\n" + authorization.encode(), 1)


def test_every_file_is_expected_and_every_message_is_there() -> None:
    for rfc in RFCS:
        assert {path.stem for path in (FOLDER / rfc).glob("*.dat")} == set(cases(rfc))
    assert (len(cases("rfc4475")), len(cases("rfc5118"))) == (49, 12)


@pytest.mark.parametrize(("rfc", "name"), ALL)
def test_it_is_read_as_the_rfc_means_it(rfc: str, name: str) -> None:
    case, data = cases(rfc)[name], wire(rfc, name)
    if case.parse != "ok":
        with pytest.raises(MessageError) as refused:
            parse(data)
        assert str(refused.value.status) == case.parse
        return
    message = parse(data)
    assert {path: value_of(message, path) for path in case.read} == case.read


@pytest.mark.parametrize(("rfc", "name"), good())
def test_it_goes_back_byte_for_byte(rfc: str, name: str) -> None:
    data = wire(rfc, name)
    message = parse(data)
    end = data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else len(data)
    assert message.original() == data[: end + len(message.body)]
    assert name == "dblreq" or message.original() == data


@pytest.mark.parametrize(("rfc", "name"), good())
def test_written_anew_only_names_folds_and_the_place_of_content_length_change(rfc: str, name: str) -> None:
    message = parse(wire(rfc, name))
    message.set("Max-Forwards", message.get("Max-Forwards") or "70")
    head, _, body = message.original().partition(b"\r\n\r\n")
    plain = _plainly(wire(rfc, name))
    written = head.decode("utf-8", "surrogateescape").split("\r\n")
    assert written[0].rstrip() == plain[0].rstrip() or name == "noreason"
    lines = [line for line in written[1:-1] if not line.startswith("Max-Forwards")]
    assert lines == [line for line in plain[1:] if not line.startswith(("Content-Length", "Max-Forwards"))]
    assert written[-1] == f"Content-Length: {len(message.body)}"
    assert body == message.body


def _plainly(data: bytes) -> list[str]:
    """The head's lines, unfolded and with whole names, by other means than the parser's."""
    head = data.partition(b"\r\n\r\n")[0].removesuffix(b"\r\n").decode("utf-8", "surrogateescape")
    start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    plain = [start]
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip()
        known = COMPACT.get(name.lower()) or next((full for full in KNOWN if full.lower() == name.lower()), name)
        plain.append(f"{known}: {value.strip()}")
    return plain


KNOWN = (*COMPACT.values(), "CSeq", "Max-Forwards", "Route", "Accept", "Date", "Require", "Authorization")


@pytest.mark.parametrize(("rfc", "name"), ALL)
def test_it_is_answered_as_expected(rfc: str, name: str) -> None:
    case, data = cases(rfc)[name], wire(rfc, name)
    line = Line(town.directory)
    said = line.datagram(data)
    assert statuses(said) == case.bare
    assert statuses(line.datagram(data)) == case.bare, "the same again for a repetition"
    assert line.exchange.journal.stored == [], "nobody has proved anything yet"
    if case.known:
        said = _with_credentials(line, data, said[-1][1])
        final = [one for one in said if not (isinstance(one[1], Response) and one[1].status < 200)]
        assert statuses(final) == case.known
    if case.answer:
        assert {path: value_of(said[-1][1], path) for path in case.answer} == case.answer
    line.exchange.wait(64)
    assert len(line.exchange.layer) == 0, "no transaction stays"


@pytest.mark.parametrize(("rfc", "name"), ALL)
def test_it_is_answered_on_a_stream(rfc: str, name: str) -> None:
    case = cases(rfc)[name]
    line = Line(town.directory)
    assert statuses(line.stream(wire(rfc, name))) == (case.bare if case.stream is None else case.stream)


def _with_credentials(line: Line, data: bytes, challenged: Request | Response) -> list[tuple[str, Request | Response]]:
    request = parse(data)
    assert isinstance(request, Request)
    (challenge,) = [one for one in challenged.get_all("WWW-Authenticate") if f"algorithm={town.ALGORITHM}" in one]
    authorization = town.credentials(request, challenge, number_of(request.from_.uri))
    return line.datagram(in_another_transaction(data, authorization))


def test_a_difference_from_the_rfc_has_its_reason() -> None:
    for rfc, name in ALL:
        case: Case = cases(rfc)[name]
        assert case.title and case.rfc.endswith("."), name
        assert not case.difference or case.difference.endswith("."), name


def test_the_page_shows_the_tables() -> None:
    assert PAGE.read_text() == page(), "python -m tests.torture.page writes it anew"
