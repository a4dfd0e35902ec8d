"""RTCP of all legs: what parties tell of what they receive, and what we tell of what they send (RFC 3550 section 6).

What may live here: when a report is due and what is in it. The format is `media.rtcp`'s, counting is `media.columns`'.

The NTP times in our reports are those of the tick's steady clock: they are only compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from media import rtcp
from media.batch import Address, Network
from media.columns import Columns
from media.quality import Reach
from media.rtcp import Block, Description, Goodbye, Message, ReceiverReport, SenderReport
from media.stream import Stream

_CHANCE_BITS = 32
_NAME_BITS = 96
_FRACTIONS = 256
"""of lost packets, of which a report says how many (RFC 3550 section 6.4.1)"""
_NEVER = np.inf


@dataclass
class Party:
    """What the other side's reports say, -1 for nothing yet."""

    name: str
    """ours towards it (RFC 7022)"""
    remote: Address | None = None
    """where its reports come from"""
    last_report: int = 0
    """NTP time of its last sender report, the middle 32 bits, and when that came"""
    last_report_s: float = 0.0
    lost: int = -1
    round_trip_ms: int = -1
    reach: Reach = field(default_factory=Reach)


class Reports:
    """Of all legs; `streams` has them by their rows. `chance` gives a number of so many bits."""

    def __init__(
        self,
        columns: Columns,
        streams: Sequence[Stream | None],
        network: Network,
        chance: Callable[[int], int],
    ) -> None:
        self._columns = columns
        self._streams = streams
        self._network = network
        self._chance = chance
        self._due_s = np.full(len(streams), _NEVER)
        self._next_s = _NEVER
        """the least of them, or less"""
        self._parties: dict[int, Party] = {}

    def join(self, row: int, now_s: float) -> None:
        """A leg is at this row from now on."""
        self._parties[row] = Party(f"{self._chance(_NAME_BITS):024x}")
        self._due_s[row] = now_s + self._interval_s(first=True)
        self._next_s = min(self._next_s, float(self._due_s[row]))

    def forget(self, row: int) -> None:
        """The party of a leg takes reports elsewhere from now on."""
        self._parties[row].remote = None

    def leave(self, stream: Stream, now_s: float) -> Party:
        """Say goodbye for a leg; what its party said last."""
        goodbye = Goodbye((int(self._columns.sent_source[stream.row]),))
        self._send(stream, goodbye, now_s)
        self._due_s[stream.row] = _NEVER
        return self._parties.pop(stream.row)

    def party(self, row: int) -> Party:
        """What the party of a leg has said so far."""
        return self._parties[row]

    def receive(self, stream: Stream, data: bytes, source: Address, now_s: float) -> None:
        """Take a packet of RTCP. Without encryption only the host that the leg is at is heard."""
        if stream.srtp is not None:
            plain = stream.srtp.unprotect_rtcp(data)
        elif stream.leg.secure is not None:
            return
        else:
            remote = stream.latch.remote
            plain = data if remote is not None and remote[0] == source[0] else None
        if plain is None:
            return
        party = self._parties[stream.row]
        for message in rtcp.parse(plain):
            party.remote = source
            if isinstance(message, SenderReport):
                party.last_report, party.last_report_s = rtcp.middle(message.ntp), now_s
            if isinstance(message, (SenderReport, ReceiverReport)):
                self._learn(stream.row, party, message.blocks, now_s)

    def are_due(self, now_s: float) -> bool:
        """Whether there may be some to send."""
        return now_s >= self._next_s

    def send_due(self, now_s: float) -> None:
        """Send the reports whose time has come."""
        for row in np.flatnonzero(self._due_s <= now_s).tolist():
            stream = self._streams[row]
            if stream is not None:
                self._send(stream, None, now_s)
                self._due_s[row] = now_s + self._interval_s(first=False)
        self._next_s = float(self._due_s.min())

    def _learn(self, row: int, party: Party, blocks: Sequence[Block], now_s: float) -> None:
        ours = (block.highest_sequence for block in blocks if block.ssrc == self._columns.sent_source[row])
        party.reach.learn(next(ours, None), int(self._columns.sent[row]))
        stream = self._streams[row]
        for block in blocks:
            if block.ssrc == self._columns.sent_source[row]:
                party.lost = max(block.lost, 0)
                if stream is not None and stream.speaking is not None:
                    stream.speaking.expect_loss(round(100 * block.fraction_lost / _FRACTIONS))
                round_trip_ms = rtcp.round_trip_ms(block, rtcp.ntp(now_s))
                if round_trip_ms is not None:
                    party.round_trip_ms = round(round_trip_ms)

    def _send(self, stream: Stream, last: Goodbye | None, now_s: float) -> None:
        row, party, signalled = stream.row, self._parties[stream.row], stream.latch.remote
        if signalled is None or not (self._columns.sent[row] or self._columns.received(row)):
            return
        if stream.srtp is None and stream.leg.secure is not None:  # it is to have keys
            return
        muxed = stream.leg.rtcp_mux
        remote = party.remote or (signalled[0], signalled[1] + (not muxed))
        messages: list[Message] = [self._report(row, party, now_s)]
        messages.append(Description(int(self._columns.sent_source[row]), party.name))
        packet: bytes | None = rtcp.build([*messages, last] if last is not None else messages)
        if stream.srtp is not None and packet is not None:
            packet = stream.srtp.protect_rtcp(packet)
        if packet is not None:
            self._network.report(row, packet, remote, muxed)

    def _report(self, row: int, party: Party, now_s: float) -> Message:
        columns = self._columns
        ours = int(columns.sent_source[row])
        blocks: tuple[Block, ...] = ()
        if columns.source[row] >= 0:
            delay = round((now_s - party.last_report_s) * 65536) if party.last_report else 0
            blocks = (columns.block(row, party.last_report, delay),)
        if not columns.sent[row]:
            return ReceiverReport(ours, blocks)
        return SenderReport(
            ours,
            rtcp.ntp(now_s),
            columns.sent_timestamp(row),
            int(columns.sent[row]),
            int(columns.sent_bytes[row]),
            blocks,
        )

    def _interval_s(self, first: bool) -> float:
        return rtcp.interval_s(self._chance(_CHANCE_BITS) / (1 << _CHANCE_BITS), first)
