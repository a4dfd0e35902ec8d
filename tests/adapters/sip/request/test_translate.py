"""Who is meant: numbers in URIs, tenants in domains."""

from __future__ import annotations

import pytest

from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request
from adapters.sip.message.parser import parse
from adapters.sip.message.uri import Uri
from adapters.sip.request.translate import number_of, request_uri, tenant_of
from tests.domain.world import directory


def invite(uri: str, from_: str = "<sip:1001@acme.example>") -> Request:
    message = parse(
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKi\r\nFrom: {from_};tag=a\r\nTo: <{uri}>\r\n"
        "Call-ID: i\r\nCSeq: 1 INVITE\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:1002@acme.example", "1002"),
        ("sip:%31002@acme.example", "1002"),
        ("sip:1002;phone-context=acme.example@acme.example;user=phone", "1002"),
        ("tel:1002;phone-context=acme.example", "1002"),
        ("sip:a%0d%0aX:%20y@acme.example", "a%0d%0aX:%20y"),
        ("sip:1%00@acme.example", "1%00"),
        ("sip:100%@acme.example", "100%"),
        ("sip:%e9@acme.example", "%e9"),
        ("sip:a%22b@acme.example", 'a"b'),
        ("sip:acme.example", ""),
    ],
)
def test_the_number_in_a_uri(uri: str, number: str) -> None:
    assert number_of(Uri.parse(uri)) == number.partition(":")[0]


@pytest.mark.parametrize(
    ("uri", "from_", "domain"),
    [
        ("sip:1002@ACME.Example.", "<sip:1001@acme.example>", "acme.example"),
        ("sip:1002@127.0.0.1", "<sip:1001@acme.example>", "acme.example"),
        ("tel:1002", "sip:1001@acme.example", "acme.example"),
        ("sip:1002@acme.example", "<sip:me@elsewhere.example>", "acme.example"),
    ],
)
def test_the_tenant_is_that_of_the_domain(uri: str, from_: str, domain: str) -> None:
    assert tenant_of(invite(uri, from_), directory()) == ("acme", domain)


@pytest.mark.parametrize(
    ("uri", "from_", "status"),
    [
        ("sip:1002@globex.example", "<sip:1001@acme.example>", 403),
        ("sip:1002@127.0.0.1", "<sip:1001@nowhere.example>", 404),
    ],
)
def test_nothing_crosses_tenants(uri: str, from_: str, status: int) -> None:
    with pytest.raises(NotAllowed) as error:
        tenant_of(invite(uri, from_), directory())
    assert error.value.status == status


def test_a_scheme_that_is_not_served() -> None:
    with pytest.raises(MessageError) as error:
        request_uri(invite("http://acme.example"))
    assert error.value.status == 416
