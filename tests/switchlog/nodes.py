"""Several switchboards in memory that are the nodes of one cluster: one journal, and a link that the test can cut.

What they know of each other is always right, unless a test says what a node believes. Time is the same everywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from adapters.journal.codec import decode
from adapters.sip.message.message import Request
from adapters.sip.message.parser import parse
from adapters.storage.folder import FolderStorage
from domain.ids import SHARDS, shard_of_registration
from domain.node import Listener, Neighbour, home_of
from domain.ports import Done, OwnershipLost, Record
from domain.registration import Registration
from domain.routing.directory import Directory
from domain.values import Contact
from switchlog.studio.clerk import Clerk
from tests.domain.world import START, directory, seconds
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms

_STEP_S = 0.1


class SharedJournal(HeldJournal):
    """Refuses who has lost a shard to a later claim."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: dict[int, tuple[int, str]] = {}
        """shard -> epoch and node"""

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        for shard in shards:
            self.claims[shard] = self.claims.get(shard, (0, ""))[0] + 1, node
        return {shard: self.claims[shard][0] for shard in shards}

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done) -> None:
        if self.claims[shard][0] != epoch:
            done(OwnershipLost("another node has claimed it"))
            return
        super().submit(shard, epoch, records, done)


class View:
    """What one node knows (`domain.node.Roster`)."""

    def __init__(self, nodes: Nodes, me: str) -> None:
        self._nodes, self.me = nodes, me
        self.believes: dict[int, str] = {}
        """shard -> who owns it as far as this node knows, where that is wrong"""

    def owner(self, shard: int) -> Neighbour | None:
        return self.neighbour(self._claimant(shard))

    def takes(self, shard: int) -> bool:
        return home_of(self._claimant(shard)) == home_of(self.me)

    def _claimant(self, shard: int) -> str:
        return self.believes.get(shard) or self._nodes.journal.claims.get(shard, (0, ""))[1]

    def neighbour(self, name: str) -> Neighbour | None:
        return self._nodes.known.get(name) if name in self._nodes.alive else None

    def neighbours(self) -> Collection[Neighbour]:
        return [self._nodes.known[name] for name in sorted(self._nodes.alive)]


class Nodes:
    """`shards` says who owns which at the start; whoever is not named owns none.

    With `mixing` each has media (`worker`), those of one node the same. Below `folder` are their spools, by name, and
    the storage that they share.
    """

    def __init__(
        self,
        shards: Mapping[str, Iterable[int]],
        *,
        mixing: bool = False,
        directory: Callable[[], Directory] = directory,
        worker: Callable[[], RememberedRooms] = RememberedRooms,
        folder: Path | None = None,
    ) -> None:
        self.journal, self._directory, self._folder = SharedJournal(), directory, folder
        self.rooms = {name: worker() for name in shards} if mixing else {}
        for name, rooms in self.rooms.items():
            rooms.has = self.rooms[home_of(name)].has if home_of(name) in self.rooms else rooms.has
        self.known = {name: _neighbour(name, number) for number, name in enumerate(shards, 1)}
        self.alive: set[str] = set(shards)
        self.frozen: set[str] = set()
        """nodes that do not notice what others do"""
        self.deaf: set[str] = set()
        """nodes that take what is sent to them, and no more"""
        self.cut: set[frozenset[str]] = set()
        self.opening: set[tuple[str, str]] = set()
        """senders whose links to receivers take what is sent, and give it back as they cannot be opened"""
        self.crossed: list[tuple[str, str, bytes]] = []
        """sender, receiver, message"""
        self.views = {name: View(self, name) for name in shards}
        self._underway: deque[tuple[str, str, bytes]] = deque()
        self._given_back: deque[tuple[str, str, bytes]] = deque()
        self._settling = False
        self._exchanges: dict[str, Exchange] = {}
        for name, some in shards.items():
            self.start(name, sorted(some))

    def __getitem__(self, name: str) -> Exchange:
        return self._exchanges[name]

    def start(self, name: str, shards: Sequence[int]) -> Exchange:
        """A node begins, with these shards."""
        self.alive.add(name)
        clock_s = max((one.clock_s for one in self._exchanges.values()), default=0.0)
        epochs = self.journal.claim(shards, name)
        media = self.rooms.get(name)
        about = (self.journal, epochs, clock_s, self._directory)
        folder = self._folder
        clerk = Clerk(lambda: FolderStorage(folder / "storage"), folder / name / "spool") if folder else None
        spool = folder / name if folder else Path("/dev/null")
        exchange = Exchange(*about, node=name, cluster=self, media=media, clerk=clerk, storage=spool)
        self._exchanges[name] = exchange
        self.settle()
        return exchange

    def kill(self, name: str) -> None:
        """A node is dead, and everybody knows."""
        self.alive.discard(name)
        self._underway = deque(one for one in self._underway if one[1] != name)
        for other in sorted(self.alive):
            crossing = self._exchanges[other].crossing
            assert crossing is not None
            crossing.node_gone(name)
            self._exchanges[other].deliver()
        self.settle()

    def take_over(self, name: str, shards: Iterable[int]) -> None:
        """A node claims shards of others, which let them go unless they are frozen, and goes on with their calls."""
        exchange, some = self._exchanges[name], tuple(shards)
        before = {shard: self.journal.claims[shard] for shard in some}
        epochs = self.journal.claim(some, name)
        for shard, (epoch, owner) in before.items():
            if owner in self.alive - self.frozen:
                self._exchanges[owner].board.drop(shard, epoch)
                self.notice(owner, shard)
        live = [stream for shard in some for stream in self.journal.live(shard, 0.0)]
        exchange.board.resume(exchange.board.load(epochs, live, decode))
        if exchange.studio is not None:
            exchange.studio.resume()
        exchange.application.resume()
        exchange.deliver()
        self.settle()

    def notice(self, name: str, shard: int) -> None:
        """A node reads that a shard which was last its own has another owner."""
        exchange = self._exchanges[name]
        assert exchange.crossing is not None
        exchange.crossing.moved_away((shard,))
        if exchange.studio is not None:
            exchange.studio.moved_away((shard,))
        exchange.deliver()

    def owned_by(self, name: str) -> list[int]:
        return [shard for shard, (_, node) in self.journal.claims.items() if node == name]

    def wait(self, count_s: float) -> None:
        """Time passes at all nodes that live."""
        for _ in range(round(count_s / _STEP_S)):
            for name in sorted(self.alive):
                self._exchanges[name].wait(_STEP_S)
                self.settle()

    def over_link(self) -> list[str]:
        """What has crossed since the last look: sender, receiver, and method or status."""
        crossed, self.crossed = self.crossed, []
        return [f"{sender}>{to} {_first(data)}" for sender, to, data in crossed]

    # --- tests.switchlog.exchange.Cluster

    def address(self, node: str) -> str:
        return self.known[node].listeners[0].address

    def roster(self, node: str) -> View:
        return self.views[node]

    def contacts(self, tenant: str, number: str) -> tuple[Contact, ...]:
        """As who follows the journal knows them."""
        registration: Registration | None = None
        for stored in self.journal.stored:
            record = stored.record
            if record.category == "registrations" and stored.shard == shard_of_registration(tenant, number):
                event = decode(record.type, record.data)
                if getattr(event, "number", number) == number:
                    registration = cast("Registration | None", event.mutate(registration))
        now = START + seconds(max(one.clock_s for one in self._exchanges.values()))
        return registration.at(now) if registration is not None else ()

    def link(self, sender: str, to: str, data: bytes) -> bool:
        if to not in self.alive or frozenset((sender, to)) in self.cut:
            return False
        if to in self.deaf:
            return True
        if (sender, to) in self.opening:
            self._given_back.append((sender, to, data))
            return True
        self.crossed.append((sender, to, data))
        self._underway.append((sender, to, data))
        return True

    def settle(self) -> None:
        """Everything that is between nodes arrives, or comes back."""
        if self._settling:
            return
        self._settling = True
        while self._underway or self._given_back:
            if self._underway:
                sender, to, data = self._underway.popleft()
                exchange = self._exchanges[to]
                assert exchange.crossing is not None
                exchange.crossing.crossed(data, sender)
            else:
                sender, to, data = self._given_back.popleft()
                exchange = self._exchanges[sender]
                assert exchange.crossing is not None
                exchange.crossing.undelivered(data, to)
            exchange.deliver()
        self._settling = False


def divided(*names: str) -> dict[str, list[int]]:
    """The shards, one after the other dealt out."""
    return {name: list(range(number, SHARDS, len(names))) for number, name in enumerate(names)}


def _neighbour(name: str, number: int) -> Neighbour:
    address = f"127.0.0.{number}:5060"
    listeners = tuple(Listener(transport, address, address) for transport in ("udp", "tcp"))
    return Neighbour(name, f"127.0.0.{number}:5070", listeners)


def _first(data: bytes) -> str:
    message = parse(data)
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {message.cseq.method}"
