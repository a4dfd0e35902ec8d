"""Digest: the RFCs' own vectors, and every way in which credentials are not good."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.digest.challenge import Asked, Challenger, Refused, Stale, Verdict, Verified, answer, ha1
from adapters.sip.digest.nonce import Use
from adapters.sip.message.header import parse_credentials

MUFASA = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
OLDER = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
NOW = 1_700_000_000.0
REALM = "acme.example"
SECRETS = {("1001", REALM): "pa ss", ('o"neill\\', REALM): "x", ("Jürgen", REALM): "grün"}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    challenge = MUFASA.format(algorithm=algorithm)
    given = parse_credentials(answer(challenge, "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce))
    assert given["response"] == response
    assert (given["nc"], given["qop"], given["opaque"]) == ("00000001", "auth", parse_credentials(challenge)["opaque"])


def test_rfc_2617_section_3_5() -> None:
    given = parse_credentials(answer(OLDER, "GET", "/dir/index.html", "Mufasa", "Circle Of Life", "0a4f113b"))
    assert given["response"] == "6629fae49393a05397450978507c4ef1"


def lookup(username: str, realm: str, algorithm: str) -> str | None:
    password = SECRETS.get((username, realm))
    return None if password is None else ha1(username, realm, password, algorithm)


SOURCE = "192.0.2.7"
URI = f"sip:{REALM}"


def challenger(
    secret: bytes = b"s", algorithms: tuple[str, ...] = ("SHA-256", "MD5"), run: str = "1", nonces: int = 100
) -> Challenger:
    return Challenger(secret, algorithms, nonce_lifetime_s=300, run=run, nonces=nonces)


def credentials(
    username: str = "1001", password: str = "pa ss", which: int = 0, realm: str = REALM, nc: int = 1
) -> str:
    challenge = challenger().challenges(realm, SOURCE, NOW)[which]
    return answer(challenge, "REGISTER", URI, username, password, "c", nc)


def check(
    text: str,
    now: float = NOW + 1,
    method: str = "REGISTER",
    by: Challenger | None = None,
    uri: str = URI,
    source: str = SOURCE,
) -> Verdict:
    return (by or challenger()).check(text, Asked(method, uri, source), lookup, now)


def good(username: str = "1001") -> Verified:
    """The verdict on the first use of the first nonce."""
    return Verified(username, REALM, Use(1, 1))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("username", "password"), [(name, word) for (name, _), word in SECRETS.items()])
def test_right_password(which: int, username: str, password: str) -> None:
    assert check(credentials(username, password, which)) == good(username)


def test_challenges_are_in_order() -> None:
    asked = [parse_credentials(value) for value in challenger().challenges(REALM, SOURCE, NOW)]
    assert [one["algorithm"] for one in asked] == ["SHA-256", "MD5"]
    assert {one["qop"] for one in asked} == {"auth"}
    assert all("stale" not in one for one in asked)
    md5 = challenger(algorithms=("MD5",))
    again = [parse_credentials(value) for value in md5.challenges(REALM, SOURCE, NOW, stale=True)]
    assert [(one["algorithm"], one["stale"]) for one in again] == [("MD5", "true")]


@pytest.mark.parametrize(("age_s", "fresh"), [(0, True), (300, True), (301, False), (-6, False), (10**9, False)])
def test_nonce_ages(age_s: float, fresh: bool) -> None:
    assert check(credentials(), now=NOW + age_s) == (good() if fresh else Stale())


def test_wrong_password_is_refused_even_with_an_old_nonce() -> None:
    assert isinstance(check(credentials(password="wrong"), now=NOW + 1000), Refused)


def test_nonce_of_another_secret_is_never_accepted() -> None:
    assert check(credentials(), by=challenger(b"other")) == Stale()


@pytest.mark.parametrize("change", [lambda at: f"0{at}", str.upper, lambda at: f"0x{at}", lambda at: f" {at}"])
def test_nonce_has_one_spelling(change: object) -> None:
    assert callable(change)
    nonce = parse_credentials(challenger().challenges(REALM, SOURCE, NOW)[0])["nonce"]
    at, rest = nonce.split(".", 1)
    forged = f'Digest realm="{REALM}", nonce="{change(at)}.{rest}", algorithm=SHA-256, qop="auth"'
    text = answer(forged, "REGISTER", URI, "1001", "pa ss", "c")
    assert check(text) == (good() if change(at) == at else Stale())


@given(st.integers(0, 60), st.sampled_from("0123456789abcdef.x"))
def test_tampered_nonce_is_never_accepted(place: int, char: str) -> None:
    nonce = parse_credentials(challenger().challenges(REALM, SOURCE, NOW)[0])["nonce"]
    place %= len(nonce)
    forged = nonce[:place] + char + nonce[place + 1 :]
    challenge = f'Digest realm="{REALM}", nonce="{forged}", algorithm=SHA-256, qop="auth"'
    text = answer(challenge, "REGISTER", URI, "1001", "pa ss", "c")
    assert isinstance(check(text), Verified) is (forged == nonce)
    swapped = credentials().replace(nonce, forged)  # the digest was made for another nonce
    assert isinstance(check(swapped), Verified) is (forged == nonce)


def test_nonce_of_another_realm_is_never_accepted() -> None:
    nonce = parse_credentials(challenger().challenges("other.example", SOURCE, NOW)[0])["nonce"]
    challenge = f'Digest realm="{REALM}", nonce="{nonce}", algorithm=SHA-256, qop="auth"'
    assert check(answer(challenge, "REGISTER", URI, "1001", "pa ss", "c")) == Stale()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic MTAwMTpwYXNz",
        "Digest",
        credentials(username="1002"),
        credentials(realm="other.example"),
        credentials().replace("qop=auth", "qop=auth-int"),
        credentials().replace("qop=auth, ", ""),
        credentials().replace("algorithm=SHA-256", "algorithm=SHA-512-256"),
        credentials().replace("algorithm=SHA-256", "algorithm=MD5-sess"),
        credentials().replace("algorithm=SHA-256", "algorithm=MD5"),
        credentials().replace(f"sip:{REALM}", "sip:elsewhere"),
        credentials().replace("00000001", "00000002"),
        credentials() + ", username=1001",
        re.sub(r'response="\w+"', 'response=""', credentials()),
        re.sub(r'response="\w+"', 'response="\uef80\uefff"', credentials()),
    ],
)
def test_refused(text: str) -> None:
    assert isinstance(check(text), Refused)


def test_right_password_without_qop_auth_is_refused() -> None:
    given = parse_credentials(credentials())
    ha2 = hashlib.sha256(f"REGISTER:{given['uri']}".encode()).hexdigest()
    secret = ha1("1001", REALM, "pa ss", "SHA-256")
    for qop in ("auth", "auth-int"):
        parts = ":".join((secret, given["nonce"], given["nc"], given["cnonce"], qop, ha2))
        response = hashlib.sha256(parts.encode()).hexdigest()
        text = credentials().replace("qop=auth", f"qop={qop}").replace(given["response"], response)
        assert check(text) == (good() if qop == "auth" else Refused("only qop=auth is served"))


def test_another_method_is_refused() -> None:
    assert isinstance(check(credentials(), method="INVITE"), Refused)


def test_only_offered_algorithms_are_accepted() -> None:
    assert isinstance(check(credentials(), by=challenger(algorithms=("MD5",))), Refused)


@pytest.mark.parametrize("algorithms", [(), ("SHA-1",), ("MD5", "none")])
def test_unusable_algorithms_are_told(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="digest algorithms are MD5, SHA-256"):
        challenger(algorithms=algorithms)


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="r", nonce="n"',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", qop="auth", nonce="n", algorithm=X',
    ],
)
def test_client_refuses_what_it_cannot_answer(challenge: str) -> None:
    with pytest.raises(ValueError, match="no qop=auth"):
        answer(challenge, "REGISTER", "sip:x", "u", "p", "c")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_gets_a_verdict(text: str) -> None:
    for candidate in (text, f"Digest {text}", credentials() + f", {text}"):
        assert isinstance(check(candidate), Verified | Refused)
