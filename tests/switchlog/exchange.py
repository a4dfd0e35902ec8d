"""A whole switchboard in memory: the SIP application over shards, with a journal and a clock that the test drives.

Phones are addresses; what they send is text, what they get is parsed. No socket, no thread, no real time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from uuid import UUID

from adapters.journal.codec import decode
from adapters.sip.application.parts import Now
from adapters.sip.dialog.peer import Device
from adapters.sip.digest.challenge import answer, ha1
from adapters.sip.message.message import Request, Response
from adapters.sip.message.parser import parse
from adapters.storage.folder import FolderStorage
from domain.ids import new_stream_id, shard_of
from domain.node import Roster
from domain.ports import Batch, Cursor, Done, JournalFull, OwnershipLost, Record, Stored
from domain.routing.directory import Directory
from domain.values import Contact, Flow
from media.wire import ToWorker
from switchlog.node.crossing import Outward
from switchlog.session.demand import Demands
from switchlog.session.outlet import nowhere
from switchlog.session.wiring import Hooks, SessionParts, Switch, dues_of, unsent, wire
from switchlog.studio.clerk import Clerk
from switchlog.studio.reel import ReelStore
from switchlog.studio.studio import MediaSettings
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
        self.released: tuple[int, ...] = ()
        self._waiting: list[tuple[int, int, Sequence[Record], Done]] = []

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        return dict.fromkeys(shards, 1)

    def release(self, shards: Sequence[int]) -> None:
        self.released = tuple(shards)

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

    def end(self) -> Cursor:
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


class Cluster(Protocol):
    """The other nodes, for one that is not alone."""

    def address(self, node: str) -> str:
        """Its SIP address for phones."""

    def roster(self, node: str) -> Roster:
        """What it knows of the nodes."""

    def contacts(self, tenant: str, number: str) -> tuple[Contact, ...]:
        """The bindings of an extension, whoever owns it."""

    def link(self, sender: str, to: str, data: bytes) -> bool:
        """Take a message between two nodes; False if it cannot be."""

    def settle(self) -> None:
        """Let what is between nodes arrive."""


class MediaWorker(Protocol):
    """A media worker of a test."""

    def meet(self, exchange: Exchange) -> None:
        """An exchange connects; after whichever it knew before."""

    def told(self, worker: str, message: ToWorker) -> None:
        """What the exchange says."""

    def answer(self) -> bool:
        """Say what follows from that; False if there is nothing."""


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
        node: str = "a",
        cluster: Cluster | None = None,
        media: MediaWorker | None = None,
        ports: tuple[int, int] = (20000, 20099),
        storage: Path = Path("/dev/null"),
        clerk: Clerk | None = None,
    ) -> None:
        """Owns the shards that `epoch` names; as one of several nodes if there is a `cluster`; with `media`, at
        `ports`, or none. What they record is below `storage`, a folder."""
        self.journal = journal or HeldJournal()
        self.clock_s = start_s
        self.sent: dict[str, list[Request | Response]] = {}
        self.wire: list[tuple[str, bytes]] = []
        self.deaf: set[str] = set()
        """phones whose connection is gone"""
        self._made = self._chances = 0
        self.demands = Demands()
        self.lost: list[int] = []
        self.back: list[Device] = []
        """phones that are heard on another stream than before"""
        self.node, self._cluster, self._media = node if cluster else "", cluster, media
        self.server = cluster.address(node) if cluster else SERVER
        epochs = dict.fromkeys(range(64), epoch) if isinstance(epoch, int) else epoch
        switch = wire(
            SessionParts(
                node=node,
                journal=self.journal,
                epochs=epochs,
                credentials=OneSecret(),
                sealer=PlainSealer(),
                directory=directory,
                identifier_secret=b"k" * 32,
                nonce_secret=b"n" * 32,
                media_secret=b"m" * 32,
                algorithms=("SHA-256", "MD5"),
                probe_s=probe_s,
                roster=cluster.roster(node) if cluster else None,
                elsewhere=cluster.contacts if cluster else nowhere,
                media=MediaSettings(*ports, (Path("worker"),)) if media else None,
                reels=_reels(storage),
                clerk=clerk,
            ),
            self._hooks(alive),
        )
        self._connect(switch)
        self._begin(epochs)

    def _begin(self, epochs: Mapping[int, int]) -> None:
        """With what the journal holds of these shards."""
        now_s = self._utc().timestamp()
        streams = [stream for shard in epochs for stream in self.journal.live(shard, now_s)]
        calls = self.board.load(epochs, streams, decode)
        self.board.resume(calls)
        if self.studio is not None:
            self.studio.resume()
        self.application.resume()
        if self._media is not None:
            self._media.meet(self)
        self.prober.take_up(calls, self._utc())
        self.deliver()

    def _hooks(self, alive: Callable[[Flow], bool]) -> Hooks:
        return Hooks(
            clock=self.now,
            alive=alive,
            settled=lambda: None,
            told=self.demands.told,
            lost=lambda shard, reason: self.lost.append(shard),
            unreachable=lambda call, leg: None,
            device_back=self.back.append,
            new_call=self._new_call,
            chance=self._chance,
            media_send=self._media.told if self._media else unsent,
            outward=Outward(self._by_flow, self._by_link, self.flow_failed, self.flow_closed, lambda: None),
        )

    def _connect(self, switch: Switch) -> None:
        self.layer, self.board, self.application = switch.layer, switch.board, switch.application
        self.moves, self.addresses, self.peers = switch.moves, switch.addresses, switch.peers
        self.crossing, self.prober, self.studio = switch.crossing, switch.prober, switch.studio
        self.subscribers = switch.subscribers
        self._dues = dues_of(switch)
        for transport in ("udp", "tcp"):
            self.addresses.announce(transport, self.server)

    # --- what a test does

    def send(self, address: str, text: str, body: str = "", transport: str = "udp") -> None:
        """A phone at `address` sends this; header lines are separated by newlines."""
        head = text.strip().replace("\n", "\r\n")
        data = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        flow = Flow(transport, self.server, address, 0 if transport == "udp" else 1, self.node)
        if self.crossing is None:
            self.application.receive(parse(data), flow, self.now())
        else:
            self.crossing.heard(parse(data), flow)
        self.deliver()
        if self._cluster is not None:
            self._cluster.settle()

    def wait(self, count_s: float) -> None:
        """Time passes; every timer fires at its own moment."""
        end_s = self.clock_s + count_s
        while True:
            due = self.layer.next_timer()
            times = [due] if due is not None else []
            for deadline in (one.next() for one in self._dues):
                if deadline is not None:
                    times.append(self.clock_s + (deadline - self._utc()).total_seconds())
            if not times or min(times) > end_s:
                break
            self.clock_s = max(self.clock_s, min(times))
            for event in self.layer.on_timer(self.clock_s):
                self.application.handle(event, self.now())
            for one in self._dues:
                one.act(self._utc())
            self.deliver()
        self.clock_s = end_s

    def deliver(self) -> None:
        """What was said reaches phones and media: after something that did not come by `send` or `wait`."""
        if self.studio is not None and self._media is not None:
            self.studio.flush()
            while self._media.answer():
                self.studio.flush()
        send = self._by_flow if self.crossing is None else self.crossing.send
        for flow, data in self.layer.to_send():
            if not send(flow, data):
                self.flow_failed(flow)

    def flow_failed(self, flow: Flow) -> None:
        for event in self.layer.flow_failed(flow, self.clock_s):
            self.application.handle(event, self.now())

    def flow_closed(self, flow: Flow) -> None:
        self.peers.closed(flow)
        self.flow_failed(flow)

    def _by_link(self, to: str, data: bytes) -> bool:
        return self._cluster is not None and self._cluster.link(self.node, to, data)

    def _by_flow(self, flow: Flow, data: bytes) -> bool:
        if flow.remote in self.deaf:
            return False
        self.wire.append((flow.remote, data))
        self.sent.setdefault(flow.remote, []).append(parse(data))
        return True

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

    def _new_call(self, shard: int, now: datetime) -> UUID:
        self._made += 1
        return new_stream_id(int(now.timestamp() * 1000), shard, b"call" + self._made.to_bytes(4, "big"))

    def _chance(self, count: int) -> bytes:
        self._chances += 1
        return self._chances.to_bytes(count, "big")


def _reels(folder: Path) -> ReelStore:
    return ReelStore(lambda: FolderStorage(folder / "kept"), folder / "spool", _key)


def _key(purpose: str) -> bytes:
    return sha256(purpose.encode()).digest()


def authorized(exchange: Exchange, address: str, username: str, send: Callable[[str], None], uri: str) -> None:
    """Send once without and, after the 401, once with credentials."""
    send("")
    challenge = exchange.last(address)
    assert isinstance(challenge, Response)
    assert challenge.status == 401
    value = challenge.get_all("WWW-Authenticate")[0]
    method = challenge.cseq.method
    send(f"\nAuthorization: {answer(value, method, uri, username, PASSWORD, 'cn')}")
