"""The attributes of a DTLS handshake: who begins, and whose certificate counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.media.handshake import FINGERPRINTS_LIMIT, Handshake, HandshakeError, agree, choose, setup_answer
from adapters.media.self_signed import self_signed

FINGERPRINT = self_signed(b"s", 2026).fingerprint
SHA_1 = "sha-1 " + ":".join(["AB"] * 20)
SHA_512 = "SHA-512 " + ":".join(["ab"] * 64)


@pytest.mark.parametrize(
    ("offered", "ours"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active"), ("", "passive"), (" ActPass ", "passive")],
)
def test_where_both_are_possible_the_peer_begins(offered: str, ours: str) -> None:
    assert setup_answer(offered) == ours
    assert agree(ours, offered, [FINGERPRINT]) == Handshake(ours == "active", FINGERPRINT)


@pytest.mark.parametrize(("answered", "active"), [("active", False), ("passive", True), ("", True)])
def test_to_our_offer_the_peer_says_who_begins(answered: str, active: bool) -> None:
    assert agree("actpass", answered, [FINGERPRINT]).active is active


@pytest.mark.parametrize("offered", ["holdconn", "both", "act pass"])
def test_what_makes_no_connection_is_refused(offered: str) -> None:
    with pytest.raises(HandshakeError, match="makes no connection"):
        setup_answer(offered)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("actpass", "actpass"), ("active", "active"), ("passive", "passive"), ("active", "holdconn")]
)
def test_two_sides_that_both_begin_or_both_wait_are_refused(ours: str, theirs: str) -> None:
    with pytest.raises(HandshakeError, match="does not go with ours"):
        agree(ours, theirs, [FINGERPRINT])


def test_the_strongest_hash_counts_and_unknown_ones_are_passed_over() -> None:
    assert choose([SHA_1, "md5 AA:BB", FINGERPRINT]) == FINGERPRINT
    assert choose([FINGERPRINT, SHA_512]) == f"sha-512 {':'.join(['AB'] * 64)}"
    assert choose([SHA_1.lower()]) == SHA_1.replace("SHA", "sha")


@pytest.mark.parametrize(
    ("fingerprints", "said"),
    [
        ([], "there is no a=fingerprint"),
        (["md5 AA:BB"], "no a=fingerprint is of sha-512"),
        (["sha-256 AA:BB"], "the a=fingerprint of sha-256 is malformed"),
        (["sha-256"], "the a=fingerprint of sha-256 is malformed"),
        ([FINGERPRINT.replace(":", "-")], "malformed"),
        ([FINGERPRINT[:-1] + "G"], "malformed"),
        ([FINGERPRINT + ":AA"], "malformed"),
        (["md5 AA"] * FINGERPRINTS_LIMIT + [FINGERPRINT], "no a=fingerprint is of"),
    ],
)
def test_fingerprints_that_are_none_are_refused(fingerprints: list[str], said: str) -> None:
    with pytest.raises(HandshakeError, match=said):
        choose(fingerprints)


@given(st.text(), st.lists(st.text(), max_size=20))
def test_whatever_is_there_is_taken_or_refused(setup: str, fingerprints: list[str]) -> None:
    for ours in ("actpass", "passive", "active"):
        try:
            found = agree(ours, setup, [*fingerprints, FINGERPRINT])
        except HandshakeError:
            continue
        assert found.fingerprint.split()[0] in {"sha-512", "sha-384", "sha-256", "sha-224", "sha-1"}
