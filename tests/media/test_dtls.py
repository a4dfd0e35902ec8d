"""DTLS-SRTP of one leg: two ends joined in memory, certificates, roles, addresses, loss."""

from __future__ import annotations

import gc
import select
import time
import weakref
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificate

from media import dtls
from media.dtls import DEADLINE_S, MTU, STALLED_S, DtlsError, DtlsSrtp
from media.srtp import Srtp
from media.wire import Dtls
from tests.media.dtls_end import FAR, NAT, NEAR, OTHER, OURS, START, THEIRS, Phone, issued, join, ours, pair

HASHES = [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]


def test_both_ends_come_to_the_same_keys_and_their_media_is_read() -> None:
    near, far = pair()
    carried = join(near, far)
    assert max(map(len, carried)) <= MTU
    assert near.keys is not None and far.keys is not None
    assert near.keys.suite == far.keys.suite == "AEAD_AES_128_GCM"
    assert (near.keys.local_key, near.keys.remote_key) == (far.keys.remote_key, far.keys.local_key)
    assert near.keys.local_key != near.keys.remote_key
    assert (near.source, far.source) == (FAR, NEAR)
    assert (near.failure, near.refused, near.ignored) == ("", "", 0)
    packet = b"\x80\x00" + bytes(170)
    wire = Srtp(near.keys).protect(packet)
    assert wire is not None and Srtp(far.keys).unprotect(wire) == packet


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("profile", dtls._PROFILES)
def test_keys_of_each_profile_are_cut_out_of_what_openssl_exports_there(profile: bytes, active: bool) -> None:
    near, phone = ours(THEIRS.fingerprint, active=not active), Phone(active, profiles=profile)
    phone.begin()
    join(near, phone)
    assert phone.done and near.keys is not None
    assert near.keys.suite == dtls._PROFILES[profile]
    key = 32 if b"256" in profile else 16
    salt = len(near.keys.local_key) - key
    exported = phone.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
    client, server = near.keys.remote_key, near.keys.local_key
    if not active:
        client, server = server, client
    assert exported == client[:key] + server[:key] + client[key:] + server[key:]  # RFC 5764 section 4.2
    Srtp(near.keys)


def test_of_several_profiles_ours_is_the_cheapest_that_the_peer_has() -> None:
    near, phone = ours(THEIRS.fingerprint), Phone(profiles=b"SRTP_AES128_CM_SHA1_32:SRTP_AES128_CM_SHA1_80")
    phone.begin()
    join(near, phone)
    assert near.keys is not None and near.keys.suite == "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.parametrize("algorithm", HASHES, ids=lambda algorithm: algorithm.name)
def test_a_fingerprint_of_each_hash_is_checked(algorithm: hashes.HashAlgorithm) -> None:
    name = algorithm.name.replace("sha", "sha-")
    digest = load_pem_x509_certificate(THEIRS.certificate).fingerprint(algorithm).hex(":")
    near, far = ours(f"{name.upper()} {digest}"), Phone()
    far.begin()
    join(near, far)
    assert near.keys is not None
    wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    near, far = ours(f"{name} {wrong}"), Phone()
    far.begin()
    join(near, far)
    assert near.keys is None
    assert near.refused == f"127.0.0.2:5000: the certificate's {name} is {digest.upper()}, not as in the SDP"


def test_a_wrong_certificate_is_refused_by_name_and_the_peer_is_told() -> None:
    near, phone = ours(THEIRS.fingerprint), Phone(own=OTHER)
    phone.begin()
    join(near, phone)
    assert near.keys is None and near.failure == ""
    assert "the certificate's sha-256 is " + OTHER.fingerprint.split()[1] in near.refused
    assert "alert" in phone.error
    near.on_timer(START + DEADLINE_S)
    assert near.failure == near.refused
    assert near.timer() is None


def test_a_wrong_certificate_of_whom_we_called_is_the_legs_failure_at_once() -> None:
    near, phone = ours(THEIRS.fingerprint, active=True), Phone(active=False, own=OTHER)
    join(near, phone)
    assert near.keys is None
    assert near.failure.endswith("not as in the SDP")
    assert near.timer() is None
    near.on_timer(START + DEADLINE_S)
    assert near.failure.endswith("not as in the SDP")


@pytest.mark.parametrize(
    ("phone", "said"),
    [
        (Phone(own=None), "certificate"),  # the words are OpenSSL's
        (Phone(profiles=b""), "the handshake agreed on no SRTP profile"),
    ],
)
def test_a_peer_without_certificate_or_srtp_gets_no_keys(phone: Phone, said: str) -> None:
    near = ours(THEIRS.fingerprint)
    phone.begin()
    join(near, phone)
    assert near.keys is None
    assert said in near.refused


def test_a_peer_that_wants_dtls_as_it_was_before_1_2_gets_no_keys() -> None:
    near, far = pair()
    ((hello, _),) = far.to_send()
    near.receive(hello[:25] + b"\xfe\xff" + hello[27:], FAR, START)
    assert near.keys is None
    assert "unsupported protocol" in near.refused or "version" in near.refused


def test_a_peer_behind_a_nat_is_found_by_its_handshake() -> None:
    near, far = pair()
    join(near, far, source=NAT)
    assert near.keys is not None
    assert near.source == NAT


def test_whom_we_called_answers_from_there_and_nobody_else_is_heard() -> None:
    near, phone = ours(THEIRS.fingerprint, active=True), Phone(active=False)
    for data, _ in near.to_send():
        phone.receive(data, NEAR, START)
    answer = phone.to_send()
    for data, _ in answer:
        near.receive(data, NAT, START)
    assert near.ignored == len(answer)
    assert near.to_send() == []
    other = Phone()
    other.begin()
    for data, _ in other.to_send():
        near.receive(data, NAT, START)
    assert near.to_send() == []
    for data, _ in answer:
        near.receive(data, FAR, START)
    join(near, phone)
    assert near.keys is not None


def test_of_a_chain_of_certificates_the_last_one_counts() -> None:
    leaf, authority = issued()
    near, phone = ours(leaf.fingerprint), Phone(own=leaf, chain=[authority])
    phone.begin()
    join(near, phone)
    assert near.keys is not None, near.refused
    near, phone = ours(authority.fingerprint), Phone(own=leaf, chain=[authority])
    phone.begin()
    join(near, phone)
    assert near.keys is None
    assert leaf.fingerprint.split()[1] in near.refused


def test_datagrams_of_any_size_come_together() -> None:
    near, phone = ours(THEIRS.fingerprint), Phone(mtu=260)
    phone.begin()
    carried = join(near, phone)
    assert phone.done and near.keys is not None
    assert len([data for data in carried if len(data) <= 260]) >= 3


def in_disorder(flight: list[bytes]) -> list[bytes]:
    """The last record first, up to the change of ciphers: OpenSSL keeps no such for later, but has it repeated."""
    bare = [data for data in flight if data[0] == 22 and data[3:5] == b"\0\0"]
    return bare[::-1] + [data for data in flight if data not in bare]


@pytest.mark.parametrize("disturb", [in_disorder, lambda flight: flight + flight])
def test_datagrams_that_overtake_each_other_or_come_twice_come_together(
    disturb: Callable[[list[bytes]], list[bytes]],
) -> None:
    near, phone = ours(THEIRS.fingerprint), Phone(mtu=300)
    phone.packed = False
    phone.begin()
    while near.keys is None:
        back = [data for data, _ in phone.to_send()]
        assert back
        for data in disturb(back):
            near.receive(data, FAR, START)
        for data, _ in near.to_send():
            phone.receive(data, NEAR, START)
    assert phone.done


def test_a_flight_that_is_lost_is_sent_again() -> None:
    """In real time, since OpenSSL's timer is: the only test that waits, a second, with each of four flights lost."""
    pairs = [pair() for _ in range(4)]
    for which, (near, far) in enumerate(pairs):
        join(near, far, lost=lambda n, which=which: n == which)  # type: ignore[misc]
        assert near.keys is None or far.keys is None
    began = time.monotonic()
    while waiting := [ends for ends in pairs if ends[0].keys is None or ends[1].keys is None]:
        due = min(each.timer() or START + DEADLINE_S for ends in waiting for each in ends)
        select.select([], [], [], max(0.0, due - START - (time.monotonic() - began)))
        now = START + time.monotonic() - began
        assert now < START + DEADLINE_S
        for near, far in waiting:
            near.on_timer(now)
            far.on_timer(now)
            join(near, far, now=now)
    for near, far in pairs:
        assert near.keys is not None and far.keys is not None
        assert near.keys.local_key == far.keys.remote_key


def test_without_a_peer_the_leg_fails_in_the_end() -> None:
    near = ours(THEIRS.fingerprint)
    assert near.timer() == START + DEADLINE_S
    near.on_timer(START + DEADLINE_S - 0.1)
    assert near.failure == ""
    near.on_timer(START + DEADLINE_S)
    assert near.failure == "no handshake came to an end"
    near.receive(pair()[1].to_send()[0][0], FAR, START + DEADLINE_S)
    assert near.to_send() == []


@pytest.mark.parametrize(("source", "patience_s"), [(NAT, STALLED_S), (FAR, 2 * STALLED_S)])
def test_a_handshake_that_stalls_is_forgotten_so_that_the_peer_can_begin_anew(
    source: tuple[str, int], patience_s: float
) -> None:
    near, far = pair()
    ((hello, _),) = pair()[1].to_send()
    near.receive(hello, source, START)
    near.to_send()
    near.on_timer(START + patience_s - 0.1)
    assert near.refused == ""
    assert (near.timer() or 0) <= START + patience_s
    near.on_timer(START + patience_s)
    assert near.refused == f"{source[0]}:{source[1]}: the handshake came to no end"
    join(near, far, source, now=START + patience_s)
    assert near.keys is not None


def test_after_the_keys_the_last_flight_is_kept_for_a_while_and_then_let_go() -> None:
    near, far = pair()
    join(near, far)
    assert near.timer() == START + DEADLINE_S
    winner = weakref.ref(near._associations[FAR])
    gc.disable()
    try:
        near.on_timer(START + DEADLINE_S)
        assert winner() is None, "it waits for the garbage collector"
    finally:
        gc.enable()
    assert near.timer() is None
    assert near.keys is not None and near.failure == ""


@pytest.mark.parametrize(
    ("fingerprint", "said"),
    [
        ("", "hash '' is none of sha-1"),
        ("md5 AA:BB", "hash 'md5' is none of sha-1"),
        ("sha-256", "not made of pairs of hexadecimal digits"),
        ("sha-256 AA;BB", "not made of pairs of hexadecimal digits"),
        ("sha-256 " + ":".join(["AA"] * 31), "a fingerprint of 31 bytes is none of sha-256"),
        ("sha-1 " + ":".join(["AA"] * 32), "a fingerprint of 32 bytes is none of sha-1"),
    ],
)
def test_a_fingerprint_that_is_none_is_refused(fingerprint: str, said: str) -> None:
    with pytest.raises(DtlsError, match=said):
        ours(fingerprint)


@pytest.mark.parametrize(
    ("certificate", "key"),
    [(b"", OURS.key), (OURS.certificate, b"noise"), (OURS.certificate, THEIRS.key), (OURS.key, OURS.key)],
)
def test_a_certificate_of_ours_that_is_none_is_refused(certificate: bytes, key: bytes) -> None:
    with pytest.raises(DtlsError, match="our certificate and key cannot be used"):
        DtlsSrtp(Dtls(False, THEIRS.fingerprint, certificate, key), None, START)


def test_nobody_can_be_called_without_an_address() -> None:
    with pytest.raises(DtlsError, match="said no address"):
        ours(THEIRS.fingerprint, active=True, remote=None)
