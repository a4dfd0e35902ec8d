"""What hearing a leg costs besides its codec: packets, jitter, gaps and digits, each by the bare call below it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from struct import Struct

import numpy as np

from bench.table import Line, Row
from media.conceal import Gap
from media.dtmf import dual_tone
from media.jitter import JitterBuffer
from media.keypad import Detector
from media.latch import Latch
from media.mend import Mender
from media.rtp import HEADER_BYTES, Packet, header, parse, write_headers

LEGS = 300
ROUNDS, QUICK_ROUNDS = 40, 8
_PACKETS = 500
_PAYLOAD_BYTES = 160
_FRAME = 160
_ADDRESS = ("192.0.2.1", 4000)

Work = Callable[[], object]


def rows(quick: bool) -> list[Line]:
    """All rows; takes some seconds."""
    return list(_rows(QUICK_ROUNDS if quick else ROUNDS))


def _rows(rounds: int) -> Iterator[Row]:
    data = [header(0, n, n * _FRAME, 7) + bytes(_PAYLOAD_BYTES) for n in range(_PACKETS)]
    packets = [packet for packet in map(parse, data) if packet is not None]
    fields = Struct("!BBHII")
    yield _row(
        "parse an RTP packet", lambda: [parse(one) for one in data],
        "its fields by struct, its payload cut out",
        lambda: [(fields.unpack_from(one), one[HEADER_BYTES:]) for one in data], _PACKETS, rounds,
    )  # fmt: skip
    matrix, numbers = np.zeros((LEGS, HEADER_BYTES + _PAYLOAD_BYTES), np.uint8), np.arange(LEGS)
    written = matrix[:, :HEADER_BYTES].copy()
    yield _row(
        f"write an RTP header, {LEGS} at once", lambda: write_headers(matrix, 0, numbers, numbers, numbers),
        "copies of as many bytes", lambda: np.copyto(matrix[:, :HEADER_BYTES], written), LEGS, rounds,
    )  # fmt: skip
    yield _row(
        "whether a packet is from where the leg is", lambda: _latched(packets),
        "a comparison of addresses", lambda: [_ADDRESS == ("192.0.2.1", 4000) for _ in packets], _PACKETS, rounds,
    )  # fmt: skip
    yield from _buffers(packets, rounds)
    yield from _gaps(rounds)
    yield from _digits(rounds)


def _buffers(packets: Sequence[Packet], rounds: int) -> Iterator[Row]:
    """A packet in and a frame out."""
    late_ms = np.random.default_rng(1).uniform(0, 40, len(packets))
    kept = np.random.default_rng(2).random(len(packets)) > 0.03
    arrivals = [(n * 20 + late, packet) for n, (packet, late) in enumerate(zip(packets, late_ms.tolist(), strict=True))]
    uneven = sorted((one for one, keep in zip(arrivals, kept, strict=True) if keep), key=lambda one: one[0])
    even = [(n * 20.0, packet) for n, packet in enumerate(packets)]
    for name, came in (("even", even), ("40 ms of jitter, 3 % lost", uneven)):
        yield _row(
            f"jitter buffer, {name}: a packet in and a frame out", lambda came=came: _buffered(came),  # type: ignore[misc]
            "into a dict by its timestamp and out of it", lambda: _kept(packets), _PACKETS, rounds,
        )  # fmt: skip


def _gaps(rounds: int) -> Iterator[Row]:
    chance = np.random.default_rng(3)
    frames = chance.integers(-8000, 8000, (LEGS, _FRAME)).astype(np.int16)
    legs = np.arange(LEGS)
    for name, share in (("nothing lost", 0.0), ("3 % lost", 0.03)):
        mender, lost = Mender(LEGS, 8000), [chance.random(LEGS) < share for _ in range(20)]
        yield _row(
            f"conceal what {LEGS} legs lost, {name}: a frame of one",
            lambda mender=mender, lost=lost: [mender.mend(frames, legs, ~one[:, None], one) for one in lost],  # type: ignore[misc]
            "copies of their frames", lambda: [frames.copy() for _ in range(20)], LEGS * 20, rounds,
        )  # fmt: skip
    history, frame = frames[:3].ravel(), frames[3]
    end, before = history[-160:].astype(float), history[-400:-40].astype(float)
    yield _row(
        "conceal a gap of 20 ms and lead out of it", lambda: _concealed(history, frame),
        "one correlation, for its pitch", lambda: np.correlate(before, end, "valid"), 1, rounds,
    )  # fmt: skip


def _digits(rounds: int) -> Iterator[Row]:
    chance = np.random.default_rng(4)
    speech, digit = chance.integers(-8000, 8000, _FRAME).astype(np.int16), dual_tone("5", 20)
    basis = chance.random((200, 48))
    windows = chance.random((4, 200))
    for name, sound in (("without", speech), ("with", digit)):
        detector = Detector(8000)
        yield _row(
            f"look for digits in a frame {name} one", lambda detector=detector, sound=sound: detector.detect(sound),  # type: ignore[misc]
            "the product of matrices in it", lambda: windows @ basis, 1, rounds,
        )  # fmt: skip


def _latched(packets: Sequence[Packet]) -> None:
    latch = Latch(_ADDRESS)
    for packet in packets:
        latch.accept(_ADDRESS, packet, 0)


def _buffered(arrivals: Sequence[tuple[float, Packet]]) -> None:
    buffer, place = JitterBuffer(8000, _FRAME), 0
    for now_ms in range(0, _PACKETS * 20, 20):
        while place < len(arrivals) and arrivals[place][0] <= now_ms:
            buffer.put(arrivals[place][1], now_ms)
            place += 1
        buffer.take(now_ms)


def _kept(packets: Sequence[Packet]) -> None:
    held: dict[int, bytes] = {}
    for packet in packets:
        held[packet.timestamp] = packet.payload
        held.pop(packet.timestamp)


def _concealed(history: np.ndarray, frame: np.ndarray) -> None:
    gap = Gap(history, 8000)
    gap.frame(_FRAME)
    gap.join(frame)


def _row(name: str, work: Work, yardstick: str, bare: Work, times: int, rounds: int) -> Row:
    """Microseconds of CPU of one of `times`, the best of all rounds in turn: others on the machine only add."""
    best = [float("inf")] * 2
    repeat = max(1, 200 // times)
    for _ in range(rounds):
        for number, one in enumerate((work, bare)):
            begun_ns = time.process_time_ns()
            for _ in range(repeat):
                one()
            best[number] = min(best[number], (time.process_time_ns() - begun_ns) / 1000 / times / repeat)
    return Row(name, best[0], "us", yardstick, best[1], facts={"% of a core a leg": best[0] / 20_000 * 100})
