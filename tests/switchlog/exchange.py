"""A whole switchboard in memory: the SIP application over shards, with a journal and a clock that the test drives.

Phones are addresses; what they send is text, what they get is parsed. No socket, no thread, no real time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from adapters.journal.codec import decode
from adapters.sip.application import Now
from adapters.sip.auth import answer, ha1
from adapters.sip.message import Request, Response, parse
from domain.ids import new_stream_id, shard_of, shard_of_call
from domain.ports import Batch, Cursor, Done, JournalFull, OwnershipLost, Record, Stored
from domain.routing.directory import Directory
from domain.values import Flow
from switchlog.wiring import Hooks, SessionParts, wire
from tests.domain.world import START, directory, seconds

SERVER = "127.0.0.1:5060"
PASSWORD = "secret"


class HeldJournal:
    """A journal whose durability the test decides: `commit` releases what waits, `lose` refuses it."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self._lengths: Counter[UUID] = Counter()
        self.held = False
        self.full = False
        self._waiting: list[tuple[int, int, Sequence[Record], Done]] = []

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        return dict.fromkeys(shards, 1)

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done) -> None:
        if self.full:
            raise JournalFull("the test says so")
        self._waiting.append((shard, epoch, records, done))
        if not self.held:
            self.commit()

    def commit(self) -> None:
        while self._waiting:
            shard, epoch, records, done = self._waiting.pop(0)
            for record in records:
                self._lengths[record.stream] += 1
                assert record.sequence == self._lengths[record.stream], f"a gap or a fork: {record}"
                self.stored.append(Stored(len(self.stored) + 1, shard, epoch, record))
            done(len(self.stored))

    def lose(self) -> None:
        waiting, self._waiting = self._waiting, []
        for *_, done in waiting:
            done(OwnershipLost("the test says so"))

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        return [one for one in self.stored if one.record.stream == stream and one.record.sequence > after]

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        streams = dict.fromkeys(one.record.stream for one in self.stored if shard_of(one.record.stream) == shard)
        whole = [self.read(stream) for stream in streams]
        return iter([one for one in whole if (until := one[-1].record.live_until) is None or until > now])

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        raise AssertionError("nobody follows here")

    def close(self) -> None:
        self.commit()


class PlainSealer:
    def seal(self, plain: str) -> str:
        return f"sealed.{plain[::-1]}"

    def unseal(self, sealed: str) -> str:
        return sealed.removeprefix("sealed.")[::-1]


class OneSecret:
    """Every device has the password `secret`."""

    def ha1(self, tenant: str, username: str, realm: str, algorithm: str) -> str | None:
        return ha1(username, realm, PASSWORD, algorithm)


class Exchange:
    """One worker. `sent[address]` is what a phone has received, oldest first."""

    def __init__(
        self,
        journal: HeldJournal | None = None,
        epoch: int | Mapping[int, int] = 1,
        start_s: float = 0,
        directory: Callable[[], Directory] = directory,
        probe_s: int = 0,
        alive: Callable[[Flow], bool] = lambda flow: True,
    ) -> None:
        self.journal = journal or HeldJournal()
        self.clock_s = start_s
        self.sent: dict[str, list[Request | Response]] = {}
        self.wire: list[tuple[str, bytes]] = []
        self._made = 0
        self.lost: list[int] = []
        shards = range(64)
        epochs = dict.fromkeys(shards, epoch) if isinstance(epoch, int) else epoch
        switch = wire(
            SessionParts(
                node="a",
                journal=self.journal,
                epochs=epochs,
                credentials=OneSecret(),
                sealer=PlainSealer(),
                directory=directory,
                identifier_secret=b"k" * 32,
                nonce_secret=b"n" * 32,
                algorithms=("SHA-256", "MD5"),
                probe_s=probe_s,
            ),
            Hooks(
                clock=self.now,
                alive=alive,
                settled=lambda: None,
                told=lambda events: None,
                lost=lambda shard, reason: self.lost.append(shard),
                unreachable=lambda call, leg: None,
                device_back=lambda device: None,
                new_call=self._new_call,
            ),
        )
        self.layer, self.board, self.application = switch.layer, switch.board, switch.application
        self.addresses = switch.addresses
        for transport in ("udp", "tcp"):
            switch.addresses.announce(transport, SERVER)
        calls = self.board.load(
            epochs,
            [stream for shard in shards for stream in self.journal.live(shard, self._utc().timestamp())],
            decode,
        )
        self.board.resume(calls)
        self.prober = switch.prober
        self.prober.take_up(calls, self._utc())
        self.deliver()

    # --- what a test does

    def send(self, address: str, text: str, body: str = "", transport: str = "udp") -> None:
        """A phone at `address` sends this; header lines are separated by newlines."""
        head = text.strip().replace("\n", "\r\n")
        data = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        flow = Flow(transport, SERVER, address, 0 if transport == "udp" else 1)
        self.application.receive(parse(data), flow, self.now())
        self.deliver()

    def wait(self, count_s: float) -> None:
        """Time passes; every timer fires at its own moment."""
        end_s = self.clock_s + count_s
        while True:
            due = self.layer.next_timer()
            times = [due] if due is not None else []
            for deadline in (self.board.next_deadline(), self.prober.next_due()):
                if deadline is not None:
                    times.append(self.clock_s + (deadline - self._utc()).total_seconds())
            if not times or min(times) > end_s:
                break
            self.clock_s = max(self.clock_s, min(times))
            for event in self.layer.on_timer(self.clock_s):
                self.application.handle(event, self.now())
            self.board.on_deadline(self._utc())
            self.prober.on_due(self._utc())
            self.deliver()
        self.clock_s = end_s

    def deliver(self) -> None:
        """What was said reaches the phones: after something that did not come by `send` or `wait`."""
        for flow, data in self.layer.to_send():
            self.wire.append((flow.remote, data))
            self.sent.setdefault(flow.remote, []).append(parse(data))

    def now(self) -> Now:
        return Now(self.clock_s, self._utc())

    def take(self, address: str) -> list[Request | Response]:
        """What the phone got since the last look."""
        return self.sent.pop(address, [])

    def last(self, address: str) -> Request | Response:
        """The newest message to the phone; the others are forgotten."""
        return self.take(address)[-1]

    @property
    def types(self) -> list[str]:
        """The types of all call events, without their versions."""
        return [one.record.type.split(".")[1] for one in self.journal.stored if one.record.category == "calls"]

    # --- inside

    def _utc(self) -> datetime:
        return START + seconds(self.clock_s)

    def _new_call(self, sip_call_id: str, now: datetime) -> UUID:
        self._made += 1
        return new_stream_id(int(now.timestamp() * 1000), shard_of_call(sip_call_id), self._made.to_bytes(8, "big"))


def authorized(exchange: Exchange, address: str, username: str, send: Callable[[str], None], uri: str) -> None:
    """Send once without and, after the 401, once with credentials."""
    send("")
    challenge = exchange.last(address)
    assert isinstance(challenge, Response)
    assert challenge.status == 401
    value = challenge.get_all("WWW-Authenticate")[0]
    method = challenge.cseq.method
    send(f"\nAuthorization: {answer(value, method, uri, username, PASSWORD, 'cn')}")
