"""The gate's rulings: established first, budgets by source, scanners unanswered, repetitions not contradicted."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.gate.gate import Failing, Gate, Knowledge, Policy, Ruling
from adapters.sip.gate.overload import Controller, Measures
from adapters.sip.gate.source import SourceLimits, Sources
from adapters.sip.message.message import Response
from adapters.sip.message.parser import parse
from adapters.sip.transaction.key import ServerKey

PHONE, STRANGER, LOCAL = "192.0.2.1:5060", "198.51.100.7:5060", "127.0.0.1:5060"
LOAD = st.floats(0, 0.89)


def request(method: str, number: int = 1, *headers: str, to: str = "", branch: str = "") -> bytes:
    lines = (
        f"{method} sip:1002@acme.example SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch or f'z9hG4bK{number}'};rport",
        "From: <sip:1001@acme.example>;tag=f",
        f"To: <sip:1002@acme.example>{to}",
        f"Call-ID: call-{number}",
        f"CSeq: 1 {method}",
        *headers,
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def gate(limits: SourceLimits | None = None, policy: Policy | None = None) -> Gate:
    exempt = (ipaddress.ip_network("127.0.0.0/8"),)
    return Gate(
        Controller(),
        Sources(limits or SourceLimits()),
        policy or Policy(exempt=exempt),
        Knowledge(
            ours=lambda tag: tag.startswith("ours"),
            ours_branch=lambda branch: branch.startswith("z9hG4bK.ours"),
            known=lambda key: key == ServerKey("z9hG4bK-under-way", "INVITE", "192.0.2.1:5060"),
            serves=lambda domain: domain == "acme.example",
        ),
        b"k" * 32,
    )


def pressed(one: Gate, pressure: float = 0.89) -> Gate:
    """Under about as much pressure, after looks that saw a little delay each."""
    now = 0.0
    while one.controller.pressure < pressure:
        now += 0.025
        one.controller.observe(Measures(lane_age_s=0.13), now)
    return one


# --- overload


@given(LOAD, st.sampled_from(["ACK", "BYE", "CANCEL", "INVITE", "INFO", "UPDATE", "PRACK"]), st.integers())
def test_what_is_under_way_is_never_refused(load: float, method: str, number: int) -> None:
    one = pressed(gate(SourceLimits(rate=0.001, burst=0)), load)
    tagged = request(method, number, to=";tag=ours.1.2")
    assert all(one.rule(tagged, PHONE, 0, True) is Ruling.NOW for _ in range(20))
    response = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK.ours.1\r\n\r\n"
    assert all(one.rule(response, PHONE, 0, True) is Ruling.NOW for _ in range(20))


@given(st.sampled_from(["BYE", "CANCEL", "INVITE", "INFO", "UPDATE", "PRACK"]), st.integers(0, 9), st.booleans())
def test_under_pressure_a_claim_to_be_under_way_is_new_work(method: str, number: int, exempt: bool) -> None:
    claim, sender = request(method, number, to=";tag=guessed"), LOCAL if exempt else PHONE
    assert gate().rule(claim, sender, 0, True) is Ruling.NOW
    assert pressed(gate(), 0.03).rule(claim, sender, 0, True) is Ruling.LATER
    assert pressed(gate()).rule(claim, sender, 0, True) is Ruling.REFUSED


def test_under_pressure_what_changes_nothing_is_not_handled_at_all() -> None:
    one = pressed(gate(), 0.03)
    assert one.rule(request("ACK", to=";tag=guessed"), PHONE, 0, True) is Ruling.DROPPED
    response = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK.guessed\r\n\r\n"
    assert one.rule(response, PHONE, 0, True) is Ruling.DROPPED


def test_the_ack_and_the_cancel_of_an_invite_that_is_known_are_under_way() -> None:
    one = pressed(gate(SourceLimits(rate=0.001, burst=0)))
    for method in ("ACK", "CANCEL"):
        assert one.rule(request(method, branch="z9hG4bK-under-way"), PHONE, 0, True) is Ruling.NOW
    assert one.rule(request("BYE", branch="z9hG4bK-under-way"), PHONE, 0, True) is Ruling.DROPPED


@given(LOAD, LOAD, st.integers(0, 2**32))
def test_more_load_never_lets_more_in(one: float, other: float, number: int) -> None:
    rulings = [pressed(gate(), load).rule(request("INVITE", number), PHONE, 0, True) for load in sorted((one, other))]
    assert rulings[0] is not Ruling.REFUSED or rulings[1] is Ruling.REFUSED


def test_under_pressure_a_share_of_new_calls_waits_and_the_rest_is_refused() -> None:
    one = pressed(gate(SourceLimits(rate=0)), 0.5)
    rulings = [one.rule(request("INVITE", number), PHONE, 0, True) for number in range(1000)]
    refused = rulings.count(Ruling.REFUSED)
    assert refused + rulings.count(Ruling.LATER) == 1000
    assert 600 < refused < 950
    assert one.counters.overloaded_invite == refused
    again = [one.rule(request("INVITE", number), PHONE, 1, True) for number in range(1000)]
    assert again == rulings, "one conversation has one luck"
    later = [one.rule(request("INVITE", number), PHONE, 100, True) for number in range(1000)]
    assert later != rulings, "but not for ever"


def test_who_has_shown_credentials_comes_in_if_its_first_request_did() -> None:
    one = pressed(gate(SourceLimits(rate=0)), 0.5)
    for number in range(300):
        if one.rule(request("INVITE", number), PHONE, 0, True) is Ruling.LATER:
            assert one.rule(request("INVITE", number, "Authorization: Digest x"), PHONE, 0, True) is Ruling.LATER


def test_a_request_that_was_let_in_is_not_refused_when_it_is_repeated() -> None:
    one = pressed(gate())
    assert one.rule(request("INVITE", branch="z9hG4bK-under-way"), PHONE, 0, True) is Ruling.NOW
    assert one.rule(request("INVITE", branch="z9hG4bK-other"), PHONE, 0, True) is Ruling.REFUSED


def test_loopback_is_pressed_like_everybody() -> None:
    assert pressed(gate()).rule(request("INVITE"), LOCAL, 0, True) is Ruling.REFUSED
    assert gate().rule(request("INVITE"), LOCAL, 0, True) is Ruling.NOW


def test_the_refused_are_told_to_return_at_different_times() -> None:
    one = pressed(gate())
    told = set()
    for number in range(100):
        answer = one.answer(request("INVITE", number), PHONE, 0)
        assert answer is not None
        response = parse(answer)
        assert isinstance(response, Response)
        told.add(int(response.get("Retry-After") or ""))
    assert min(told) >= 2
    assert max(told) <= 18
    assert len(told) > 8


# --- sources


def test_a_source_above_its_rate_is_not_heard_and_others_are() -> None:
    one = gate(SourceLimits(rate=5, burst=10))
    rulings = [one.rule(request("REGISTER", number), STRANGER, 0, True) for number in range(50)]
    assert rulings == [Ruling.NOW] * 10 + [Ruling.DROPPED] * 40
    assert one.counters.over_rate == 40
    assert one.rule(request("REGISTER"), PHONE, 0, True) is Ruling.NOW
    assert one.rule(request("REGISTER"), STRANGER, 0, False) is Ruling.REFUSED, "a stream would wait for ever"


def test_addresses_of_one_ipv6_network_share_a_budget() -> None:
    one = gate(SourceLimits(rate=1, burst=1))
    assert one.rule(request("REGISTER"), "[2001:db8::1]:5060", 0, True) is Ruling.NOW
    assert one.rule(request("REGISTER"), "[2001:db8::ffff:1]:5060", 0, True) is Ruling.DROPPED
    assert one.rule(request("REGISTER"), "[2001:db8:0:1::1]:5060", 0, True) is Ruling.NOW
    assert one.source("[::ffff:192.0.2.1]:5060") == "192.0.2.1"


def test_wrong_passwords_ban_a_source_but_not_its_established_calls() -> None:
    one = gate(SourceLimits(failures=20))
    for _ in range(20):
        one.failed(STRANGER, Failing.WRONG_PASSWORD, 0)
    rulings = [one.rule(request("REGISTER", number), STRANGER, 1, True) for number in range(10)]
    assert set(rulings) == {Ruling.DROPPED}
    assert one.rule(request("BYE", to=";tag=ours.1"), STRANGER, 1, True) is Ruling.NOW
    assert one.rule(request("BYE", to=";tag=guessed"), STRANGER, 1, True) is Ruling.DROPPED
    assert (one.counters.bans, one.counters.banned, list(one.latest_bans)) == (1, 11, ["198.51.100.7"])
    assert not one.connects(STRANGER, 1)


def test_a_forged_flood_does_not_shut_out_a_phone_that_is_known() -> None:
    one = gate()
    one.proved(PHONE, "acme", "1001", 0)
    for _ in range(500):
        one.failed(PHONE, Failing.WRONG_PASSWORD, 1)
    assert one.counters.bans == 0
    assert one.rule(request("REGISTER"), PHONE, 1, True) is Ruling.NOW


def test_scanners_get_nothing_and_are_banned_at_once() -> None:
    for data in (
        request("REGISTER", 1, "User-Agent: friendly-scanner"),
        request("OPTIONS").replace(b"1002@acme.example SIP", b"100@203.0.113.1 SIP"),
    ):
        one = gate()
        assert one.rule(data, STRANGER, 0, True) is Ruling.DROPPED
        assert (one.counters.scanner, one.counters.bans) == (1, 1)
        assert one.rule(request("REGISTER"), STRANGER, 0, True) is Ruling.DROPPED
    asked = request("OPTIONS").replace(b"1002@acme.example SIP", b"100@acme.example SIP")
    assert gate().rule(asked, STRANGER, 0, True) is Ruling.NOW


def test_networks_that_are_denied_or_not_allowed_are_not_heard_at_all() -> None:
    nets = {name: (ipaddress.ip_network(text),) for name, text in (("a", "192.0.2.0/24"), ("b", "192.0.2.1/32"))}
    allowed = gate(policy=Policy(allow=nets["a"]))
    assert allowed.rule(request("BYE", to=";tag=ours"), PHONE, 0, True) is Ruling.NOW
    assert allowed.rule(request("BYE", to=";tag=ours"), STRANGER, 0, True) is Ruling.DROPPED
    denied = gate(policy=Policy(allow=nets["a"], deny=nets["b"], exempt=nets["a"]))
    assert denied.rule(request("BYE", to=";tag=ours"), PHONE, 0, True) is Ruling.DROPPED
    assert not denied.connects(PHONE, 0)
    assert denied.connects("192.0.2.2:1", 0)
    assert denied.counters.denied == 2


@given(st.binary(max_size=100), st.sampled_from([PHONE, STRANGER, LOCAL, "[fe80::1%eth0]:5060"]), st.booleans())
def test_no_bytes_upset_the_gate(data: bytes, remote: str, load: bool) -> None:
    one = pressed(gate()) if load else gate()
    one.rule(data, remote, 0, True)
    one.answer(data, remote, 0)
    one.marked(data, 0)
    assert all(count >= 0 for count in asdict(one.counters).values())
