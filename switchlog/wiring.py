"""How the SIP application, the shards and what lies between them are put together: for the sessions role and for tests.

Everything here is sans-IO; sockets, threads and clocks come in by `Hooks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from adapters.journal.codec import encode
from adapters.sip.application import Application, Now, Parts
from adapters.sip.auth import Challenger
from adapters.sip.dialog import Addresses
from adapters.sip.gate import GateSettings, Unwitnessed, Witness
from adapters.sip.identifier import SipIdentifiers
from adapters.sip.peer import Device, Peers
from adapters.sip.perform import Performer
from adapters.sip.transaction import TransactionLayer
from domain.base import Event
from domain.call.call import Call
from domain.call.effect import Effect
from domain.call.session import USUAL_S
from domain.ports import Credentials, Journal, Sealer
from domain.routing.directory import Directory
from domain.values import Flow
from switchlog.board import Board, Outlets
from switchlog.probe import Prober


class SessionParts(NamedTuple):
    """What the sessions role is built from."""

    node: str
    journal: Journal
    epochs: Mapping[int, int]
    credentials: Credentials
    sealer: Sealer
    directory: Callable[[], Directory]
    identifier_secret: bytes
    nonce_secret: bytes
    algorithms: tuple[str, ...]
    session_s: int = USUAL_S
    gate: GateSettings = GateSettings()
    probe_s: int = 0


class Hooks(NamedTuple):
    """What the driver does for the parts."""

    clock: Callable[[], Now]
    alive: Callable[[Flow], bool]
    """whether a stream connection is open"""
    settled: Callable[[], None]
    """something waits in the layer's outbox"""
    told: Callable[[tuple[Event, ...]], None]
    """events of a call that are durable now"""
    lost: Callable[[int, str], None]
    unreachable: Callable[[Call, str], None]
    device_back: Callable[[Device], None]
    new_call: Callable[[str, datetime], UUID]
    witness: Witness = Unwitnessed()


class Switch(NamedTuple):
    """The parts that a driver talks to."""

    layer: TransactionLayer
    peers: Peers
    addresses: Addresses
    board: Board
    application: Application
    prober: Prober
    perform: Callable[[Call, tuple[Effect, ...]], None]


def wire(parts: SessionParts, hooks: Hooks) -> Switch:
    """One worker's parts, connected."""
    layer, peers, addresses = TransactionLayer(), Peers(hooks.alive), Addresses()
    identifiers = SipIdentifiers(parts.identifier_secret)
    performer = Performer(
        layer=layer,
        identifiers=identifiers,
        addresses=addresses,
        peers=peers,
        sealer=parts.sealer,
        unreachable=hooks.unreachable,
    )

    def perform(call: Call, effects: tuple[Effect, ...]) -> None:
        performer.perform(call, effects, hooks.clock().monotonic)
        hooks.settled()

    def told(events: tuple[Event, ...]) -> None:
        hooks.told(events)
        prober.told(events)

    board = Board(
        journal=parts.journal,
        encode=encode,
        identifiers=identifiers,
        directory=parts.directory,
        node=parts.node,
        session_s=parts.session_s,
        outlets=Outlets(perform, hooks.lost, hooks.settled, told, lambda: hooks.clock().utc),
    )
    application = Application(
        Parts(
            layer=layer,
            switchboard=board,
            identifiers=identifiers,
            performer=performer,
            peers=peers,
            addresses=addresses,
            challenger=Challenger(parts.nonce_secret, parts.algorithms, run=max(parts.epochs.values(), default=0)),
            credentials=parts.credentials,
            sealer=parts.sealer,
            new_call=hooks.new_call,
            clock=hooks.clock,
            device_back=hooks.device_back,
            witness=hooks.witness,
        )
    )
    prober = Prober(parts.probe_s, board.find, application.relay.check)
    return Switch(layer, peers, addresses, board, application, prober, perform)
