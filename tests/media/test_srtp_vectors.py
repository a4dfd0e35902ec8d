"""Test vectors of RFC 3711 (appendix B), RFC 6188 and RFC 7714 for a second SRTP, and that one for ours."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.libsrtp import SUITES, Context, Suite
from tests.media import second_srtp as second
from tests.media.second_srtp import RTCP, RTP, Session

COUNTER = 0xF0F1F2F3F4F5F6F7F8F9FAFBFCFD0000
KEY_128, SALT_128 = "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6"
KEY_256 = "F0F04914B513F2763A1B1FA130F10E2998F6F6E43E4309D1E622A0E332B9F1B6"
SALT_256 = "3B04803DE51EE7C96423AB5B78D2"
GCM_128, GCM_256, GCM_SALT = bytes(range(16)), bytes(range(32)), b"Quid pro quo"
GALLIA = bytes.fromhex("8040F17B8041F8D35501A0B2") + b"Gallia est omnis divisa in partes tres"
MARS = bytes.fromhex("81C8000D4D6172734E5450314E545032525450200000042A0000E9304C756E61" + "DEADBEEF" * 5)


@pytest.mark.parametrize(
    ("key", "first_blocks"),
    [
        (  # RFC 3711 B.2
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0",
        ),
        (  # RFC 6188 7.1
            "57F82FE3613FD170A85EC93C40B1F0922EC4CB0DC025B58272147CC438944A98",
            "92BDD28A93C3F52511C677D08B5515A49DA71B2378A854F67050756DED165BAC63C4868B7096D88421B563B8C94C9A31",
        ),
    ],
    ids=["AES-128", "AES-256"],
)
def test_the_key_stream_is_that_of_the_rfc(key: str, first_blocks: str) -> None:
    assert second.keystream(bytes.fromhex(key), COUNTER, 48) == bytes.fromhex(first_blocks)


def test_the_key_stream_goes_on_past_a_carry() -> None:
    stream = second.keystream(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), COUNTER, 0xFF02 * 16)
    last = "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44"
    assert stream[-48:] == bytes.fromhex(last)


@pytest.mark.parametrize(
    ("key", "salt", "cipher", "auth", "session_salt"),
    [
        (  # RFC 3711 B.3
            KEY_128,
            SALT_128,
            "C61E7A93744F39EE10734AFE3FF7A087",
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
            "30CBBC08863D8C85D49DB34A9AE1",
        ),
        (  # RFC 6188 7.2
            KEY_256,
            SALT_256,
            "5BA1064E30EC51613CAD926C5A28EF731EC7FB397F70A960653CAF06554CD8C4",
            "FD9C32D39ED5FBB5A9DC96B30818454D1313DC05",
            "FA31791685CA444A9E07C6C64E93",
        ),
    ],
    ids=["AES-128", "AES-256"],
)
def test_session_keys_are_those_of_the_rfc(key: str, salt: str, cipher: str, auth: str, session_salt: str) -> None:
    keys = second.session(bytes.fromhex(key + salt), len(key) // 2, RTP)
    assert keys == (bytes.fromhex(cipher), bytes.fromhex(auth), bytes.fromhex(session_salt))


@pytest.mark.parametrize(
    ("key", "srtp", "srtcp"),
    [
        (  # RFC 7714 16.1.1 and 17.1
            GCM_128,
            "F24DE3A3FB34DE6CACBA861C9D7E4BCABE633BD50D294E6F42A5F47A51C7D19B36DE3ADF8833"
            "899D7F27BEB16A9152CF765EE4390CCE",
            "63E94885DCDAB67CA727D7662F6B7E997FF5C0F76C06F32DC676A5F1730D6FDA4CE09B4686303DED0BB9275B"
            "C84AA45896CF4D2FC5ABF87245D9EADE800005D4",
        ),
        (  # RFC 7714 16.2.1 and 17.2
            GCM_256,
            "32B1DE78A822FE12EF9F78FA332E33AAB18012389A58E2F3B50B2A0276FFAE0F1BA63799B87B"
            "7AA3DB36DFFFD6B0F9BB7878D7A76C13",
            "D50AE4D1F5CE5D304BA297E47D470C282C3ECE5DBFFE0A50A2EAA5C1110555BE8415F658C61DE0476F1B6FAD"
            "1D1EB30C4446839F57FF6F6CB26AC3BE800005D4",
        ),
    ],
    ids=["AES-128", "AES-256"],
)
def test_aes_gcm_is_that_of_the_rfc(key: bytes, srtp: str, srtcp: str) -> None:
    keys = Session(key, b"", GCM_SALT)
    assert second.srtp_aead(keys, GALLIA, 0) == GALLIA[:12] + bytes.fromhex(srtp)
    assert second.srtcp_aead(keys, MARS, 0x5D4) == MARS[:8] + bytes.fromhex(srtcp)


@pytest.mark.parametrize(
    ("suite", "keying", "body"),
    [
        ("AES_CM_128_HMAC_SHA1_80", KEY_128 + SALT_128, "4E55DC4CE79978D88CA4D215949D2402B78D6ACC99EA179B8DBB"),
        ("AES_256_CM_HMAC_SHA1_80", KEY_256 + SALT_256, "F1D9DE17FF251FF1AA007774B0B4B40DA08D9D9A5B3A55D8873B"),
    ],
)
def test_ours_makes_the_packet_that_libsrtp_is_released_with(suite: str, keying: str, body: str) -> None:
    packet = bytes.fromhex("800F1234DECAFBADCAFEBABE") + b"\xab" * 16
    context = Context(SUITES[suite], bytes.fromhex(keying), inbound=False)
    assert context.protect(packet) == packet[:12] + bytes.fromhex(body)


def expected_rtp(suite: Suite, keying: bytes, packet: bytes, rollover: int) -> bytes:
    keys = second.session(keying, suite.key_bytes, RTP)
    if suite.name.startswith("AEAD"):
        return second.srtp_aead(keys, packet, rollover)
    return second.srtp(keys, packet, rollover, suite.tag_bytes)


def expected_rtcp(suite: Suite, keying: bytes, packet: bytes, index: int) -> bytes:
    keys = second.session(keying, suite.key_bytes, RTCP)
    return (second.srtcp_aead if suite.name.startswith("AEAD") else second.srtcp)(keys, packet, index)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
@given(seed=st.integers(0, 2**32), header=st.binary(min_size=8, max_size=8), payload=st.binary(max_size=200))
@settings(max_examples=30, deadline=None)
def test_ours_and_the_second_agree_on_every_packet(suite: Suite, seed: int, header: bytes, payload: bytes) -> None:
    keying = random.Random(seed).randbytes(suite.keying_bytes)
    near, far = Context(suite, keying, inbound=False), Context(suite, keying, inbound=True)
    for rollover in range(3):  # half of the numbers at a time: no step may look like one backwards
        for sequence in (b"\x10\x00", b"\x7f\xff", b"\xc0\x00"):
            packet = b"\x80\x60" + sequence + header + payload
            wire = near.protect(packet)
            assert wire == expected_rtp(suite, keying, packet, rollover)
            assert far.unprotect(wire) == packet
    for index in range(1, 4):
        packet = b"\x80\xc9\x00\x01" + header[:4] + payload[: len(payload) // 4 * 4]
        wire = near.protect_rtcp(packet)
        assert wire == expected_rtcp(suite, keying, packet, index)
        assert far.unprotect_rtcp(wire) == packet
