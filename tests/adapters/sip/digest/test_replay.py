"""Digest against replay, guessing and looking around: each nonce count once, for one address, realm, URI and run."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.digest.challenge import Asked, Challenger, Refused, Stale, Verdict, Verified, answer
from adapters.sip.message.header import parse_credentials
from tests.adapters.sip.digest.test_challenge import NOW, REALM, SOURCE, URI, challenger, check, credentials, lookup


def proved(verdict: Verdict) -> str | None:
    """The user that proved itself for our realm."""
    return verdict.username if isinstance(verdict, Verified) and verdict.realm == REALM else None


def test_a_nonce_of_another_run_is_stale() -> None:
    assert proved(check(credentials(), by=challenger(run="1"))) == "1001"
    assert check(credentials(), by=challenger(run="2")) == Stale()
    assert isinstance(check(credentials(password="wrong"), by=challenger(run="2")), Refused)


def test_a_nonce_of_another_address_is_stale() -> None:
    assert check(credentials(), source="192.0.2.8") == Stale()
    assert check(credentials(), source="[2001:db8::7]") == Stale()


def test_every_challenge_has_a_nonce_of_its_own() -> None:
    by = challenger()
    assert by.challenges(REALM, SOURCE, NOW) != by.challenges(REALM, SOURCE, NOW)


def test_a_count_is_good_once() -> None:
    by = challenger()
    verdicts = [check(credentials(nc=nc), by=by) for nc in (1, 1, 2, 2, 1, 3)]
    assert [proved(one) for one in verdicts] == ["1001", None, "1001", None, None, "1001"]
    assert all(isinstance(one, Verified | Stale) for one in verdicts)


def test_a_count_that_was_given_back_is_good_once_more() -> None:
    by = challenger()
    for nc in (2, 1):
        first = check(credentials(nc=nc), by=by)
        assert isinstance(first, Verified)
        by.give_back(first.use)
        assert [proved(check(credentials(nc=nc), by=by)) for _ in range(2)] == ["1001", None]


@given(st.permutations(range(1, 12)))
def test_requests_that_overtake_each_other_are_accepted_once_each(order: list[int]) -> None:
    by = challenger()
    assert [proved(check(credentials(nc=nc), by=by)) for nc in order] == ["1001"] * len(order)
    assert [check(credentials(nc=nc), by=by) for nc in order] == [Stale()] * len(order)


def test_a_count_far_behind_is_stale_and_one_far_ahead_is_not() -> None:
    by = challenger()
    assert proved(check(credentials(nc=100), by=by)) == "1001"
    assert check(credentials(nc=36), by=by) == Stale()
    assert proved(check(credentials(nc=37), by=by)) == "1001"
    assert proved(check(credentials(nc=0xFFFFFFFF), by=by)) == "1001"
    assert check(credentials(nc=100), by=by) == Stale()


def test_a_wrong_password_uses_no_count() -> None:
    by = challenger()
    assert isinstance(check(credentials(password="wrong"), by=by), Refused)
    assert proved(check(credentials(), by=by)) == "1001"


def used(by: Challenger, now: float) -> str:
    text = answer(by.challenges(REALM, SOURCE, now)[0], "REGISTER", URI, "1001", "pa ss", "c")
    assert proved(check(text, now, by=by)) == "1001"
    return text


def test_nonces_that_had_to_be_forgotten_are_stale_and_not_good_again() -> None:
    by = challenger(nonces=10)
    texts = [used(by, NOW) for _ in range(25)]
    assert [check(text, by=by) for text in texts] == [Stale()] * 25


def test_a_clock_that_is_set_back_makes_no_nonce_good_again() -> None:
    by = challenger()
    first = used(by, NOW)
    for at in (NOW + 301, NOW + 602, NOW + 903):  # the table turns over
        used(by, at)
    assert check(first, NOW, by=by) == Stale()


def test_only_so_many_counts_are_remembered() -> None:
    by = challenger(nonces=100)
    for n in range(500):
        used(by, NOW + n / 100)
    assert 100 <= by.remembered <= 200


@pytest.mark.parametrize(
    ("uri", "same"),
    [
        (f"sip:{REALM.upper()}", True),
        (f"sip:{REALM}:5060", True),
        (f"sip:{REALM};transport=tcp", True),
        (f"sips:{REALM}", False),
        (f"sip:{REALM}:5070", False),
        (f"sip:1001@{REALM}", False),
        ("sip:elsewhere.example", False),
        ("tel:1001", False),
        ("http://acme", False),
    ],
)
def test_credentials_are_good_for_one_request_uri(uri: str, same: bool) -> None:
    assert isinstance(check(credentials(), uri=uri), Verified if same else Refused)


@pytest.mark.parametrize(
    ("uri", "good"), [("sip:127.0.0.1:5070", True), ("sip:[::1]", True), ("sip:1@127.0.0.1", False)]
)
def test_a_client_may_name_the_server_by_its_address(uri: str, good: bool) -> None:
    challenge = challenger().challenges(REALM, SOURCE, NOW)[0]
    made = answer(challenge, "REGISTER", uri, "1001", "pa ss", "c")
    assert isinstance(check(made), Verified if good else Refused)


def test_an_unknown_user_is_no_different_from_a_wrong_password() -> None:
    asked: list[str] = []

    def noting(username: str, realm: str, algorithm: str) -> str | None:
        asked.append(username)
        return lookup(username, realm, algorithm)

    now = NOW + 1000  # even with a nonce that has aged
    verdicts = [
        challenger().check(credentials(name, "wrong"), Asked("REGISTER", URI, SOURCE), noting, now)
        for name in ("1001", "nobody")
    ]
    assert asked == ["1001", "nobody"]
    assert [type(one) for one in verdicts] == [Refused, Refused]


def test_what_the_decoy_secret_would_prove_proves_nobody() -> None:
    by = challenger()
    text = credentials("nobody")
    given = parse_credentials(text)
    ha2 = hashlib.sha256(f"REGISTER:{given['uri']}".encode()).hexdigest()
    parts = ":".join((by._nobody, given["nonce"], given["nc"], given["cnonce"], "auth", ha2))
    forged = text.replace(given["response"], hashlib.sha256(parts.encode()).hexdigest())
    assert check(forged, by=by) == Refused("no such user")


@pytest.mark.parametrize("nc", ["1", "000000001", "0000000g", "", "-0000001", "０0000001"])
def test_a_malformed_count_is_refused(nc: str) -> None:
    text = credentials().replace("nc=00000001", f'nc="{nc}"')
    assert isinstance(check(text), Refused)


def test_a_hashed_user_name_is_refused_and_an_opaque_of_nobody_does_not_matter() -> None:
    assert isinstance(check(credentials() + ", userhash=true"), Refused)
    assert proved(check(credentials() + ', userhash=false, opaque="x"')) == "1001"
