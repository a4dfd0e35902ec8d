"""Value objects that events carry. Frozen, comparable, JSON-encodable; no behaviour that needs a clock or chance."""

from __future__ import annotations

import msgspec


class Flow(msgspec.Struct, frozen=True, order=True):
    """The way by which a peer was heard and can be answered (RFC 5626's flow).

    `transport` is `udp`, `tcp` or `tls`; `local` and `remote` are `host:port` (IPv6 in brackets);
    `connection` numbers the stream connection within this run of the process (0 for UDP).
    """

    transport: str
    local: str
    remote: str
    connection: int = 0


class Dialog(msgspec.Struct, frozen=True):
    """A SIP dialog as the journal keeps it (RFC 3261 section 12). The domain stores it and hands it back.

    `routes` is the route set in the order in which requests carry it. `device` is the digest user name of the
    phone at the other end; with `instance` it finds the phone again when its connection is gone.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local_uri: str
    remote_uri: str
    remote_target: str
    routes: tuple[str, ...]
    local_cseq: int
    remote_cseq: int
    flow: Flow
    device: str = ""
    instance: str = ""


class Transaction(msgspec.Struct, frozen=True):
    """A request of the peer's that is still to be answered: what a response copies from it (RFC 3261 8.2.6)."""

    method: str
    branch: str
    cseq: int
    call_id: str
    from_: str
    to: str
    vias: tuple[str, ...]
    record_routes: tuple[str, ...]
    flow: Flow
