"""SRTP keys in session descriptions: what is read, chosen and refused (RFC 4568)."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.media.crypto import (
    ATTRIBUTES_LIMIT,
    LENGTH_LIMIT,
    SUITES,
    Crypto,
    CryptoError,
    agree,
    choose,
    keys,
    new_key,
    offer,
    parse,
)

AES_80 = "AES_CM_128_HMAC_SHA1_80"
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"  # the RFC's own
chance = random.Random(7).randbytes


def test_the_attribute_of_the_rfc_is_read_and_written_again() -> None:
    crypto = parse(f"1 {AES_80} inline:{KEY}|2^20")
    assert crypto == Crypto(1, AES_80, AES_80, KEY)
    assert str(crypto) == f"1 {AES_80} inline:{KEY}"
    assert keys(crypto, crypto._replace(key="A" * 40)).local == b"YS___semctl () {\t220;}\n}\nunles"


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_goes_from_offer_to_answer_to_the_same_keys_on_both_sides(suite: str) -> None:
    offered = offer(chance)
    there = [str(one) for one in offered]
    chosen = choose(there, {suite})
    answered = [str(chosen._replace(key=new_key(suite, chance)))]
    near, far = agree(there, answered), agree(answered, there)
    assert near == (suite, far.remote, far.local)
    assert len(near.local) == len(near.remote) == SUITES[suite]


def test_our_offer_numbers_its_suites_and_gives_no_key_twice() -> None:
    offered = offer(chance)
    assert [one.tag for one in offered] == list(range(1, 1 + len(SUITES)))
    assert len({one.key for one in offered}) == len(SUITES)
    assert [one.suite for one in offer(chance, [AES_80])] == [AES_80]


def test_the_first_that_can_be_used_is_taken_in_the_offerers_order() -> None:
    there = [f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", f"4 {AES_80[:-2]}32 inline:{KEY}", f"2 {AES_80} inline:{KEY}"]
    assert choose(there).tag == 4
    assert choose(there, {AES_80}).tag == 2


@pytest.mark.parametrize("old", ["AES_CM_256_HMAC_SHA1_80", "aes_cm_128_hmac_sha1_32"])
def test_a_suite_that_is_written_otherwise_is_answered_as_it_was_written(old: str) -> None:
    chosen = choose([f"1 {old} inline:{KEY}"])
    assert chosen.suite in SUITES
    assert str(chosen).split()[1] == old
    taken = str(chosen._replace(key="A" * 40))
    assert chosen.suite != AES_80[:-2] + "32" or agree([f"1 {old.upper()} inline:{KEY}"], [taken]).suite == chosen.suite


@pytest.mark.parametrize("rest", ["", "|2^48", "|1000000", " WSH=128", " -EXTRA=1 wsh=64", "|2^31 \t -X "])
def test_what_does_not_weaken_a_key_is_ignored(rest: str) -> None:
    assert parse(f"1 {AES_80} INLINE:{KEY}{rest}") == Crypto(1, AES_80, AES_80, KEY)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "not a tag, a suite and a key"),
        (f"1 {AES_80}", "not a tag, a suite and a key"),
        (f"x {AES_80} inline:{KEY}", "not a tag, a suite and a key"),
        (f"1234567890 {AES_80} inline:{KEY}", "not a tag, a suite and a key"),
        (f"1 AES-CM inline:{KEY}", "not a tag, a suite and a key"),
        (f"1 {AES_80} inline:{KEY}\x0b", "not a tag"),
        (f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", "suite F8_128_HMAC_SHA1_80 is not known"),
        (f"1 {AES_80} {KEY}", "key method"),
        (f"1 {AES_80} uri:{KEY}", "key method uri is not known"),
        (f"1 {AES_80} inline:", "its key is empty"),
        (f"1 {AES_80} inline:|2^20", "its key is empty"),
        (f"1 {AES_80} inline:{KEY}|2^20|1:4", "MKI"),
        (f"1 {AES_80} inline:{KEY}|1:4", "MKI"),
        (f"1 {AES_80} inline:{KEY}|2^20;inline:{KEY}|2^20", "several keys"),
        (f"1 {AES_80} inline:{KEY}|2^49", "lifetime 2\\^49 is none"),
        (f"1 {AES_80} inline:{KEY}|0", "lifetime 0 is none"),
        (f"1 {AES_80} inline:{KEY}|2^20|2^20", "lifetime"),
        (f"1 {AES_80} inline:{KEY}|", "lifetime"),
        (f"1 {AES_80} inline:{KEY} KDR=10", "KDR=10 is not supported"),
        (f"1 {AES_80} inline:{KEY} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP is not supported"),
        (f"1 {AES_80} inline:{KEY} WSH=64 UNENCRYPTED_SRTCP", "UNENCRYPTED_SRTCP is not supported"),
        (f"1 {AES_80} inline:{KEY} UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP is not supported"),
        (f"1 {AES_80} inline:{KEY} FEC_ORDER=FEC_SRTP", "FEC_ORDER=FEC_SRTP is not supported"),
        (f"1 {AES_80} inline:{KEY}" + " -X" * LENGTH_LIMIT, "more than 1024 characters"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(value: str, said: str) -> None:
    with pytest.raises(CryptoError, match=said):
        parse(value)


def test_a_refusal_of_all_says_what_is_wrong_with_each() -> None:
    there = [f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", f"1 {AES_80} inline:{KEY} KDR=1", "", f"7 {AES_80} inline:{KEY}"]
    with pytest.raises(CryptoError) as refused:
        choose(there, {"AEAD_AES_128_GCM"})
    assert str(refused.value) == (
        "no a=crypto can be used: 1: suite F8_128_HMAC_SHA1_80 is not known; "
        "1: session parameter KDR=1 is not supported; "
        f"an empty one: it is not a tag, a suite and a key; 7: suite {AES_80} is not allowed"
    )
    with pytest.raises(CryptoError, match="there is none"):
        choose([])


def test_a_tag_that_is_there_twice_is_taken_once_or_not_at_all() -> None:
    with pytest.raises(CryptoError, match="1: tag 1 is there twice"):
        choose([f"1 {AES_80} inline:{KEY}", f"1 AEAD_AES_128_GCM inline:{KEY}"], {"AEAD_AES_128_GCM"})


def test_attributes_beyond_the_limit_are_not_read() -> None:
    noise = [f"{tag} NONE inline:{KEY}" for tag in range(ATTRIBUTES_LIMIT)]
    assert choose([*noise[1:], f"99 {AES_80} inline:{KEY}"]).tag == 99
    with pytest.raises(CryptoError):
        choose([*noise, f"99 {AES_80} inline:{KEY}"])


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ([], "here are 6 of ours and 0 of the peer's"),
        ([f"1 AEAD_AES_256_GCM inline:{KEY}"] * 2, "here are 6 of ours and 2 of the peer's"),
        ([f"9 {AES_80} inline:{KEY}"], "no a=crypto that can be used has the same tag on both sides"),
        (["1 AEAD_AES_256_GCM inline:x UNENCRYPTED_SRTP"], "no a=crypto that can be used has the same tag"),
        ([f"1 {AES_80} inline:{KEY}"], "tag 1 is AEAD_AES_256_GCM here and AES_CM_128_HMAC_SHA1_80 there"),
    ],
)
def test_an_answer_that_does_not_fit_its_offer_is_refused(answered: list[str], said: str) -> None:
    with pytest.raises(CryptoError, match=said):
        agree([str(one) for one in offer(chance)], answered)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (KEY[:-4], "wants 30 bytes of key and salt, not 27"),
        (KEY + "AAAA", "wants 30 bytes of key and salt, not 33"),
        (KEY[:-1] + "*", "the key of tag 1 is not base64"),
        (KEY[:-3], "the key of tag 1 is not base64"),
        (KEY[:-1] + "ä", "the key of tag 1 is not base64"),
    ],
)
def test_a_key_that_is_none_is_refused(key: str, said: str) -> None:
    good = Crypto(1, AES_80, AES_80, new_key(AES_80, chance))
    with pytest.raises(CryptoError, match=said):
        keys(good, good._replace(key=key))


def test_the_same_key_both_ways_is_refused() -> None:
    crypto = Crypto(1, AES_80, AES_80, KEY)
    with pytest.raises(CryptoError, match="each side needs its own"):
        keys(crypto, crypto)


def test_padding_of_a_key_may_be_missing() -> None:
    suite = "AES_256_CM_HMAC_SHA1_80"
    padded, other = Crypto(1, suite, suite, new_key(suite, chance)), Crypto(1, suite, suite, new_key(suite, chance))
    assert padded.key.endswith("==")
    assert keys(padded._replace(key=padded.key.rstrip("=")), other) == keys(padded, other)


def test_a_sealed_key_goes_through_all_but_the_last_step() -> None:
    sealed = "sealed.v1:" + b64encode(bytes(80)).decode()
    chosen = choose([f"1 {AES_80} inline:{sealed}"])
    assert chosen.key == sealed
    with pytest.raises(CryptoError, match="not base64"):
        keys(chosen, chosen)


@given(st.lists(st.text(), max_size=40))
def test_noise_is_refused_and_hides_nothing(values: list[str]) -> None:
    with pytest.raises(CryptoError, match="no a=crypto can be used"):
        choose(values)
    assert choose([*values[: ATTRIBUTES_LIMIT - 1], f"999999999 {AES_80} inline:{KEY}"]).key == KEY


@given(st.text(max_size=80), st.text(max_size=20))
def test_whatever_stands_in_place_of_the_key_or_behind_it_is_read_or_refused(key: str, rest: str) -> None:
    try:
        crypto = parse(f"1 {AES_80} inline:{key}{rest}")
    except CryptoError:
        return
    assert crypto.key
    assert not set(crypto.key) & set(" \t\r\n;|")
    assert parse(str(crypto)) == crypto
