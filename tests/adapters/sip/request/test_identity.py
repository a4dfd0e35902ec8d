"""Who a caller is to others: what phones may claim, what is asserted, and how a call's way is told."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request
from adapters.sip.request.identity import MAX_ENTRIES, caller_of, present
from domain.call.leg import Leg, LegState
from domain.call.presentation import ANONYMOUS_URI, Presentation
from domain.routing.directory import Directory
from domain.values import Dialog, IdentityPolicy
from tests.domain.world import UDP, directory

OWN = "<sip:1001@acme.example>;tag=a"


def invite(from_: str = OWN, *lines: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:1002@acme.example", [("From", from_), ("To", "<sip:1002@acme.example>"), *lines])


def with_policy(diversion: str = "strip", history: str = "strip") -> Directory:
    known = directory()
    tenant = msgspec.structs.replace(known.tenants["acme"], identity=IdentityPolicy(diversion, history))
    return msgspec.structs.replace(known, tenants={**known.tenants, "acme": tenant})


def shown(request: Request, known: Directory | None = None) -> Presentation:
    extension, presentation = caller_of(request, "acme", "1001", known or directory())
    assert (extension.number, extension.name) == ("1001", "Alice"), "whatever the phone claims"
    return presentation


@pytest.mark.parametrize(
    "from_", ["<sip:1003@acme.example>;tag=a", "<sip:1001@globex.example>;tag=a", "<sip:1001@x>;tag=a"]
)
def test_from_names_the_own_extension_or_nobody(from_: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        caller_of(invite(from_), "acme", "1001", directory())
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "line",
    [
        ("P-Asserted-Identity", '"Boss" <sip:1003@acme.example>'),
        ("P-Preferred-Identity", "<sip:1003@acme.example>"),
        ("P-Preferred-Identity", "<sip:1001@acme.example>"),
        ("P-Asserted-Identity", "\x7f<<"),
    ],
)
def test_a_phone_asserts_nothing(line: tuple[str, str]) -> None:
    assert shown(invite(OWN, line)) == Presentation()


@pytest.mark.parametrize(
    ("from_", "privacy", "anonymous"),
    [
        (OWN, "", False),
        (OWN, "none", False),
        (OWN, "id", True),
        (OWN, "header; user", True),
        (OWN, "ID;critical", True),
        (OWN, "id, none", False),
        (OWN, "history", False),
        (OWN, "session", False),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a', "", True),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a', "none", True),
    ],
)
def test_who_wants_to_be_nobody_is_nobody(from_: str, privacy: str, anonymous: bool) -> None:
    lines = [("Privacy", privacy)] if privacy else []
    assert shown(invite(from_, *lines)).anonymous is anonymous


def test_privacy_that_must_be_had_and_is_not_served_refuses_the_call() -> None:
    with pytest.raises(NotAllowed) as refused:
        caller_of(invite(OWN, ("Privacy", "session;critical")), "acme", "1001", directory())
    assert refused.value.status == 500


WAY = (
    ("Diversion", "<sip:1@x>;reason=away, <sip:2@x>"),
    ("History-Info", "<sip:3@x>;index=1"),
    ("Diversion", "<broken"),
)


def test_the_way_of_a_call_is_stripped_unless_the_tenant_passes_it() -> None:
    assert shown(invite(OWN, *WAY)) == Presentation()
    both = shown(invite(OWN, *WAY), with_policy("pass", "pass"))
    assert (both.diversion, both.history) == (("<sip:1@x>;reason=away", "<sip:2@x>"), ("<sip:3@x>;index=1",))
    one = shown(invite(OWN, *WAY), with_policy("pass", "strip"))
    assert (one.diversion, one.history) == (("<sip:1@x>;reason=away", "<sip:2@x>"), None)
    private = shown(invite(OWN, *WAY, ("Privacy", "history")), with_policy("pass", "pass"))
    assert (private.anonymous, private.history) == (False, None)


def test_a_way_is_bounded() -> None:
    many = [("Diversion", f"<sip:{n}@x>") for n in range(50)]
    found = shown(invite(OWN, ("Diversion", f"<sip:{'9' * 600}@x>"), *many), with_policy("pass")).diversion
    assert found == tuple(f"<sip:{n}@x>" for n in range(MAX_ENTRIES))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), st.sampled_from(("Privacy", "Diversion")))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    with contextlib.suppress(NotAllowed, MessageError):
        shown(invite(OWN, (name, text)), with_policy("pass", "pass"))


def written(presentation: Presentation, *, diverted: str = "") -> Request:
    uri = ANONYMOUS_URI if presentation.anonymous else "sip:1001@acme.example"
    dialog = Dialog("c", "l", "", uri, "sip:1003@acme.example", "sip:1003@h", (), 1, 0, UDP)
    leg = Leg("leg", False, "1003", LegState.DIALED, dialog, 1, diverted=diverted)
    request = Request("INVITE", "sip:1003@h", [("Max-Forwards", "70")])
    present(request, dialog, "Anonymous" if presentation.anonymous else 'Al "ice"', presentation, leg)
    return request


@pytest.mark.parametrize(("hops", "left"), [(70, "69"), (1, "0"), (255, "254")])
def test_a_hop_is_taken_off(hops: int, left: str) -> None:
    assert written(Presentation(hops=hops)).get_all("Max-Forwards") == [left]


def test_the_caller_is_asserted_unless_nobody_calls() -> None:
    assert written(Presentation()).get("P-Asserted-Identity") == '"Al \\"ice\\"" <sip:1001@acme.example>'
    assert written(Presentation(anonymous=True)).get("P-Asserted-Identity") is None


def test_the_way_is_told_where_it_passes() -> None:
    silent = written(Presentation(), diverted="1002")
    assert silent.get("Diversion") is silent.get("History-Info") is None
    told = written(Presentation(diversion=("<sip:1@x>",), history=("<sip:1@x>;index=1",)), diverted="1002")
    assert told.get_all("Diversion") == ["<sip:1002@acme.example>;reason=deflection", "<sip:1@x>"]
    assert told.get_all("History-Info") == [
        "<sip:1@x>;index=1",
        "<sip:1002@acme.example?Reason=SIP%3Bcause%3D302>;index=2",
        "<sip:1003@acme.example>;index=2.1;mp=2",
    ]
    assert written(Presentation(history=())).get_all("History-Info") == ["<sip:1003@acme.example>;index=1"]
