"""What anybody can send to a port that waits for a handshake: noise, fragments, floods; none of it costs the peer's."""

from __future__ import annotations

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.dtls import STALLED_S, STRANGERS_LIMIT, DtlsSrtp
from media.dtls_record import LONGEST_MESSAGE, datagrams, is_client_hello, is_sound, records
from tests.media.dtls_end import FAR, NAT, NEAR, OTHER, START, THEIRS, Phone, join, ours, pair


def record(body: bytes, content_type: int = 22, epoch: int = 0, number: int = 0) -> bytes:
    head = bytes((content_type,)) + b"\xfe\xfd" + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
    return head + len(body).to_bytes(2, "big") + body


def fragment(message: int, length: int, offset: int, data: bytes, message_type: int = 1) -> bytes:
    head = bytes((message_type,)) + length.to_bytes(3, "big") + message.to_bytes(2, "big")
    return record(head + offset.to_bytes(3, "big") + len(data).to_bytes(3, "big") + data)


def hello() -> bytes:
    return pair()[1].to_send()[0][0]


def stranger(number: int) -> tuple[str, int]:
    return "192.0.2.1", 1000 + number


def comes_through(near: DtlsSrtp, source: tuple[str, int] = FAR) -> bool:
    far = pair()[1]
    join(near, far, source)
    return near.keys is not None and far.keys is not None and near.keys.local_key == far.keys.remote_key


@given(st.lists(st.tuples(st.binary(max_size=400), st.booleans()), max_size=20))
@settings(max_examples=60, deadline=None)
def test_noise_from_anywhere_is_ignored(noise: list[tuple[bytes, bool]]) -> None:
    near = pair()[0]
    for data, from_the_peer in noise:
        near.receive(b"\x16\xfe\xfd" + data, FAR if from_the_peer else NAT, START)
        near.receive(data, FAR, START)
    assert comes_through(near)


@given(st.integers(0, 1), st.lists(st.tuples(st.integers(0, 9999), st.integers(1, 255)), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_flight_with_changed_bytes_never_gives_other_keys_and_keeps_nobody_else_out(
    which: int, changes: list[tuple[int, int]]
) -> None:
    near, phone = ours(THEIRS.fingerprint), Phone()
    phone.begin()
    for turn in range(2):
        flight = [each for each, _ in phone.to_send()]
        for each in flight:
            if turn == which:
                changed = bytearray(each)
                for at, bits in changes:
                    changed[at % len(each)] ^= bits
                near.receive(bytes(changed), NAT, START)
                near.receive(bytes(changed), FAR, START)
            near.receive(each, FAR, START)
        for each, _ in near.to_send():
            phone.receive(each, NEAR, START)
    if near.keys is not None:
        exported = phone.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 60)
        assert near.keys.remote_key[:16] == exported[:16]
    else:
        assert comes_through(near, ("127.0.0.2", 5001))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x16",
        b"\x16\xfe\xfd" + bytes(9),
        b"\x16\xfe\xfd" + bytes(8) + b"\x00\x01",
        record(b"x")[:-1],
        record(b"x") + b"x",
        record(b"x", content_type=24),
        record(b"x").replace(b"\xfe\xfd", b"\x03\x03"),
        record(bytes(12)[:-1]),
        record(bytes((1 << 14) + 2049)),
        fragment(0, LONGEST_MESSAGE + 1, 0, b"x"),
        fragment(0, 100, 0, b"x" * 20)[:-1],
        record(b"\x01" + bytes(8) + b"\x00\x00\x05" + b"xx"),
    ],
    ids=lambda data: data[:14].hex(),
)
def test_what_is_no_dtls_never_reaches_openssl(data: bytes) -> None:
    near = pair()[0]
    assert not is_sound(data)
    near.receive(data, FAR, START)
    assert (near.ignored, near.to_send()) == (1, [])


@pytest.mark.parametrize(
    "data",
    [
        fragment(0, 4, 0, bytes(4), message_type=2),
        record(b"\x02\x28", content_type=21),
        record(b"\x01", content_type=20),
        record(bytes(40), content_type=23, epoch=1),
        record(bytes(40), epoch=1),
    ],
)
def test_only_a_client_hello_begins_a_handshake(data: bytes) -> None:
    near = pair()[0]
    near.receive(data, FAR, START)
    assert (near.ignored, near.to_send()) == (1, [])


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(0, 1500))
def test_records_are_packed_in_their_order_into_datagrams_that_fit(bodies: list[bytes], mtu: int) -> None:
    whole = [record(body, content_type=23, epoch=1, number=n) for n, body in enumerate(bodies)]
    packed = datagrams(b"".join(whole), mtu)
    assert b"".join(packed) == b"".join(whole)
    for each in packed:
        assert len(each) <= mtu or len(list(records(each))) == 1
        assert is_sound(each) and not is_client_hello(each)


def test_strangers_have_few_places_which_are_free_again_and_never_the_peers() -> None:
    near = pair()[0]
    for number in range(50):
        near.receive(hello(), stranger(number), START)
    assert near.ignored == 50 - STRANGERS_LIMIT
    assert {to for _, to in near.to_send()} == {stranger(number) for number in range(STRANGERS_LIMIT)}
    late = START + STALLED_S
    near.on_timer(late)
    near.to_send()
    near.receive(hello(), stranger(99), late)
    assert {to for _, to in near.to_send()} == {stranger(99)}


def test_strangers_in_all_places_do_not_keep_the_peer_out() -> None:
    near = pair()[0]
    for number in range(STRANGERS_LIMIT):
        near.receive(hello(), stranger(number), START)
    near.to_send()
    assert comes_through(near)


def test_a_stranger_with_a_certificate_of_its_own_does_not_end_the_peers_handshake() -> None:
    near, far = pair()
    ((first, _),) = far.to_send()
    near.receive(first, FAR, START)
    answer = near.to_send()
    other = Phone(own=OTHER)
    other.begin()
    join(near, other, NAT)
    assert "127.0.0.3:6000: the certificate's sha-256" in near.refused
    for data, _ in answer:
        far.receive(data, NEAR, START)
    join(near, far)
    assert near.keys is not None and near.source == FAR


def test_when_the_peer_has_come_through_nobody_else_is_heard() -> None:
    near = pair()[0]
    assert comes_through(near)
    keys, ignored = near.keys, near.ignored
    other = Phone()
    other.begin()
    for data, _ in other.to_send():
        near.receive(data, NAT, START)
    assert (near.keys, near.ignored, near.to_send()) == (keys, ignored + 1, [])
    near.receive(record(bytes(100), content_type=23, epoch=1, number=9), FAR, START)
    near.receive(record(b"\x02\x28", content_type=21), FAR, START)
    near.receive(hello(), FAR, START)
    assert near.keys == keys and near.failure == ""


def test_fragments_that_never_come_together_take_no_memory_for_long() -> None:
    near = pair()[0]

    def flood(rounds: range) -> None:
        for number in rounds:
            message, offset = number % 40, number * 7 % (LONGEST_MESSAGE - 200)
            data = fragment(message, LONGEST_MESSAGE, offset, bytes(100), 1 if message == 0 else 11)
            near.receive(data, FAR, START)
            near.receive(data, stranger(number % 7), START)

    process = psutil.Process()
    flood(range(2_000))
    before = process.memory_info().rss
    flood(range(2_000, 12_000))
    assert process.memory_info().rss - before < 4 << 20
    assert len(near._associations) <= STRANGERS_LIMIT + 1
    assert len(near.to_send()) <= 64
