"""Packets as they are on the wire, and a replay whose outcome is written down.

`tests/golden/media/replay.heard` is to change only together with a reason: read it beside `replay.rtp`.
"""

from itertools import groupby
from pathlib import Path

from media.dtmf import Digit, EventReceiver, EventSender
from media.jitter import Absent, JitterBuffer
from media.rtp import Packet, build, parse

GOLDEN = Path(__file__).parents[1] / "golden" / "media"
COMFORT_NOISE = 13


def rows(name: str) -> list[list[str]]:
    lines = (GOLDEN / name).read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def test_digits_are_sent_byte_for_byte() -> None:
    sender, sequence = EventSender(), 65534
    sender.send("5#", 60)
    sent = []
    for now_ms in range(0, 400, 20):
        event = sender.tick(4096 + now_ms * 8)
        if event is not None:
            packet = Packet(101, event.marker, sequence % 65536, event.timestamp, 0xCAFE0001, event.payload)
            sent.append((now_ms, build(packet)))
            sequence += 1
    assert sent == [(int(when), bytes.fromhex(head + event)) for when, head, event in rows("events.rtp")]


def test_digits_are_received_byte_for_byte() -> None:
    receiver, found = EventReceiver(), []
    for when, head, event in rows("events.rtp"):
        packet = parse(bytes.fromhex(head + event))
        assert packet is not None
        found += [(int(when), digit) for digit in receiver.receive(packet, int(when))]
    assert found == [(40, Digit("5", 60)), (180, Digit("#", 60))]


def arrivals() -> list[tuple[float, bytes]]:
    return [
        (float(when), bytes.fromhex(head) + bytes.fromhex(payload[:2]) * int(payload[3:]))
        for when, head, payload in rows("replay.rtp")
    ]


def written(frame: bytes | Absent, payload_type: int) -> str:
    if isinstance(frame, Absent):
        return frame.name
    runs = ((value, len(list(run))) for value, run in groupby(frame))
    return f"{payload_type}: " + " ".join(f"{value:02x}*{length}" for value, length in runs)


def replay() -> tuple[list[str], JitterBuffer]:
    """What a leg hears, by ticks of 20 ms, as its worker would: parse, buffer, take."""
    into = JitterBuffer(8000, 160)
    heard: list[str] = []
    waiting = arrivals()[::-1]
    for now_ms in range(0, int(waiting[0][0]) + 300, 20):
        while waiting and waiting[-1][0] <= now_ms:
            packet = parse(waiting.pop()[1])
            assert packet is not None
            into.put(packet, now_ms, noise=packet.payload_type == COMFORT_NOISE)
        frame = into.take(now_ms)
        heard.append(f"{now_ms} {written(frame, into.payload_type)}")
    return heard, into


def test_a_replay_is_heard_as_it_was_written_down() -> None:
    heard, into = replay()
    assert heard == (GOLDEN / "replay.heard").read_text().splitlines()
    counted = (into.late, into.repeated, into.overflowed, into.skipped, into.missed)
    assert counted == (0, 3, 0, 24, 31)
