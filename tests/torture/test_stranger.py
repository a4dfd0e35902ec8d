"""What nobody may do who was not asked: end, divert or answer a call, or take a registration, by guessing its names.

Who knows both tags and the Call-ID of a dialog has seen its messages; SIP has no better proof within a dialog (phones
change their addresses), and TLS keeps others from seeing them. So guesses are tried here: each name wrong in turn, from
the right address and from a stranger's.
"""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.phone import ALICE, BOB, MALLORY, SDP, Phone, methods, parties, picked_up, talk

SOURCES = (MALLORY, ALICE)


def tampered(answered: Response, what: str) -> dict[str, str]:
    """From, To and Call-ID of Alice's side of a dialog, one of them guessed."""
    own, ours = answered.get("From") or "", answered.get("To") or ""
    names = {"From": own, "To": ours, "Call-ID": answered.call_id}
    wrong = {
        "their tag": {"From": own.replace("tag=a", "tag=z")},
        "no tag of theirs": {"From": own.replace(";tag=a", "")},
        "our tag": {"To": ours[:-1] + ("0" if ours[-1] != "0" else "1")},
        "our tag's leg": {"To": ours.replace(f"tag={answered.to.tag[:2]}", "tag=00", 1) + "0"},
        "a stranger's tag": {"To": ours.partition(";")[0] + ";tag=x"},
        "the Call-ID": {"Call-ID": "call-2"},
        "the tags swapped": {
            "From": own.replace("tag=a", f"tag={answered.to.tag}"),
            "To": f"{ours.split(';')[0]};tag=a",
        },
    }
    return names | wrong[what]


def attack(
    exchange: Exchange, source: str, method: str, names: dict[str, str], sdp: str = "", branch: str = ""
) -> None:
    exchange.send(
        source,
        f"{method} sip:1002@acme.example SIP/2.0\nVia: SIP/2.0/UDP {source};branch={branch or 'z9hG4bKevil' + method}\n"
        + "\n".join(f"{name}: {value}" for name, value in names.items())
        + f"\nCSeq: 99 {method}\nContact: <sip:evil@{MALLORY}>"
        + ("\nContent-Type: application/sdp" if sdp else ""),
        sdp,
    )


def unmoved(exchange: Exchange, alice: Phone, answered: Response) -> None:
    """The call is up, and Alice can end it."""
    exchange.take(ALICE)
    assert exchange.take(BOB) == []
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert methods(exchange.take(BOB)) == ["BYE"]
    assert exchange.types[-1] == "ended"


GUESSES = ("their tag", "no tag of theirs", "our tag", "our tag's leg", "a stranger's tag", "the Call-ID",
           "the tags swapped")  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "method", ["BYE", "INVITE", "UPDATE", "INFO", "MESSAGE", "OPTIONS", "REFER", "PRACK", "NOTIFY"]
)
@pytest.mark.parametrize("guess", GUESSES)
def test_a_guessed_dialog_is_nobodys(source: str, method: str, guess: str) -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    before = list(exchange.types)
    attack(exchange, source, method, tampered(answered, guess), SDP if method in ("INVITE", "UPDATE") else "")
    (refused,) = exchange.take(source)
    assert isinstance(refused, Response)
    assert refused.status in (401, 403, 405, 481, 501), refused
    assert exchange.types == before
    unmoved(exchange, alice, answered)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("guess", GUESSES)
def test_a_guessed_ack_ends_no_retransmission(source: str, guess: str) -> None:
    exchange = Exchange()
    _, _, answered, _ = picked_up(exchange)
    names = tampered(answered, guess)
    exchange.send(
        source,
        f"ACK sip:x SIP/2.0\nVia: SIP/2.0/UDP {source};branch=z9hG4bKevil\n"
        + "\n".join(f"{name}: {value}" for name, value in names.items())
        + f"\nCSeq: {answered.cseq.number} ACK",
    )
    exchange.wait(0.6)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"], "still repeated"


@pytest.mark.parametrize(
    ("source", "sent_by", "branch", "call_id"),
    [
        (MALLORY, ALICE, "right", "right"),  # all names right, by somebody else's address
        (MALLORY, MALLORY, "right", "right"),
        (ALICE, ALICE, "wrong", "right"),
        (ALICE, ALICE, "right", "wrong"),
    ],
)
def test_a_stranger_cancels_nothing(source: str, sent_by: str, branch: str, call_id: str) -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    right = alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    exchange.take(ALICE)
    source = source.replace("127.0.0.1", "198.51.100.1") if source == MALLORY else source
    exchange.send(
        source,
        f"CANCEL sip:1002@acme.example SIP/2.0\n"
        f"Via: SIP/2.0/UDP {sent_by};branch={right if branch == 'right' else 'z9hG4bKx'}\n"
        "From: <sip:1001@acme.example>;tag=a\nTo: <sip:1002@acme.example>\n"
        f"Call-ID: {'call-1' if call_id == 'right' else 'call-2'}\nCSeq: {alice.cseq} CANCEL",
    )
    assert methods(exchange.take(source)) == ["481 CANCEL"]
    assert exchange.take(BOB) == []
    bob.reply(invite, 200, SDP)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]


@pytest.mark.parametrize("status", [180, 200, 302, 486, 603])
@pytest.mark.parametrize("spoilt", ["mac", "leg", "number", "cookie", "bare"])
def test_a_response_by_a_guessed_branch_says_nothing(status: int, spoilt: str) -> None:
    exchange = Exchange()
    parties(exchange)
    Phone(exchange, "1001", ALICE).invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    cookie, shard, leg, number, mac = invite.via.branch.split(".")
    branch = {
        "mac": ".".join((cookie, shard, leg, number, mac[:-1] + ("0" if mac[-1] != "0" else "1"))),
        "leg": ".".join((cookie, shard, leg[:-1] + "9", number, mac)),
        "number": ".".join((cookie, shard, leg, "2", mac)),
        "cookie": ".".join(("z9hG4bK0", shard, leg, number, mac)),
        "bare": "z9hG4bK",
    }[spoilt]
    exchange.take(ALICE)
    before = list(exchange.types)
    forged = (invite.get("Via") or "").replace(invite.via.branch, branch)
    exchange.send(
        MALLORY,
        f"SIP/2.0 {status} Gotcha\nVia: {forged}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=evil\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}\nContact: <sip:evil@{MALLORY}>\n"
        "Content-Type: application/sdp",
        SDP,
    )
    assert (exchange.take(ALICE), exchange.take(BOB), exchange.take(MALLORY)) == ([], [], [])
    assert exchange.types == before


def registered(exchange: Exchange, number: str) -> list[str]:
    return [binding.uri for binding in exchange.board.contacts("acme", number)]


def test_nobody_takes_a_registration() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    mine = registered(exchange, "1001")
    attack(exchange, MALLORY, "REGISTER", {"From": "<sip:1001@acme.example>;tag=m", "To": "<sip:1001@acme.example>",
                                           "Call-ID": "m"})  # fmt: skip
    assert methods(exchange.take(MALLORY)) == ["401 REGISTER"]
    for to in ("1001", "1003"):
        uri = "sip:acme.example"

        def send(credentials: str, to: str = to, uri: str = uri) -> None:
            exchange.send(
                MALLORY,
                f"REGISTER {uri} SIP/2.0\nVia: SIP/2.0/UDP {MALLORY};branch=z9hG4bK{to}{len(credentials)}\n"
                f"From: <sip:1002@acme.example>;tag=m\nTo: <sip:{to}@acme.example>\nCall-ID: h{to}\nCSeq: 1 REGISTER\n"
                f"Contact: <sip:evil@{MALLORY}>{credentials}",
            )

        authorized(exchange, MALLORY, "1002", send, uri)
        assert methods(exchange.take(MALLORY)) == ["403 REGISTER"]
    assert registered(exchange, "1001") == mine
    assert registered(exchange, "1003") == []
    assert alice.register().status == 200
