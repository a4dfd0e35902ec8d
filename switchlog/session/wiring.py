"""How the SIP application, the shards and what lies between them are put together: for the sessions role and for tests.

Everything here is sans-IO; sockets, threads and clocks come in by `Hooks`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import structlog

from adapters.journal.codec import encode
from adapters.sip.application import whom
from adapters.sip.application.application import Application
from adapters.sip.application.parts import Now, Parts, no_keys, no_mailbox
from adapters.sip.application.perform import Performer
from adapters.sip.dialog.dialog import Addresses
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.dialog.moves import Moves
from adapters.sip.dialog.peer import Device, Peers
from adapters.sip.digest.challenge import Challenger
from adapters.sip.edge.link import Near
from adapters.sip.gate.gate import GateSettings, Unwitnessed, Witness
from adapters.sip.steer.steer import Steering
from adapters.sip.transaction.layer import TransactionLayer
from domain.base import Event
from domain.call.call import Call
from domain.call.effect import Effect, MediaEffect
from domain.call.terms import USUAL_S
from domain.ids import call_of_leg, new_stream_id
from domain.node import Roster
from domain.ports import Credentials, Journal, Sealer
from domain.routing.directory import Directory
from domain.storage import Storage, StorageError
from domain.subscription.subscription import Subscription
from domain.values import Contact, Flow
from media.wire import ToWorker
from switchlog.node.crossing import Crossing, Faraway, Outward
from switchlog.node.strain import Strain
from switchlog.node.warden import Holder
from switchlog.session.board import Board
from switchlog.session.outlet import Outlets, nowhere
from switchlog.session.probe import Prober
from switchlog.session.subscribers import Subscribers, SubscribersParts
from switchlog.studio.clerk import Clerk
from switchlog.studio.mailroom import BoxName
from switchlog.studio.reel import ReelStore
from switchlog.studio.reels import Work, at_once
from switchlog.studio.studio import MediaSettings, Studio, StudioParts

_log = structlog.get_logger(__name__)


def no_storage() -> Storage:
    """There is none."""
    raise StorageError("there is no storage here")


def unsent(worker: str, message: ToWorker) -> None:
    """There are no media workers."""


class Company(NamedTuple):
    """What a session is told by those who know of the other nodes."""

    may_claim: Callable[[], bool]
    cabinet: Holder
    """who holds the shard of configuration"""


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
    media_secret: bytes
    algorithms: tuple[str, ...]
    session_s: int = USUAL_S
    gate: GateSettings = GateSettings()
    probe_s: int = 0
    roster: Roster | None = None
    """of the nodes, if there are several"""
    elsewhere: Callable[[str, str], tuple[Contact, ...]] = nowhere
    """(tenant, number) -> the bindings that hold now, of an extension whose shard another node owns"""
    near: Near | None = None
    """ways to the other processes of this node, if it has several"""
    tell_strain: Callable[[Strain], None] | None = None
    """told what this process has to bear, if another one refuses on its behalf"""
    strain_elsewhere: Callable[[], Strain] | None = None
    """what those bear for which this process refuses, if there are any"""
    company: Company | None = None
    """the other nodes, if there may be any: then shards come and go while the session runs"""
    media: MediaSettings | None = None
    """media of our own, if there are any"""
    reels: ReelStore | None = None
    """what they record; wherever there are `media`"""
    clerk: Clerk | None = None
    """who sees to the files of messages, if there are media"""


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
    new_call: Callable[[int, datetime], UUID]
    """(shard, now) -> the id of a new call there"""
    chance: Callable[[int], bytes] = os.urandom
    witness: Witness = Unwitnessed()
    outward: Outward | None = None
    """where there are several nodes: what crosses between them"""
    media_send: Callable[[str, ToWorker], None] = unsent
    """(worker, message): to a media worker"""
    work: Work = at_once
    """do something that blocks"""


class Switch(NamedTuple):
    """The parts that a driver talks to."""

    layer: TransactionLayer
    peers: Peers
    moves: Moves
    addresses: Addresses
    board: Board
    application: Application
    subscribers: Subscribers
    prober: Prober
    perform: Callable[[Call, tuple[Effect, ...]], None]
    crossing: Crossing | None = None
    studio: Studio | None = None


class Due(NamedTuple):
    """Something that acts by itself: when it does so next, and letting it."""

    next: Callable[[], datetime | None]
    act: Callable[[datetime], None]


def dues_of(switch: Switch) -> tuple[Due, ...]:
    """All of these parts that do."""
    board, prober, subscribers, studio = switch.board, switch.prober, switch.subscribers, switch.studio
    dues: tuple[Due, ...] = (
        Due(board.next_deadline, board.on_deadline),
        Due(prober.next_due, prober.on_due),
        Due(subscribers.next_due, subscribers.on_due),
    )
    if studio is None:
        return dues
    own = (studio.hall, studio.performer, studio.reels, studio.eraser, studio.mailroom, studio.voicemail)
    return (*dues, *(Due(one.next_due, one.on_due) for one in (*own, studio.sweeper)))


def act_all(dues: Iterable[Due], now: datetime) -> None:
    """Let each act if it is due; whatever one does, the others have their moment too."""
    for due in dues:
        try:
            due.act(now)
        except Exception:  # noqa: BLE001  boundary: one fault is not the others'
            _log.exception("what was due was not done; this is a fault of ours: report these lines")


def new_call(shard: int, now: datetime) -> UUID:
    """The id of a call that begins in a shard."""
    return new_stream_id(int(now.timestamp() * 1000), shard, os.urandom(8))


def wire(parts: SessionParts, hooks: Hooks) -> Switch:
    """One worker's parts, connected."""
    layer = TransactionLayer(belongs=lambda request: whom.belongs(board, identifiers, request))
    faraway = Faraway(parts.roster) if parts.roster else None
    peers, addresses = Peers(faraway.alive_or(hooks.alive) if faraway else hooks.alive), Addresses(parts.roster)
    moves = Moves(peers, lambda leg: board.knows(call_of_leg(leg)))
    identifiers = SipIdentifiers(parts.identifier_secret)
    performer = Performer(
        layer=layer,
        identifiers=identifiers,
        addresses=addresses,
        peers=peers,
        moves=moves,
        sealer=parts.sealer,
        unreachable=hooks.unreachable,
        shown=lambda call, leg, sdp, tag: studio.relays.describe(call, leg, sdp, tag) if studio else sdp,
    )
    outlets = _outlets(
        parts,
        hooks,
        performer,
        probes=lambda events: prober.told(events),  # noqa: PLW0108  it is made below
        media=lambda call, effects: studio.perform(call, effects) if studio else None,
        left=lambda shard: _leave(shard, application, studio),
    )
    board = _board(parts, identifiers, outlets)
    subscribers = _subscribers(parts, hooks, board, lambda one: application.notifier.ended(one))  # noqa: PLW0108
    studio = _studio(parts, hooks, board, addresses, lambda name: application.summaries.tell(*name))
    crossing = None
    if faraway and hooks.outward:
        steering = Steering(parts.identifier_secret, faraway.roster, identifiers, board, layer, addresses)
        crossing = _crossing(hooks, hooks.outward, steering, faraway, layer, peers, lambda: application)
    application = Application(
        Parts(
            layer=layer,
            switchboard=board,
            subscriptions=subscribers,
            identifiers=identifiers,
            performer=performer,
            peers=peers,
            moves=moves,
            addresses=addresses,
            challenger=_challenger(parts, hooks),
            credentials=parts.credentials,
            sealer=parts.sealer,
            new_call=hooks.new_call,
            clock=hooks.clock,
            device_back=hooks.device_back,
            witness=crossing or hooks.witness,
            pressed=studio.pressed if studio else no_keys,
            counts=studio.counts if studio else no_mailbox,
        )
    )
    prober = Prober(parts.probe_s, board.find, application.relay.check)
    return Switch(
        layer, peers, moves, addresses, board, application, subscribers, prober, outlets.perform, crossing, studio
    )


def _crossing(
    hooks: Hooks,
    outward: Outward,
    steering: Steering,
    faraway: Faraway,
    layer: TransactionLayer,
    peers: Peers,
    application: Callable[[], Application],
) -> Crossing:
    return Crossing(
        steering=steering,
        faraway=faraway,
        layer=layer,
        peers=peers,
        receive=lambda message, flow: application().receive(message, flow, hooks.clock()),
        outward=outward,
        witness=hooks.witness,
        clock=lambda: hooks.clock().monotonic,
    )


def _board(parts: SessionParts, identifiers: SipIdentifiers, outlets: Outlets) -> Board:
    return Board(
        journal=parts.journal,
        encode=encode,
        identifiers=identifiers,
        directory=parts.directory,
        node=parts.node,
        session_s=parts.session_s,
        media=parts.media is not None,
        outlets=outlets,
    )


def _leave(shard: int, application: Application, studio: Studio | None) -> None:
    application.leave(shard)
    if studio is not None:
        studio.leave(shard)


def _subscribers(parts: SessionParts, hooks: Hooks, board: Board, ended: Callable[[Subscription], None]) -> Subscribers:
    return Subscribers(SubscribersParts(board, parts.node, lambda: hooks.clock().utc, hooks.chance, ended))


def _studio(
    parts: SessionParts, hooks: Hooks, board: Board, addresses: Addresses, changed: Callable[[BoxName], None]
) -> Studio | None:
    """Media of our own, if the settings have any."""
    if parts.media is None:
        return None
    assert parts.reels is not None, "media of our own record, too"
    return Studio(
        StudioParts(
            settings=parts.media,
            board=board,
            directory=parts.directory,
            sealer=parts.sealer,
            media_secret=parts.media_secret,
            node=parts.node,
            roster=parts.roster,
            host=addresses.host_for,
            clock=lambda: hooks.clock().utc,
            chance=hooks.chance,
            send=hooks.media_send,
            told=hooks.told,
            reels=parts.reels,
            clerk=parts.clerk or Clerk(no_storage, Path()),
            work=hooks.work,
            read=parts.journal.read,
            mailbox_changed=changed,
        )
    )


def _outlets(
    parts: SessionParts,
    hooks: Hooks,
    performer: Performer,
    probes: Callable[[tuple[Event, ...]], None],
    media: Callable[[Call, tuple[Effect, ...]], None],
    left: Callable[[int], None],
) -> Outlets:
    roster = parts.roster

    def perform(call: Call, effects: tuple[Effect, ...]) -> None:
        now = hooks.clock().monotonic
        if call.venue is None and call.relay is None:
            performer.perform(call, effects, now)
        else:
            performer.perform(call, tuple(effect for effect in effects if not _is_for_media(call, effect)), now)
            media(call, effects)
        hooks.settled()

    def told(events: tuple[Event, ...]) -> None:
        hooks.told(events)
        probes(events)

    def mine(shard: int) -> bool:
        return roster is None or roster.takes(shard)

    def utc() -> datetime:
        return hooks.clock().utc

    return Outlets(perform, hooks.lost, hooks.settled, told, utc, hooks.chance, mine, parts.elsewhere, left)


def _is_for_media(call: Call, effect: Effect) -> bool:
    return call.legs[effect.leg].media or isinstance(effect, MediaEffect)


def _challenger(parts: SessionParts, hooks: Hooks) -> Challenger:
    """Each run of each node has nonces of its own: only there it is known which of them were used."""
    if parts.roster is None:
        return Challenger(parts.nonce_secret, parts.algorithms, run=str(max(parts.epochs.values(), default=0)))
    run = f"{hooks.clock().utc.isoformat()} of {parts.roster.me}"
    return Challenger(parts.nonce_secret, parts.algorithms, run=run)
