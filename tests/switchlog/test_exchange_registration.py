"""Registrations as real messages, in memory: who proves itself, what is answered, and where calls then go."""

from __future__ import annotations

import re

import pytest

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Request, Response
from domain.registering import ContactWish, Register
from domain.values import Flow
from switchlog.session.submission import DEADLINES_LIMIT
from tests.switchlog.exchange import PASSWORD, SERVER, Exchange, HeldJournal, authorized
from tests.switchlog.phone import ALICE, BOB, MALLORY, SDP, Phone
from tests.switchlog.test_exchange_ownership import reclaim

URI = "sip:acme.example"


def text(number: str, address: str, cseq: int, extra: str = "", uri: str = URI) -> str:
    """A REGISTER, without credentials unless they are in `extra` (lines that each begin with a newline)."""
    return (
        f"REGISTER {uri} SIP/2.0\nVia: SIP/2.0/UDP {address};branch=z9hG4bKr{number}.{cseq}\n"
        f"From: <sip:{number}@acme.example>;tag=r\nTo: <sip:{number}@acme.example>\n"
        f"Call-ID: reg-{address}\nCSeq: {cseq} REGISTER{extra}"
    )


def last(exchange: Exchange, address: str) -> Response:
    response = exchange.last(address)
    assert isinstance(response, Response)
    return response


def challenge(exchange: Exchange, number: str, address: str, extra: str = "", cseq: int = 1) -> str:
    exchange.send(address, text(number, address, cseq, extra))
    response = last(exchange, address)
    assert response.status == 401
    return response.get_all("WWW-Authenticate")[0]


def credentials(asked: str, number: str, nc: int = 1, uri: str = URI) -> str:
    return f"\nAuthorization: {answer(asked, 'REGISTER', uri, number, PASSWORD, 'cn', nc)}"


def register(exchange: Exchange, number: str, address: str, extra: str, cseq: int = 1) -> Response:
    """Both rounds; `extra` has the Contact and what else the phone says."""
    proof = credentials(challenge(exchange, number, address, extra, cseq), number)
    exchange.send(address, text(number, address, cseq + 1, extra + proof))
    return last(exchange, address)


def contact(number: str, address: str) -> str:
    return f"\nContact: <sip:{number}@{address}>"


def is_stale(response: Response) -> bool:
    return response.status == 401 and all("stale=true" in one for one in response.get_all("WWW-Authenticate"))


def test_an_overheard_register_is_worth_nothing_again_here_nor_elsewhere_nor_after_a_restart() -> None:
    exchange = Exchange()
    overheard = credentials(challenge(exchange, "1001", ALICE), "1001")
    exchange.send(ALICE, text("1001", ALICE, 2, contact("1001", ALICE) + overheard))
    assert last(exchange, ALICE).status == 200
    stored = len(exchange.journal.stored)
    again = text("1001", ALICE, 3, contact("1001", MALLORY) + overheard)
    for one in (exchange, Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)):
        for address in (ALICE, "192.0.2.66:5060"):
            one.send(address, again.replace(f"UDP {ALICE}", f"UDP {address};rport"))
            assert is_stale(last(one, address))
    assert len(exchange.journal.stored) == stored


def test_credentials_stay_good_for_a_register_that_nobody_served() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    extra = contact("1001", ALICE)
    proof = credentials(challenge(exchange, "1001", ALICE, extra), "1001")
    journal.held = True
    exchange.send(ALICE, text("1001", ALICE, 2, extra + proof))
    journal.lose()
    exchange.send(ALICE, text("1001", ALICE, 2, extra + proof))  # while the shard is nobody's
    assert exchange.take(ALICE) == []
    journal.held = False
    reclaim(exchange)
    exchange.send(ALICE, text("1001", ALICE, 2, extra + proof))
    assert last(exchange, ALICE).status == 200


def test_one_challenge_serves_a_phone_as_long_as_it_counts() -> None:
    exchange = Exchange()
    asked = challenge(exchange, "1001", ALICE)
    for nc in (1, 2, 4, 3):
        exchange.send(ALICE, text("1001", ALICE, nc + 1, credentials(asked, "1001", nc)))
        assert last(exchange, ALICE).status == 200
    exchange.send(ALICE, text("1001", ALICE, 9, credentials(asked, "1001", 3)))
    assert is_stale(last(exchange, ALICE))


def test_a_phone_that_comes_back_from_another_address_is_asked_once_more_and_not_for_its_password() -> None:
    exchange = Exchange()
    asked = challenge(exchange, "1001", ALICE)
    moved = "192.0.2.9:6001"
    exchange.send(moved, text("1001", moved, 2, credentials(asked, "1001")))
    response = last(exchange, moved)
    assert is_stale(response)
    proof = credentials(response.get_all("WWW-Authenticate")[0], "1001")
    exchange.send(moved, text("1001", moved, 3, proof))
    assert last(exchange, moved).status == 200


def test_the_right_one_of_several_credentials_is_found_among_the_first_few() -> None:
    exchange = Exchange()
    proof = credentials(challenge(exchange, "1001", ALICE), "1001")
    other = proof.replace("acme.example", "elsewhere.example")
    exchange.send(ALICE, text("1001", ALICE, 2, other + proof))
    assert last(exchange, ALICE).status == 200
    again = credentials(challenge(exchange, "1002", BOB), "1002")
    exchange.send(BOB, text("1002", BOB, 2, other * 4 + again))
    assert last(exchange, BOB).status == 401


def test_credentials_for_another_uri_and_integrity_are_asked_for_again_without_a_fault() -> None:
    exchange = Exchange()
    asked = challenge(exchange, "1001", ALICE)
    for cseq, proof in enumerate(
        (
            credentials(asked, "1001", uri="sip:1002@acme.example"),
            credentials(asked, "1001").replace("qop=auth", "qop=auth-int"),
            credentials(asked, "1001").replace("qop=auth", "userhash=true, qop=auth"),
            "\nAuthorization: Digest",
            "\nAuthorization: Bearer x",
        ),
        2,
    ):
        exchange.send(ALICE, text("1001", ALICE, cseq, proof))
        response = last(exchange, ALICE)
        assert (response.status, is_stale(response)) == (401, False)
    assert not exchange.journal.stored


def ends(exchange: Exchange) -> list[bytes]:
    stored = exchange.journal.stored
    return [one.record.data for one in stored if one.record.type.startswith("registration.contacts_removed.")]


def test_a_binding_that_ran_out_while_nobody_was_there_still_gets_its_end() -> None:
    exchange = Exchange()
    for number, address in (("1001", ALICE), ("1002", BOB)):
        assert register(exchange, number, address, contact(number, address)).status == 200
    later = Exchange(exchange.journal, epoch=2, start_s=40 * 86_400)
    later.wait(0)
    assert [b'"expired"' in one for one in ends(later)] == [True, True]
    again = Exchange(exchange.journal, epoch=3, start_s=later.clock_s + 1)
    again.wait(0)
    assert len(ends(again)) == 2


def test_thousands_that_run_out_at_once_do_not_flood_the_journal() -> None:
    exchange = Exchange()
    flow = Flow("udp", SERVER, ALICE)
    for number in range(DEADLINES_LIMIT + 1):
        wish = ContactWish(f"sip:{number}@{ALICE}", flow, "", None)
        ask = Register("acme", str(number), "1001", False, False, (wish,), None, str(number), 1, (), "")
        exchange.board.register(ask, lambda contacts: None)
    exchange.journal.held = True
    exchange.wait(3601)
    assert exchange.board.next_deadline() is None
    exchange.journal.commit()
    assert len(ends(exchange)) == DEADLINES_LIMIT
    exchange.wait(0)
    exchange.journal.commit()
    assert len(ends(exchange)) == DEADLINES_LIMIT + 1


def instance(number: str, address: str, urn: str, reg_id: int = 0) -> str:
    flow = f";reg-id={reg_id}" if reg_id else ""
    return f'\nSupported: path, outbound, gruu\nContact: <sip:{number}@{address}>;+sip.instance="<{urn}>"{flow}'


def gruu_of(response: Response, kind: str) -> str:
    (found,) = re.findall(f'{kind}="([^"]+)"', str(response.get_all("Contact")))
    return str(found)


def call(exchange: Exchange, uri: str, call_id: str) -> None:
    """1001 dials a URI; a sips one by TLS."""
    transport = "tls" if uri.startswith("sips:") else "udp"

    def send(proof: str) -> None:
        branch = f"z9hG4bK{call_id}{len(proof)}"
        exchange.send(
            ALICE,
            f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch};rport\nMax-Forwards: 70\n"
            f"From: <sip:1001@acme.example>;tag=a\nTo: <{uri}>\nCall-ID: {call_id}\nCSeq: {1 + bool(proof)} INVITE\n"
            f"Contact: <sip:1001@{ALICE}>\nContent-Type: application/sdp{proof}",
            SDP,
            transport,
        )

    authorized(exchange, ALICE, "1001", send, uri)


def invites(exchange: Exchange, *addresses: str) -> list[str]:
    """Who was rung."""
    return [one for one in addresses if any(isinstance(m, Request) for m in exchange.take(one))]


@pytest.mark.parametrize("kind", ["pub-gruu", "temp-gruu"])
def test_a_call_to_a_gruu_reaches_that_instance_alone(kind: str) -> None:
    exchange = Exchange()
    desk, mobile = "127.0.0.1:7001", "127.0.0.1:7002"
    responses = {}
    for address, urn in ((desk, "urn:uuid:1"), (mobile, "urn:uuid:2")):
        responses[address] = register(exchange, "1002", address, instance("1002", address, urn))
    Phone(exchange, "1001", ALICE).invite("1002")
    assert invites(exchange, desk, mobile) == [desk, mobile]
    one = gruu_of(Response(200, "", [("Contact", responses[mobile].get_all("Contact")[-1])]), kind)
    call(exchange, one, "call-2")
    assert invites(exchange, desk, mobile) == [mobile]
    exchange.send(mobile, text("1002", mobile, 9, "\nContact: x"))  # nobody is harmed by what is not proved
    after = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    call(after, one, "call-3")
    assert invites(after, desk, mobile)[-1:] == [mobile]


def test_a_gruu_of_a_device_that_has_gone_reaches_nobody() -> None:
    exchange = Exchange()
    response = register(exchange, "1002", BOB, instance("1002", BOB, "urn:uuid:1"))
    public, temporary = gruu_of(response, "pub-gruu"), gruu_of(response, "temp-gruu")
    exchange.wait(3601)
    statuses = []
    for n, one in enumerate((public, temporary)):
        call(exchange, one, f"call-{n}")
        statuses.append(last(exchange, ALICE).status)
    assert statuses == [480, 404]


def test_one_flow_of_a_phone_is_rung_and_the_register_says_how_long_it_lasts() -> None:
    exchange = Exchange()
    first, second = "127.0.0.1:7001", "127.0.0.1:7002"
    for reg_id, address in ((1, first), (2, second)):
        response = register(exchange, "1002", address, instance("1002", address, "urn:uuid:1", reg_id))
        assert (response.get("Require"), response.get("Flow-Timer")) == ("outbound", "29")
        assert len(response.get_all("Contact")) == reg_id
        exchange.wait(1)
    Phone(exchange, "1001", ALICE).invite("1002")
    assert invites(exchange, first, second) == [second]


def test_two_phones_behind_two_nats_may_have_the_same_private_address() -> None:
    exchange = Exchange()
    private, first, second = "192.168.1.2:5060", "192.0.2.1:40000", "192.0.2.2:40000"
    for address, urn in ((first, "urn:uuid:1"), (second, "urn:uuid:2")):
        extra = instance("1002", address, urn).replace(f"@{address}", f"@{private}")
        response = register(exchange, "1002", address, extra)
    assert len(response.get_all("Contact")) == 2
    Phone(exchange, "1001", ALICE).invite("1002")
    assert invites(exchange, first, second) == [first, second]


ROUTES = [
    ("", 200),
    ("\nRoute: <sip:127.0.0.1:5060;lr>", 200),
    ("\nRoute: <sip:pbx.of.ours.example;lr>", 200),
    ("\nRoute: <sip:pbx.of.ours.example;lr>, <sip:127.0.0.1:5060;lr>", 200),
    ("\nRoute: <sip:127.0.0.1:5060;lr>\nRoute: <sip:acme.example;lr>", 200),
    ("\nRoute: <sip:127.0.0.1:5060;lr>, <sip:elsewhere.example;lr>", 403),
    ("\nRoute: <sip:127.0.0.1:5060;lr>, <sip:127.0.0.1:5070;lr>", 403),
    ("\nRoute: nonsense", 400),
]


@pytest.mark.parametrize(("route", "status"), ROUTES)
def test_a_route_ends_here(route: str, status: int) -> None:
    exchange = Exchange()
    request = text("1001", ALICE, 1, route).replace("REGISTER", "OPTIONS")
    exchange.send(ALICE, request)
    assert last(exchange, ALICE).status == status


def test_the_service_route_is_a_way_that_is_taken() -> None:
    exchange = Exchange()
    response = register(exchange, "1001", ALICE, contact("1001", ALICE))
    assert response.get("Service-Route") == "<sip:127.0.0.1:5060;lr>"
    request = text("1001", ALICE, 3, f"\nRoute: <sip:x;lr>\nRoute: {response.get('Service-Route')}")
    exchange.send(ALICE, request.replace("REGISTER", "OPTIONS"))
    assert last(exchange, ALICE).status == 200


def test_what_may_be_required_of_the_registrar_and_what_not() -> None:
    exchange = Exchange()
    exchange.send(ALICE, text("1001", ALICE, 1, "\nRequire: gruu, path, foo, outbound, bar"))
    response = last(exchange, ALICE)
    assert (response.status, response.get("Unsupported")) == (420, "foo, bar")
    assert register(exchange, "1001", ALICE, "\nRequire: gruu, path" + contact("1001", ALICE), 2).status == 200
    exchange.send(ALICE, text("1001", ALICE, 7, "\nRequire: path").replace("REGISTER", "MESSAGE"))
    assert last(exchange, ALICE).get("Unsupported") == "path"


def test_a_path_that_the_phone_would_not_understand_is_refused() -> None:
    exchange = Exchange()
    path = "\nPath: <sip:proxy.example;lr>" + contact("1001", ALICE)
    response = register(exchange, "1001", ALICE, path)
    assert (response.status, response.get("Unsupported")) == (420, "path")
    response = register(exchange, "1001", ALICE, "\nSupported: path" + path, 3)
    assert (response.status, response.get("Path")) == (200, "<sip:proxy.example;lr>")


def test_sips_needs_tls_all_the_way() -> None:
    exchange = Exchange()
    exchange.send(ALICE, text("1001", ALICE, 1, uri="sips:acme.example"))
    assert last(exchange, ALICE).status == 403
    for address, transport in (("127.0.0.1:7001", "udp"), ("127.0.0.1:7002", "tls")):
        proof = credentials(challenge(exchange, "1002", address), "1002")
        exchange.send(address, text("1002", address, 2, contact("1002", address) + proof), transport=transport)
        assert last(exchange, address).status == 200
    call(exchange, "sips:1002@acme.example", "call-1")
    assert invites(exchange, "127.0.0.1:7001", "127.0.0.1:7002") == ["127.0.0.1:7002"]


def test_bindings_that_end_and_begin_in_the_same_moment_do_not_cost_the_shard() -> None:
    exchange = Exchange()
    phone = Phone(exchange, "1001", ALICE)
    for expires_s in (300, 0, 300, 0, 300):  # the clock stands still while what was heard at once is handled
        assert phone.register(expires_s).status == 200
    bound = [one.record for one in exchange.journal.stored if one.record.type.startswith("registration.opened.")]
    assert (len(bound), len({record.stream for record in bound})) == (3, 3)
    assert exchange.lost == []
