"""Where a message goes: to the application here, to another node, or to a phone of ours for another node.

What may live here: that decision, and what a message looks like on its way (Via, Route, Path, flow token). Sans-IO and
without any state: a proxy as RFC 3261 16.11 has it, so that a node may die between any two messages.

On the link between nodes
- a phone's request has on top the Via of its node, with the phone's flow as a parameter; a REGISTER has it as the Path
  (RFC 3327), too. The owner takes both off: to its application it is as if the phone had come here, by that flow.
- an answer to it has that Via on top again, by which the phone's node knows where it goes, and what to think of its
  sender (`verdict`).
- a request to a phone has its flow in the first Route (RFC 5626 section 5.3). The phone's node puts its own Via above.
- the phone's answer comes back with the flow as a parameter of the owner's Via.
- what is to go by a connection that is gone is answered 430 (RFC 5626 section 11.5).
"""

from __future__ import annotations

from typing import NamedTuple

from adapters.sip.dialog.dialog import Addresses
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.gate.sniff import branch as branch_in
from adapters.sip.message.header import NameAddr, Via
from adapters.sip.message.message import MessageError, Request, Response, response_to
from adapters.sip.message.via import stamp_via
from adapters.sip.request.admission import hops_of
from adapters.sip.steer.hop import Hops
from adapters.sip.steer.place import Places
from adapters.sip.steer.token import FlowTokens
from adapters.sip.steer.verdict import Verdict, Verdicts, verdict_in
from adapters.sip.transaction.key import Key, ServerKey, server_key, written_branch
from adapters.sip.transaction.layer import TransactionLayer
from domain.node import Neighbour, Roster, home_of
from domain.switchboard import Switchboard
from domain.values import Flow

_FLOW, _GONE = "flow", "gone"


class Here(NamedTuple):
    """For the application; `flow` is the phone's, of whichever node."""

    message: Request | Response
    flow: Flow
    orphaned: bool = False
    """it belongs to a shard that nobody has at the moment, as far as is known here"""


class PassOn(NamedTuple):
    """Over the link to a node."""

    node: str
    message: Request | Response


class ToPhone(NamedTuple):
    """From here by a flow; what becomes of a request if that is gone says `Steering.flow_failed`."""

    flow: Flow
    message: Request | Response
    verdict: Verdict | None = None
    """on who is at the other end of it"""
    back: str = ""
    """the node that a request came from, if it was not this one"""


class FlowGone(NamedTuple):
    """A node says that a connection of its own is gone."""

    flow: Flow


class Unreached(NamedTuple):
    """A connection of another node that cannot be used now."""

    flow: Flow


class Nobody(NamedTuple):
    """It is dropped."""

    reason: str


Way = Here | PassOn | ToPhone | FlowGone | Unreached | Nobody


class Steering:
    """One node's. `secret` is what all nodes of the cluster share for their identifiers."""

    def __init__(
        self,
        secret: bytes,
        roster: Roster,
        identifiers: SipIdentifiers,
        switchboard: Switchboard,
        layer: TransactionLayer,
        addresses: Addresses,
    ) -> None:
        self._roster, self._switchboard, self._addresses = roster, switchboard, addresses
        self._places = Places(identifiers, switchboard, layer.__contains__)
        self._tokens = FlowTokens(secret)
        self.verdicts = Verdicts()
        self._on_link, self._at_phones = Hops(secret, "link"), Hops(secret, "edge")

    def place_of(self, key: Key) -> int | None:
        """The shard of the call that a transaction belongs to, if its name says so or its call has left this node."""
        if isinstance(key, ServerKey):
            return self._switchboard.left(written_branch(key))
        return self._places.of_branch(key.branch)

    def is_ours(self, branch: str) -> bool:
        """Whether a phone's answer with this branch is one to a request that this node passed on."""
        return self._at_phones.back(branch) is not None

    def is_orphaned(self, request: Request) -> bool:
        """Whether a request that was `Here` and `orphaned` is so still."""
        shard = self._places.of_request(request)
        return self._elsewhere(shard) is None and not self._serves(shard)

    # --- what comes from phones

    def from_phone(self, message: Request | Response, flow: Flow) -> Way:
        """Something that came by a flow of ours. Raises MessageError where the transaction layer would."""
        if isinstance(message, Response):
            return self._answer_of_phone(message, flow)
        shard = self._places.of_request(message)
        owner = self._elsewhere(shard)
        if owner is None:
            return Here(message, flow, orphaned=not self._serves(shard))
        stamp_via(message, flow)
        self._send_on(message, flow)
        return PassOn(owner.name, message)

    def _answer_of_phone(self, response: Response, flow: Flow) -> Way:
        vias, back = response.get_all("Via"), self._at_phones.back(response.via.branch)
        if back is not None or (len(vias) > 1 and _branch_of(vias[1]) == response.via.branch):
            response.pop("Via")
        elif len(vias) > 1:
            return Nobody("an answer with a Via that its request did not have")  # RFC 3261 section 8.1.3.3
        shard = self._places.of_branch(response.via.branch)  # MessageError if there is no Via below ours
        if shard is not None and self._switchboard.owns(shard):
            return Here(response, flow)
        owner = self._elsewhere(shard)
        if owner is None and shard is None and back:
            owner = self._roster.neighbour(back)
        if owner is None or owner.name == self._roster.me:
            return Here(response, flow)
        response.push("Via", f"{response.pop('Via')};{_FLOW}={self._tokens.write(flow)}")
        return PassOn(owner.name, response)

    # --- what comes from nodes

    def from_node(self, message: Request | Response, node: str) -> Way:
        """Something that came over the link from the node of that name. Raises MessageError."""
        if isinstance(message, Response):
            return self._answer_from_node(message, node)
        if self._on_link.back(message.via.branch) is None:
            return self._to_phone(message, node)
        came = self._taken_off(message)
        if came.flow is None:
            return Nobody("a phone's request without a flow of this cluster")
        shard = self._places.of_request(message)
        owner = self._elsewhere(shard) if self._roster.me not in came.nodes else None
        if owner is None or hops_of(message) == 0:
            return Here(message, came.flow, orphaned=owner is None and not self._serves(shard))
        for via in reversed(came.vias):
            message.push("Via", via)
        self._hop(message, "")
        return PassOn(owner.name, message)

    def undelivered(self, message: Request | Response) -> Way:
        """Something that this node wanted to send over the link and could not. Raises MessageError.

        A phone's request is the application's then, as it came: it says that the owner is not there. What was for a
        phone by a connection has failed, a datagram is sent from here: every repetition might come back from a link
        that is tried anew. Everything else is lost as a datagram may be.
        """
        linked = self._on_link.back(message.via.branch) is not None
        if isinstance(message, Response):
            flow = self._flow_in(message.via, _FLOW) if linked else None
            wrapping = "Via"
        elif linked:
            came = self._taken_off(message)
            return Here(message, came.flow) if came.flow is not None else Nobody("a request of no flow")
        else:
            flow = self._route_of(message, "Route")
            wrapping = "Route"
        if flow is not None and flow.transport == "udp":
            message.pop(wrapping)
            return ToPhone(flow, message)
        if flow is not None and isinstance(message, Request):
            return Unreached(flow)
        return Nobody("a node cannot be reached")

    def _to_phone(self, request: Request, node: str) -> Way:
        flow = self._route_of(request, "Route")
        if flow is None or flow.node != self._roster.me:
            return Nobody("a request to a phone whose first Route is no flow of this node")
        request.pop("Route")
        _count_down(request)
        address, branch = self._addresses.of(flow), self._branch_at_phone(request.via.branch, node)
        request.push("Via", f"SIP/2.0/{flow.transport.upper()} {address};branch={branch};rport")
        return ToPhone(flow, request, back=node)

    def _branch_at_phone(self, inner: str, node: str) -> str:
        """That of the request itself if it is of a call: whoever owns that later may say it again, by another node or
        from here, and the phone knows it by its topmost Via alone (RFC 3261 sections 8.2.2.2 and 17.2.3)."""
        return inner if self._places.of_branch(inner) is not None else self._at_phones.branch(inner, node)

    def _answer_from_node(self, response: Response, node: str) -> Way:
        via = response.via
        flow = self._flow_in(via, _FLOW)
        if self._on_link.back(via.branch) is not None:
            response.pop("Via")
            if flow is None or flow.node != self._roster.me:
                return Nobody("an answer to a phone without a flow of this node")
            return ToPhone(flow, response, verdict_in(via))
        gone = self._flow_in(via, _GONE)
        if gone is not None and gone.node == node:
            return FlowGone(gone)
        return Here(response, flow) if flow is not None else Nobody("an answer without a flow of this cluster")

    def flow_failed(self, way: ToPhone) -> PassOn | None:
        """The connection is gone: what the node is told that had sent a request to its phone."""
        request = way.message
        if not way.back or not isinstance(request, Request) or request.method == "ACK":
            return None
        request.pop("Via")
        response = response_to(request, 430)
        response.push("Via", f"{response.pop('Via')};{_GONE}={self._tokens.write(way.flow)}")
        return PassOn(way.back, response)

    # --- what goes to a phone of another node

    def to_node(self, flow: Flow, data: bytes) -> bytes | None:
        """A message of ours to the phone of a flow, as it goes over the link; None if that node is not there."""
        node = self._roster.neighbour(flow.node)
        if node is None:
            return None
        token = self._tokens.write(flow)
        if data.startswith(b"SIP/2.0 "):
            branch = self._on_link.branch(branch_in(data), node.name)
            line = f"Via: SIP/2.0/TLS {node.sent_by};branch={branch};{_FLOW}={token}{self.verdicts.take(flow)}"
        else:
            line = f"Route: <sip:{token}@{node.sent_by};lr>"
        first, _, rest = data.partition(b"\r\n")
        return b"%b\r\n%b\r\n%b" % (first, line.encode(), rest)

    # --- parts

    def _serves(self, shard: int | None) -> bool:
        """What is of no shard is served anywhere."""
        return shard is None or self._switchboard.owns(shard)

    def _elsewhere(self, shard: int | None) -> Neighbour | None:
        """The other node that owns a shard; None if that is this one, or nobody that is known."""
        if shard is None or self._switchboard.owns(shard):
            return None
        owner = self._roster.owner(shard)
        return owner if owner is not None and owner.name != self._roster.me else None

    def _send_on(self, request: Request, flow: Flow) -> None:
        token = self._tokens.write(flow)
        if request.method == "REGISTER":
            request.push("Path", f"<sip:{token}@{self._link};lr;ob>")
        self._hop(request, f";{_FLOW}={token}")

    def _hop(self, request: Request, says: str) -> None:
        _count_down(request)
        inner = server_key(request, "INVITE").branch
        branch = self._on_link.branch(inner, self._roster.me)
        request.push("Via", f"SIP/2.0/TLS {self._link};branch={branch}{says}")

    @property
    def _link(self) -> str:
        """Where other nodes reach this one; by its name as long as that is not known."""
        me = self._roster.neighbour(self._roster.me)
        return me.sent_by if me is not None else home_of(self._roster.me)

    def _taken_off(self, request: Request) -> _Came:
        """Take off what nodes have put on a phone's request."""
        flow: Flow | None = None
        vias: list[str] = []
        nodes: set[str] = set()
        while flow is None and (back := self._on_link.back(request.via.branch)) is not None:
            nodes.add(back)
            flow = self._flow_in(request.via, _FLOW)
            vias.append(request.pop("Via"))
        if flow is not None and request.method == "REGISTER" and self._route_of(request, "Path") == flow:
            request.pop("Path")
        return _Came(flow, vias, nodes)

    def _flow_in(self, via: Via, name: str) -> Flow | None:
        token = via.params.get(name)
        return self._tokens.read(token) if token else None

    def _route_of(self, request: Request, name: str) -> Flow | None:
        """The flow that the first value of a header of routes names."""
        values = request.get_all(name)
        try:
            return self._tokens.read(NameAddr.parse(values[0]).uri.user) if values else None
        except ValueError as error:
            raise MessageError(400, f"Malformed {name}", request) from error


class _Came(NamedTuple):
    """How a phone's request has come here: its flow, the Vias of nodes (the top one first), and which nodes."""

    flow: Flow | None
    vias: list[str]
    nodes: set[str]


def _branch_of(via: str) -> str:
    try:
        return Via.parse(via).branch
    except ValueError as error:
        raise MessageError(400, "Malformed Via") from error


def _count_down(request: Request) -> None:
    """Max-Forwards (16.6 step 3). All nodes together are one server, so none of them ends a request at 0 (16.3)."""
    request.set("Max-Forwards", str(max(hops_of(request) - 1, 0)))
