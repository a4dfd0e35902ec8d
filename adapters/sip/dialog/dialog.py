"""Requests inside and at the start of dialogs (RFC 3261 section 12), built from what the journal keeps of a dialog.

What may live here: pure building and reading of dialog state. No transactions, no sockets, no call logic.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address

import msgspec

from adapters.sip.dialog.capability import ALLOW, SUPPORTED
from adapters.sip.message.header import NameAddr, quote
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.uri import Uri
from domain.node import Listener, Neighbour, Roster, home_of
from domain.values import Dialog, Flow, Transaction

MAX_HOPS = 70
"""Vias or routes of one message. No request has come farther: Max-Forwards begins at 70."""


class Addresses:
    """What we call ourselves in Via, Contact and Service-Route: the advertised address, or the bound one.

    A phone behind another node of `roster` is told that one's address in Contact and Service-Route, as it sends what it
    has to say by its flow there. One to which a worker has connected is told that of its node's edge.
    """

    def __init__(self, roster: Roster | None = None) -> None:
        self._roster = roster
        self._by_local: dict[tuple[str, str], str] = {}
        self._by_family: dict[tuple[str, bool], str] = {}

    def announce(self, transport: str, address: str, local: str = "") -> None:
        """From now on peers of this transport are told `address` (`host:port`).

        With `local` (`host:port` as bound) only those that come to that listener are, and the peers of its family
        (IPv4 or IPv6) to which we connect, if it is the family's first.
        """
        if local:
            self._by_local[transport, local] = address
            self._by_family.setdefault((transport, _is_ipv6(local)), address)
        else:
            self._by_family[transport, _is_ipv6(address)] = address
            self._by_local = {key: one for key, one in self._by_local.items() if key[0] != transport}

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Those of this node: what the others are to know of it."""
        return tuple(Listener(transport, address, local) for (transport, local), address in self._by_local.items())

    def of(self, flow: Flow) -> str:
        """`host:port` at which the peer of a flow reaches us."""
        node = self._other(flow)
        return self._there(flow, node) if node is not None else self._here(flow)

    def host_for(self, flow: Flow) -> str:
        """The host at which the peer of a flow can reach this machine itself, be the flow another one's or not.

        IPv6 is without brackets.
        """
        address = self.of(flow)
        roster = self._roster
        if roster is not None and flow.node and home_of(flow.node) != home_of(roster.me):
            address = self._own(flow) or address
        return address.rpartition(":")[0].strip("[]")

    def _own(self, flow: Flow) -> str:
        """Of this machine's addresses for phones the most fitting one for the peer of another's flow; empty if none."""
        assert self._roster is not None
        edge = self._roster.neighbour(home_of(self._roster.me))
        ours = self.listeners or (edge.listeners if edge is not None else ())
        ipv6 = _is_ipv6(flow.local)
        fitting = sorted(ours, key=lambda one: (_is_ipv6(one.address) != ipv6, one.transport != flow.transport))
        return fitting[0].address if fitting else ""

    def _here(self, flow: Flow) -> str:
        transport, local = flow.transport, flow.local
        named = self._by_local.get((transport, local)) or self._by_family.get((transport, _is_ipv6(local)))
        return named or local

    def _there(self, flow: Flow, node: Neighbour) -> str:
        named = (one.address for one in node.listeners if (one.transport, one.local) == (flow.transport, flow.local))
        same = (one.address for one in node.listeners if _alike(one, flow))
        return next(named, "") or next(same, "") or flow.local

    def _other(self, flow: Flow) -> Neighbour | None:
        """The other node at which the peer of a flow reaches us; None if that is dead, or it does so here."""
        if self._roster is None or not flow.node:
            return None
        name = flow.node if flow.node != self._roster.me else home_of(flow.node)
        return self._roster.neighbour(name) if name != self._roster.me else None

    def service_route(self, flow: Flow) -> str:
        """The way to us for later requests of the peer of a flow (RFC 3608)."""
        transport = "" if flow.transport == "udp" else f";transport={flow.transport}"
        return f"<sip:{self.of(flow)}{transport};lr>"

    def ours(self, host: str, port: int | None) -> bool:
        """Whether a URI with this host (IPv6 in brackets) and port names one of our listeners."""
        named = {*self._by_local.values(), *self._by_family.values(), *(local for _, local in self._by_local)}
        if self._roster is not None:
            named.update(one.address for node in self._roster.neighbours() for one in node.listeners)
        return any(f"{host.lower()}:{port or standard}" in named for standard in (5060, 5061))

    def via(self, flow: Flow, branch: str) -> str:
        """Ours, whoever's flow it is: another node puts its own above it."""
        if self._other(flow) is not None:
            return f"SIP/2.0/{flow.transport.upper()} {self._here(flow)};branch={branch}"
        return f"SIP/2.0/{flow.transport.upper()} {self.of(flow)};branch={branch};rport"

    def contact(self, flow: Flow, user: str, secure: bool = False) -> str:
        """Our Contact for the peer of a flow; a sips URI names TLS by itself (RFC 5630 section 3.1)."""
        if secure and flow.transport == "tls":
            return f"<sips:{user}@{self.of(flow)}>"
        transport = "" if flow.transport == "udp" else f";transport={flow.transport}"
        return f"<sip:{user}@{self.of(flow)}{transport}>"


def asks_secure(dialog: Dialog) -> bool:
    """Whether our Contact in this dialog must be a sips URI: the peer's, or the first route to it, is one.

    RFC 3261 8.1.1.8 and 12.1.1, which want the same of a dialog whose Request-URI was one.
    """
    first = dialog.routes[0].partition("<")[2] if dialog.routes else ""
    return dialog.remote_target[:5].lower() == "sips:" or first[:5].lower() == "sips:"


def _alike(one: Listener, flow: Flow) -> bool:
    return (one.transport, _is_ipv6(one.local)) == (flow.transport, _is_ipv6(flow.local))


def _is_ipv6(address: str) -> bool:
    return address.startswith("[")


def request_of(
    method: str, dialog: Dialog, via: str, contact: str = "", display: str = "", supported: str = SUPPORTED
) -> Request:
    """A request of ours; its CSeq is `dialog.local_cseq`. A strict router's route set is respected (12.2.1.1)."""
    target, routes = _routed(dialog)
    from_ = f"{quoted(display)}<{dialog.local_uri}>;tag={dialog.local_tag}"
    to = f"<{dialog.remote_uri}>" + (f";tag={dialog.remote_tag}" if dialog.remote_tag else "")
    headers = [
        ("Via", via),
        *(("Route", route) for route in routes),
        ("Max-Forwards", "70"),
        ("From", from_),
        ("To", to),
        ("Call-ID", dialog.call_id),
        ("CSeq", f"{dialog.local_cseq} {method}"),
    ]
    if contact:
        headers += [("Contact", contact), ("Allow", ALLOW)]
        headers += [("Supported", supported)] if supported else []
    request = Request(method, target, headers)
    if method != "ACK":  # which nothing answers
        request.via.keep(via)
    return request


def _routed(dialog: Dialog) -> tuple[str, tuple[str, ...]]:
    routes, target = dialog.routes, _askable(dialog.remote_target)
    if not routes:
        return target, ()
    first = NameAddr.parse(routes[0])
    if "lr" in first.uri.params:
        return target, routes
    return _askable(str(first.uri)), (*routes[1:], f"<{target}>")


def _askable(target: str) -> str:
    """A URI as it may stand in a request line: without the method and the headers that a Contact may have (19.1.1)."""
    if "?" not in target and "method" not in target.lower():
        return target
    uri = Uri.parse(target)
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return str(msgspec.structs.replace(uri, params=params, headers=""))


def quoted(display: str) -> str:
    """A display name as a quoted string, or nothing."""
    if not display:
        return ""
    return f"{quote(display)} "


def flow_to(target: Uri, routes: tuple[str, ...], flow: Flow) -> Flow:
    """The flow by which requests reach the peer that was heard on `flow` and gave `target` as its Contact.

    Over UDP a peer may listen on another port than it sends from; a Contact on another host than the one that was
    heard is behind NAT, so the flow is right and the Contact is not. Streams and proxies are reached by their flow.
    """
    if flow.transport != "udp" or routes or target.params.get("transport", "udp") != "udp":
        return flow
    host, _, _ = flow.remote.rpartition(":")
    if not same_host(target.host, host):
        return flow
    return msgspec.structs.replace(flow, remote=f"{host}:{target.port or 5060}")


def same_host(named: str, heard: str) -> bool:
    """IPv6 may be written in several ways (RFC 5118 4.1); `heard` is in the short one."""
    if named == heard or not (_is_ipv6(named) and _is_ipv6(heard)):
        return named == heard
    try:
        return str(IPv6Address(named[1:-1])) == heard[1:-1]
    except ValueError:
        return False


def caller_dialog(request: Request, flow: Flow, tag: str, device: str, instance: str) -> Dialog:
    """The dialog that an INVITE opens, seen from us as the UAS (12.1.1). Raises MessageError without a Contact."""
    target, routes = _contact(request), tuple(request.get_all("Record-Route"))
    check_routes(routes, request)
    return Dialog(
        call_id=request.call_id,
        local_tag=tag,
        remote_tag=request.from_.tag,
        local_uri=str(request.to.uri),
        remote_uri=str(request.from_.uri),
        remote_target=str(target),
        routes=routes,
        local_cseq=1,
        remote_cseq=request.cseq.number,
        flow=flow_to(target, routes, flow),
        device=device,
        instance=instance,
    )


def confirmed(dialog: Dialog, response: Response, flow: Flow) -> Dialog:
    """The dialog after a response to our INVITE, seen from us as the UAC (12.1.2).

    A response cannot be refused, and a 2xx must be acknowledged: what cannot be read in it counts as absent.
    """
    written = refreshed_target(response, dialog.remote_target)
    target, routes = Uri.parse(written), _record_route(response) or dialog.routes
    return msgspec.structs.replace(
        dialog,
        local_cseq=response.cseq.number,
        remote_tag=response.to.tag,
        remote_target=written,
        routes=routes,
        flow=flow_to(target, routes, flow),
    )


def refreshed_target(response: Response, target: str) -> str:
    """The remote target after a response (12.2.1.2): its Contact, or `target` if it has none that can be read."""
    try:
        return str(_contact(response))
    except MessageError:
        return target


def check_routes(routes: Sequence[str], request: Request) -> None:
    """Raises MessageError(400) for routes that our later requests could not carry."""
    if len(routes) > MAX_HOPS:
        raise MessageError(400, "Too many routes", request)
    for route in routes:
        try:
            NameAddr.parse(route)
        except ValueError as error:
            raise MessageError(400, "Malformed Record-Route or Path", request) from error


def _record_route(response: Response) -> tuple[str, ...]:
    try:
        routes = tuple(reversed(response.get_all("Record-Route")[:MAX_HOPS]))
        for route in routes:
            NameAddr.parse(route)
    except MessageError:
        return ()
    return routes


def contact_uri(message: Request | Response) -> str:
    """The URI of the first Contact. Raises MessageError(400) if there is none."""
    return str(_contact(message))


def _contact(message: Request | Response) -> Uri:
    values = message.get_all("Contact")
    request = message if isinstance(message, Request) else None
    if not values or values[0] == "*":
        raise MessageError(400, "a Contact is missing", request)
    try:
        uri = NameAddr.parse(values[0]).uri
    except ValueError as error:
        raise MessageError(400, "Malformed Contact", request) from error
    if not uri.host:
        raise MessageError(400, "a Contact must be a SIP URI", request)
    return uri


def contact_instance(message: Request | Response) -> str:
    """`+sip.instance` of the first Contact without its quotes and brackets (RFC 5626), or empty."""
    values = message.get_all("Contact")
    if not values or values[0] == "*":
        return ""
    return instance_of(NameAddr.parse(values[0]))


def instance_of(contact: NameAddr) -> str:
    return (contact.params.get("+sip.instance") or "").strip('"<>')


def transaction_of(request: Request, flow: Flow) -> Transaction:
    """What the journal keeps of a request so that it can be answered after a restart. Raises MessageError."""
    vias = tuple(request.get_all("Via"))
    if len(vias) > MAX_HOPS:
        raise MessageError(400, "Too many Vias", request)
    request.via.keep(vias[0])  # each answer asks for it again
    return Transaction(
        method=request.method,
        branch=request.via.branch,
        cseq=request.cseq.number,
        call_id=request.call_id,
        from_=request.get("From") or "",
        to=request.get("To") or "",
        vias=vias,
        record_routes=tuple(request.get_all("Record-Route")),
        flow=flow,
    )


def response_of(transaction: Transaction, status: int, reason: str = "", tag: str = "") -> Response:
    """A response to a request of which only the journal's part is left (8.2.6)."""
    to = transaction.to
    if tag and not NameAddr.parse(to).tag:
        to = f"{to};tag={tag}"
    headers = [("Via", via) for via in transaction.vias]
    if 100 < status < 300:
        headers += [("Record-Route", route) for route in transaction.record_routes]
    headers += [
        ("From", transaction.from_),
        ("To", to),
        ("Call-ID", transaction.call_id),
        ("CSeq", f"{transaction.cseq} {transaction.method}"),
    ]
    return Response(status, reason, headers)


def host_of(uri: Uri) -> str:
    """The host in lower case without a trailing dot: what a tenant is chosen by."""
    return uri.host.lower().rstrip(".")
