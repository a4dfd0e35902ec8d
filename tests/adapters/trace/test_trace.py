"""The wire trace: what is kept, what is never kept, what is dropped, and what a collector understands."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.trace.hep import encapsulate
from adapters.trace.mask import masked
from adapters.trace.message import Seen, call_id_of
from adapters.trace.segment import find, frame, segments
from adapters.trace.tap import Collector, Files, Tap

LOCAL, REMOTE = "127.0.0.1:5060", "127.0.0.1:6001"


def message(call_id: str, extra: str = "") -> bytes:
    return f"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCall-ID: {call_id}\r\n{extra}\r\n".encode()


def seen(call_id: str, at_us: int = 1_000, extra: str = "") -> Seen:
    return Seen(at_us, False, "udp", LOCAL, REMOTE, message(call_id, extra))


def write(folder: Path, *batches: Sequence[Seen], limit_bytes: int = 1 << 20) -> None:
    files = Files(folder, limit_bytes)
    for batch in batches:
        files.take(batch)
    files.close()


def test_a_call_is_found_among_others(tmp_path: Path) -> None:
    write(tmp_path, [seen("a", 1), seen("b", 2)], [seen("a", 3)])
    assert [one.at_us for one in find(tmp_path, {"a"}, 0, 10)] == [1, 3]
    assert [one.at_us for one in find(tmp_path, {"a", "b"}, 2, 3)] == [2, 3]
    assert list(find(tmp_path, {"c"}, 0, 10)) == []
    assert list(find(tmp_path / "nothing", {"a"}, 0, 10)) == []


@given(st.lists(st.tuples(st.binary(max_size=200), st.booleans(), st.sampled_from(["udp", "tls"])), max_size=20))
def test_what_is_written_is_read_back(messages: list[tuple[bytes, bool, str]]) -> None:
    batch = [
        Seen(at, outbound, transport, LOCAL, "[::1]:6001", message("x") + body)
        for at, (body, outbound, transport) in enumerate(messages, 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        if batch:
            write(Path(folder), batch)
        assert list(find(Path(folder), {"x"}, 0, 1_000)) == batch


def test_a_torn_last_frame_ends_its_segment(tmp_path: Path) -> None:
    write(tmp_path, [seen("a", 1), seen("a", 2)])
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert [one.at_us for one in find(tmp_path, {"a"}, 0, 10)] == [1]


def test_the_oldest_segment_goes_first(tmp_path: Path) -> None:
    limit_bytes = 80_000
    write(tmp_path, *([seen("a", at, "X: " + "y" * 1000 + "\r\n")] for at in range(1, 200)), limit_bytes=limit_bytes)
    kept = [one.at_us for one in find(tmp_path, {"a"}, 0, 1_000)]
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= limit_bytes
    assert kept == list(range(kept[0], 200))
    assert kept[0] > 100


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Proxy-Authorization", "PROXY-AUTHORIZATION"])
def test_credentials_are_not_kept(name: str) -> None:
    data = message("a", f'{name}: Digest username="1001",\r\n response="0123"\r\nX: 1\r\n')
    assert masked(data) == message("a", f"{name}: Digest ***\r\nX: 1\r\n")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^31",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^31",
        ),
        ("k=clear:secret", "k=clear:***"),
        ("a=key-mgmt:mikey secret", "a=key-mgmt:mikey ***"),
    ],
)
def test_media_keys_are_not_kept(line: str, kept: str) -> None:
    assert masked(message("a") + line.encode()) == message("a") + kept.encode()


@given(st.binary(max_size=300))
def test_anything_can_be_traced(data: bytes) -> None:
    assert frame(Seen(1, True, "udp", LOCAL, REMOTE, masked(data)))
    assert isinstance(call_id_of(data), bytes)


class Blocked:
    """A sink that the test releases."""

    def __init__(self) -> None:
        self.entered, self.released = threading.Event(), threading.Event()
        self.taken: list[Seen] = []

    def take(self, batch: Sequence[Seen]) -> None:
        self.entered.set()
        self.released.wait(20)
        self.taken += batch

    def close(self) -> None: ...


def test_calls_never_wait_for_the_trace() -> None:
    sink = Blocked()
    tap = Tap([sink], queue_bytes=1_000, clock_ns=lambda: 5_000)
    tap(False, "udp", LOCAL, REMOTE, b"first")
    assert sink.entered.wait(20)
    for _ in range(3):
        tap(True, "udp", LOCAL, REMOTE, b"x" * 400)
    assert tap.left_out == 1
    sink.released.set()
    tap.close()
    assert [(one.at_us, len(one.data)) for one in sink.taken] == [(5, 5), (5, 400), (5, 400)]


class Broken(Blocked):
    def take(self, batch: Sequence[Seen]) -> None:
        raise OSError("no space left")


def test_a_sink_that_fails_does_not_stop_the_other() -> None:
    good = Blocked()
    good.released.set()
    tap = Tap([Broken(), good])
    tap(False, "udp", LOCAL, REMOTE, b"one")
    tap.close()
    assert [one.data for one in good.taken] == [b"one"]


def test_a_collector_gets_hep() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(20)
        sink = Collector("127.0.0.1", collector.getsockname()[1], 7)
        sink.take([seen("a", 1_700_000_000_123_456)])
        sink.close()
        packet = collector.recv(65_535)
    assert packet[:4] == b"HEP3"
    assert struct.unpack("!H", packet[4:6]) == (len(packet),)
    assert message("a") in packet


def test_addresses_of_two_families_are_left_out() -> None:
    with pytest.raises(ValueError, match="families"):
        encapsulate(Seen(1, True, "udp", LOCAL, "[::1]:6001", b""), 1)


@pytest.mark.parametrize(("local", "remote", "family"), [(LOCAL, REMOTE, 2), ("[::1]:5060", "[::1]:6001", 10)])
@pytest.mark.parametrize("outbound", [False, True])
def test_the_chunks_of_hep(local: str, remote: str, family: int, outbound: bool) -> None:
    packet = encapsulate(Seen(1_700_000_000_123_456, outbound, "udp", local, remote, message("call-7")), 7)
    chunks = _chunks(packet[6:])
    ports = (5060, 6001) if outbound else (6001, 5060)
    numbers = [int.from_bytes(chunks[kind], "big") for kind in (1, 2, 7, 8, 9, 10, 11, 12)]
    assert numbers == [family, 17, *ports, 1_700_000_000, 123_456, 1, 7]
    first = 3 if family == 2 else 5
    assert {len(chunks[first]), len(chunks[first + 1])} == {4 if family == 2 else 16}
    assert (chunks[15], chunks[17]) == (message("call-7"), b"call-7")


def _chunks(data: bytes) -> dict[int, bytes]:
    """Type -> payload, as a collector reads them."""
    found = {}
    while data:
        vendor, kind, length = struct.unpack("!HHH", data[:6])
        assert vendor == 0
        found[kind], data = data[6:length], data[length:]
    return found
