"""Frames between sessions and media workers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire import (
    Codec,
    Context,
    Drop,
    Dtls,
    FrameError,
    Frames,
    Inventory,
    Leg,
    Put,
    Sdes,
    frame,
    from_worker,
    to_worker,
)

LEG = Leg("l1", 20000, ("127.0.0.1", 4000), (Codec("PCMU", 0),), dtmf=101)
PUTS = [
    Put("room", 1, 7, Context((LEG,))),
    Put("room", 2, 7, Context((Leg("l2", 20002, None, (), secure=Sdes("AES_CM_128_HMAC_SHA1_80", b"a", b"b")),))),
    Put("room", 3, 7, Context((Leg("l3", 20004, None, (), secure=Dtls(True, "sha-256 AA", b"c", b"k")),))),
    Drop("room", 7),
]


@given(st.lists(st.sampled_from(PUTS)), st.data())
def test_what_is_framed_comes_out_whatever_the_pieces(sent: list[Put | Drop], data: st.DataObject) -> None:
    stream = b"".join(map(frame, sent))
    frames, got = Frames(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += [to_worker.decode(body) for body in frames.feed(stream[:cut])]
        stream = stream[cut:]
    assert got == sent


def test_what_a_worker_says_is_told_apart_by_its_type() -> None:
    said = Inventory((("room", 3, 7),), 500)
    (body,) = Frames().feed(frame(said))
    assert from_worker.decode(body) == said


def test_a_frame_that_is_too_long_is_an_error_before_it_is_kept() -> None:
    with pytest.raises(FrameError, match="frame of 4294967295 bytes"):
        list(Frames().feed(b"\xff\xff\xff\xff"))
    with pytest.raises(FrameError, match="message of"):
        frame(Put("room", 1, 1, Context((Leg("x" * (1 << 20), 1, None, ()),))))
