"""What crosses between nodes: carries out what `adapters.sip.steer` decides.

What may live here: that, the flows of other nodes that are known to be gone, and what has to wait. Ways are
not decided here, and there is no socket.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable
from typing import NamedTuple, TypeGuard

import structlog

from adapters.sip.dialog.peer import Peers
from adapters.sip.edge.malformed import answer_to
from adapters.sip.gate.gate import Failing, Witness
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.parser import parse
from adapters.sip.steer.steer import FlowGone, Here, Nobody, PassOn, Steering, ToPhone, Unreached, Way
from adapters.sip.steer.verdict import Proof, Verdict
from adapters.sip.transaction.key import ServerKey, server_key
from adapters.sip.transaction.layer import TransactionLayer
from domain.node import Roster
from domain.values import Flow
from switchlog.node.patience import Patience, Unanswered

_log = structlog.get_logger(__name__)
_GONE = 50_000
"""Connections of other nodes that are known to be gone. One that is forgotten is asked for once more."""


class Outward(NamedTuple):
    """What the driver does for it."""

    send: Callable[[Flow, bytes], bool]
    """by a flow of this node; False if its connection is gone"""
    link: Callable[[str, bytes], bool]
    """to the node of that name; False if it cannot be reached"""
    failed: Callable[[Flow], None]
    """what waits on a flow will not be answered: as if its connection had broken"""
    closed: Callable[[Flow], None]
    """a connection of another node is gone for good"""
    later: Callable[[], None]
    """call `Crossing.retry` in some moments"""


class Faraway:
    """Whose flows are those of other nodes, and which of their connections are known to be gone."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._gone: OrderedDict[Flow, None] = OrderedDict()

    def foreign(self, flow: Flow) -> bool:
        """Whether it is a flow of another node."""
        return flow.node not in ("", self.roster.me)

    def lives(self, node: str) -> bool:
        """Whether a node may be reached again: the heir of a dead one asks anew for what it wants to know."""
        return self.roster.neighbour(node) is not None

    def alive(self, flow: Flow) -> bool:
        """Whether the connection of another node's flow may be open: until that one says otherwise, or is dead."""
        return flow not in self._gone and self.lives(flow.node)

    def alive_or(self, here: Callable[[Flow], bool]) -> Callable[[Flow], bool]:
        """The same for any flow; `here` knows those of this node."""
        return lambda flow: self.alive(flow) if self.foreign(flow) else here(flow)

    def gone(self, flow: Flow) -> None:
        """The connection of another node's flow is not there any more."""
        self._gone[flow] = None
        if len(self._gone) > _GONE:
            self._gone.popitem(last=False)


class Crossing:
    """One node's. All methods run on the loop's thread."""

    def __init__(  # its parts, given by name
        self,
        *,
        steering: Steering,
        faraway: Faraway,
        layer: TransactionLayer,
        peers: Peers,
        receive: Callable[[Request | Response, Flow], None],
        outward: Outward,
        witness: Witness,
        clock: Callable[[], float],
    ) -> None:
        """`receive` is the application's, and raises MessageError for what is to be answered 4xx.

        `witness` is this node's own gate.
        """
        self._steering, self._faraway, self._receive, self._outward = steering, faraway, receive, outward
        self._witness = witness
        self._layer, self._peers = layer, peers
        self._patience, self._unanswered = Patience(clock, outward.later), Unanswered(clock)
        self.counts: Counter[str] = Counter()
        """what was passed on, taken back or dropped, for metrics"""

    def is_ours(self, branch: str) -> bool:
        """Whether an answer with this branch is one to what this node has passed on to a phone."""
        return self._steering.is_ours(branch)

    # --- adapters.sip.gate.gate.Witness, for the application

    def proved(self, flow: Flow, tenant: str, device: str) -> None:
        self._witness.proved(flow, tenant, device)
        if self._faraway.foreign(flow):
            self._steering.verdicts.put(flow, Proof(tenant, device))

    def failed(self, flow: Flow, how: Failing, tenant: str = "") -> None:
        self._witness.failed(flow, how, tenant)
        if self._faraway.foreign(flow):
            self._steering.verdicts.put(flow, how)

    # --- what comes

    def heard(self, message: Request | Response, flow: Flow) -> None:
        """A message of a phone, by a flow of this node. Raises MessageError for what the edge is to answer 4xx."""
        branch = message.via.branch
        way = self._steering.from_phone(message, flow)
        if isinstance(way, Here) and self._waits_for_an_owner(way, lambda: self._once_more(way)):
            return
        if isinstance(way, PassOn) and flow.transport != "udp" and _is_within(way.message):
            self._unanswered.keep(flow, branch, way.node, way.message)
        self._go(way)

    def crossed(self, data: bytes, node: str) -> None:
        """A message over the link, from the node of that name."""
        self._carry_out(data, lambda message: self._of_node(message, data, node))

    def undelivered(self, data: bytes, node: str) -> None:
        """A message of ours that could not be delivered to a node after all."""
        self.counts["undelivered"] += 1
        self._carry_out(data, lambda message: self._back(message, node))

    def retry(self) -> None:
        """See to what has to wait."""
        self._patience.retry()

    # --- what becomes of nodes

    def node_gone(self, name: str) -> None:
        """A node is dead, and so are its connections: what waits on them has failed."""
        streams = {*self._peers.streams(), *self._layer.living.streams}
        for flow in sorted(flow for flow in streams if flow.node == name):
            self._outward.closed(flow)
        for request in self._unanswered.of(name):
            self._bring_back(request, name)

    def moved_away(self, shards: Collection[int]) -> int:
        """Other nodes go on with shards of this one: only they repeat what the calls there have said.

        Returns how many transactions are dropped here. All are looked at, so once for all shards that move together.
        """
        gone = frozenset(shards)
        return self._layer.living.abandon(lambda key: self._steering.place_of(key) in gone)

    # --- what goes

    def send(self, flow: Flow, data: bytes) -> bool:
        """Send by any node's flow; False if its connection is gone or its node cannot be reached.

        A datagram that its node cannot send is sent from here: who is behind no NAT hears it.
        """
        if not self._faraway.foreign(flow):
            return self._outward.send(flow, data)
        wire = self._steering.to_node(flow, data) if self._faraway.alive(flow) else None
        if wire is not None and self._outward.link(flow.node, wire):
            self.counts["to_node"] += 1
            return True
        return flow.transport == "udp" and self._outward.send(flow, data)

    # --- what has to wait

    def _of_node(self, message: Request | Response, data: bytes, node: str) -> Way | None:
        way = self._steering.from_node(message, node)
        waits = isinstance(way, Here) and self._waits_for_an_owner(way, lambda: self.crossed(data, node))
        return None if waits else way

    def _waits_for_an_owner(self, way: Here, again: Callable[[], None]) -> bool:
        """A request of a shard that nobody has just now, unless its phone repeats it by itself."""
        request = way.message
        if not way.orphaned or way.flow.transport == "udp" or not isinstance(request, Request):
            return False
        if request.method == "ACK":
            return False
        return self._wait(_key(request), lambda: not self._steering.is_orphaned(request), again)

    def _once_more(self, way: Here) -> None:
        """A phone's message, by a flow of this node."""
        try:
            self.heard(way.message, way.flow)
        except MessageError as error:
            self._answer(error, way.message, way.flow)

    def _wait(self, key: Hashable, ready: Callable[[], bool], again: Callable[[], None]) -> bool:
        waits = self._patience.put_off(key, ready, again)
        self.counts["put_off"] += waits
        return waits

    def _bring_back(self, message: Request | Response, node: str) -> None:
        back = self._back(message, node)
        if back is not None:
            self._go(back)

    def _back(self, message: Request | Response, node: str) -> Way | None:
        """What becomes of what could not be delivered to a node; None if it waits."""
        way = self._steering.undelivered(message)
        waits = isinstance(way, Here) and self._waits_for_its_node(way)
        if isinstance(way, Nobody) and isinstance(message, Response) and self._faraway.lives(node):
            waits = self._wait(_key_of_answer(message), _at_once, lambda: self._pass_on(PassOn(node, message)))
        return None if waits else way

    def _waits_for_its_node(self, way: Here) -> bool:
        """A request in a call, or its CANCEL, that did not reach the node that has the call."""
        message, flow = way.message, way.flow
        if flow.transport == "udp" or self._faraway.foreign(flow) or not _is_within(message):
            return False
        return self._wait(_key(message), _at_once, lambda: self._once_more(way))

    # --- inside

    def _carry_out(self, data: bytes, decide: Callable[[Request | Response], Way | None]) -> None:
        try:
            way = decide(parse(data))
            if way is not None:
                self._go(way)
        except MessageError as error:
            self.counts["malformed"] += 1
            _log.warning("a message between nodes cannot be read", reason=str(error))

    def _go(self, way: Way) -> None:
        match way:
            case Here(message, flow, _):
                self._here(message, flow)
            case PassOn():
                self._pass_on(way)
            case ToPhone(flow, message):
                self._to_phone(way)
            case FlowGone(flow):
                self._flow_gone(flow)
            case Unreached(flow):
                self._outward.failed(flow)
            case Nobody(reason):
                self.counts["dropped"] += 1
                _log.info("a message between nodes was dropped", reason=reason)

    def _here(self, message: Request | Response, flow: Flow) -> None:
        try:
            self._receive(message, flow)
        except MessageError as error:
            if not self._faraway.foreign(flow):
                raise
            self._answer(error, message, flow)

    def _answer(self, error: MessageError, message: Request | Response, flow: Flow) -> None:
        if error.request is None and isinstance(message, Request):
            error.request = message
        answer = answer_to(error, flow)
        if answer is not None:
            self.send(flow, answer.serialise())

    def _pass_on(self, way: PassOn) -> None:
        if self._outward.link(way.node, way.message.serialise()):
            self.counts["passed_on"] += 1
            return
        self.counts["undelivered"] += 1
        self._bring_back(way.message, way.node)

    def _to_phone(self, way: ToPhone) -> None:
        if isinstance(way.message, Response):
            self._unanswered.answered(way.flow, way.message)
        if way.verdict is not None:
            self._judge(way.flow, way.verdict)
        if self._outward.send(way.flow, way.message.serialise()):
            self.counts["to_phone"] += 1
            return
        refusal = self._steering.flow_failed(way)
        if refusal is not None:
            self._pass_on(refusal)

    def _judge(self, flow: Flow, verdict: Verdict) -> None:
        """What another node has found out about the sender at a flow of this one."""
        if isinstance(verdict, Proof):
            self._witness.proved(flow, *verdict)
        else:
            self._witness.failed(flow, verdict)

    def _flow_gone(self, flow: Flow) -> None:
        self._faraway.gone(flow)
        self._outward.closed(flow)


def _is_within(message: Request | Response) -> TypeGuard[Request]:
    """Whether it is a request in a dialog, or a CANCEL: of a call that is at one node."""
    if not isinstance(message, Request) or message.method == "ACK":
        return False
    return message.method == "CANCEL" or bool(message.to.tag)


def _at_once() -> bool:
    """Ready, with nothing to be looked for before it is tried again."""
    return True


def _key(request: Request) -> ServerKey:
    return server_key(request, request.method)


def _key_of_answer(response: Response) -> tuple[str, str, int, str]:
    """Each status of each early dialog is an answer of its own."""
    return response.via.branch, response.cseq.method, response.status, response.to.tag
