"""Sealed recordings: what is read is what was written, and nothing else can be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.sealed import OVERHEAD_BYTES, SEALED_HEAD_BYTES, Form, SealedError, SealedWave, Sealing
from media.track import Track, head

KEY = bytes(range(32))
TRACK = Track(8000, 1)
FORM = Form(bytes(32), TRACK, 100)


def sealed(data: bytes, key: bytes = KEY, form: Form = FORM) -> bytes:
    """A finished file, with nonces that count."""
    sealing = Sealing(key, form)
    wholes = len(data) // form.chunk_bytes
    parts = [data[n * form.chunk_bytes : (n + 1) * form.chunk_bytes] for n in range(wholes + 1)]
    chunks = [sealing.seal(n, part, n.to_bytes(12, "big"), n == wholes) for n, part in enumerate(parts)]
    return sealing.head + b"".join(chunks)


def opened(stored: bytes, key: bytes = KEY) -> SealedWave:
    return SealedWave(key, len(stored), reader(stored))


def reader(stored: bytes) -> Callable[[int, int], bytes]:
    return lambda at, length: stored[at : at + length]


@given(st.binary(max_size=350), st.integers(0, 400), st.integers(0, 400))
def test_any_part_of_the_wav_can_be_read(data: bytes, start: int, length: int) -> None:
    data = data[: len(data) // 2 * 2]
    whole = head(TRACK, len(data)) + data
    found = opened(sealed(data))
    assert len(found) == len(whole)
    assert found.read(0, len(whole)) == whole
    assert found.read(start, length) == whole[start : start + length]


@given(st.integers(0, 249), st.data())
def test_no_byte_can_be_changed_and_none_left_out(length: int, data: st.DataObject) -> None:
    stored = sealed(bytes(length))
    at = data.draw(st.integers(0, len(stored) - 1))
    changed = stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]
    for broken in (changed, stored[:at], stored[:at] + stored[at + 1 :]):
        with pytest.raises(SealedError):
            opened(broken).read(0, 1000)


def test_chunks_cannot_change_places_nor_come_from_another_file() -> None:
    size = FORM.chunk_bytes + OVERHEAD_BYTES
    one, other = sealed(b"a" * 200), sealed(b"b" * 200, form=FORM._replace(salt=b"1" * 32))
    begin, middle = SEALED_HEAD_BYTES, SEALED_HEAD_BYTES + size
    swapped = one[:begin] + one[middle : middle + size] + one[begin:middle] + one[middle + size :]
    foreign = one[:begin] + other[begin:middle] + one[middle:]
    dropped = one[:begin] + one[middle:]
    for broken in (swapped, foreign, dropped):
        with pytest.raises(SealedError, match="chunk [01] is not what was written there"):
            opened(broken).read(0, 1000)


def test_the_fault_is_named() -> None:
    stored = sealed(b"a" * 120)
    with pytest.raises(SealedError, match="another key"):
        opened(stored, bytes(32))
    with pytest.raises(SealedError, match="not finished, or was cut"):
        opened(stored[: SEALED_HEAD_BYTES + FORM.chunk_bytes + OVERHEAD_BYTES])
    with pytest.raises(SealedError, match="does not begin"):
        opened(b"RIFF" + stored[4:])
    with pytest.raises(SealedError, match="key of 3 bytes"):
        opened(stored, b"abc")
    with pytest.raises(SealedError, match="makes no sense"):
        opened(Sealing(KEY, FORM._replace(chunk_bytes=1 << 30)).head + bytes(100))


def test_equal_sounds_are_sealed_differently() -> None:
    plain = bytes(100)
    stored = sealed(plain + plain)
    size = FORM.chunk_bytes + OVERHEAD_BYTES
    assert plain[:16] not in stored[SEALED_HEAD_BYTES:]
    assert stored[SEALED_HEAD_BYTES:][12:size] != stored[SEALED_HEAD_BYTES:][size + 12 : 2 * size]
