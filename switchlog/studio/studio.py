"""Media of our own and the conferences made of them, put together: for the sessions role and for tests.

What may live here: which part is told what by which. Sans-IO: what goes to media workers leaves by a hook.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import structlog

from adapters.media.attend import Attendances
from adapters.media.certificate import Certificates
from adapters.media.context import Arrangement, ContextName
from adapters.media.gauge import Gauges
from adapters.media.keyring import Keyring
from adapters.media.parts import MediaParts
from adapters.media.perform import MediaPerformer
from adapters.media.pool import Pool, Terms
from adapters.media.port import Ports
from adapters.media.relay import RELAYED, RelayPerformer
from adapters.media.room import RoomName, Seat, context_of
from adapters.media.secure import Means
from adapters.media.speaker import Speaker
from domain.base import Event
from domain.call.call import Call, CallState
from domain.call.effect import Effect, MediaEffect
from domain.call.input import Input
from domain.ids import call_of_leg, shard_of, shard_of_room
from domain.node import Roster, home_of
from domain.ports import JournalError, Sealer, Stored
from domain.routing.directory import Directory
from domain.switchboard import NotOwned
from domain.values import MAILBOX, MESSAGES, ROOM, Flow
from media.rate import mix_rate_hz
from media.wire import FromWorker, Inventory, Left, Load, Measured, OfWorker, Play, Retiring, Silent, ToWorker
from switchlog.session.board import Board
from switchlog.studio.clerk import Clerk
from switchlog.studio.eraser import Eraser, EraserParts
from switchlog.studio.hall import Hall, HallParts
from switchlog.studio.mailroom import BoxName, Mailroom, MailroomParts
from switchlog.studio.recording_key import RecordingKeys
from switchlog.studio.reel import ReelStore
from switchlog.studio.reels import ReelParts, ReelRoom, Work
from switchlog.studio.spool import Spool
from switchlog.studio.stage import VoicemailParts
from switchlog.studio.sweeper import Sweeper, SweeperParts
from switchlog.studio.voicemail import Voicemail

_log = structlog.get_logger(__name__)


class MediaSettings(NamedTuple):
    """What the sessions role is told of media: the ports, where workers are found, and what phones are told.

    `host` is empty for the address at which a phone reaches us for SIP.
    """

    first_port: int
    last_port: int
    workers: tuple[Path, ...]
    host: str = ""
    keys: Path | None = None
    """the folder for what handshakes gave, if that is to outlive the processes"""
    shared: bool = False
    """other processes have the same workers, and take from the same ports"""


class StudioParts(NamedTuple):
    """What a studio is built from."""

    settings: MediaSettings
    board: Board
    directory: Callable[[], Directory]
    sealer: Sealer
    media_secret: bytes
    """from which the certificates of media follow"""
    node: str
    roster: Roster | None
    """of the nodes, if there are several"""
    host: Callable[[Flow], str]
    """the address at which the peer of a flow can reach us"""
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes]
    send: Callable[[str, ToWorker], None]
    told: Callable[[tuple[Event, ...]], None]
    reels: ReelStore
    clerk: Clerk
    work: Work
    read: Callable[[UUID], Sequence[Stored]]
    """a stream of the journal; blocks"""
    mailbox_changed: Callable[[BoxName], None]


class Studio:
    """The parts that a driver talks to."""

    def __init__(self, parts: StudioParts) -> None:
        self._board, self._roster = parts.board, parts.roster
        self._told_of_mailbox = parts.mailbox_changed
        near = parts.roster.takes if parts.roster else lambda shard: True
        terms = Terms(_shard_of_context, self._epoch, near)
        self.pool = Pool(terms, parts.send, mix_rate_hz, map(str, parts.settings.workers))
        self.hall = Hall(
            HallParts(
                board=parts.board,
                directory=parts.directory,
                unseal=parts.sealer.unseal,
                node=parts.node,
                clock=parts.clock,
                chance=parts.chance,
                seat=self._seat,
                told=parts.told,
            )
        )
        chance = parts.chance if parts.settings.shared else None
        ports = Ports(parts.settings.first_port, parts.settings.last_port, chance)
        certificates, clock = Certificates(parts.media_secret), parts.clock
        means = Means(parts.sealer.seal, parts.chance, lambda: certificates.current(clock()))
        speaker = Speaker(means, parts.sealer.unseal, lambda named: certificates.shown(named, clock()))
        host = (lambda flow: parts.settings.host) if parts.settings.host else parts.host
        self.mailroom, self.voicemail = self._post(parts)
        self._attendances = Attendances({ROOM: self.hall, MAILBOX: self.voicemail, MESSAGES: self.voicemail})
        self.gauges = Gauges(self.pool.has)
        media = MediaParts(
            pool=self.pool,
            ports=ports,
            host=host,
            unseal=parts.sealer.unseal,
            means=means,
            speaker=speaker,
            keyring=Keyring(parts.settings.keys, parts.sealer.seal, parts.sealer.unseal),
            find=parts.board.find,
            tell=self._tell,
            clock=clock,
            gauges=self.gauges,
        )
        self.performer = MediaPerformer(media, self._attendances)
        self.reels = ReelRoom(ReelParts(parts.reels, parts.work, parts.clock, parts.board.find, self._let))
        self.eraser, self.sweeper = self._cleaners(parts)
        self.keys = RecordingKeys(parts.board.find, parts.directory, self._tell)
        self.relays = RelayPerformer(media, self.reels, self.keys)

    def heard(self, worker: str, message: FromWorker) -> None:
        """What a worker says; whose context it is about is told. `flush` is to follow."""
        if isinstance(message, Measured | Silent):  # the same in every context
            self.gauges.heard(worker, message)
            return
        if isinstance(message, Inventory):
            self.gauges.arrived(worker, message.run)
        if isinstance(message, Retiring):
            self.pool.retires(worker)
        if isinstance(message, Left):
            self.pool.left(worker, message)
        if isinstance(message, Load):
            self.relays.ask_again(worker)
        about = "" if isinstance(message, OfWorker) else message.context
        if ContextName.of(about).kind == RELAYED:
            self.relays.heard(message)
        else:
            self.performer.heard(worker, message)

    def died(self, worker: str) -> None:
        """A worker is no more."""
        self.gauges.died(worker)
        self.pool.died(worker)

    def flush(self) -> None:
        """Tell workers and calls what has changed."""
        self.relays.flush()
        self.performer.flush()
        self.gauges.flush(self._tell)

    def _post(self, parts: StudioParts) -> tuple[Mailroom, Voicemail]:
        mailroom = Mailroom(
            MailroomParts(
                board=parts.board,
                directory=parts.directory,
                seal=parts.sealer.seal,
                unseal=parts.sealer.unseal,
                node=parts.node,
                clock=parts.clock,
                chance=parts.chance,
                told=parts.told,
                clerk=parts.clerk,
                work=parts.work,
                changed=self._mailbox_changed,
            )
        )
        visits = VoicemailParts(parts.board, mailroom, parts.sealer.unseal, parts.clock, self._arrange)
        return mailroom, Voicemail(visits)

    def _cleaners(self, parts: StudioParts) -> tuple[Eraser, Sweeper]:
        eraser = EraserParts(
            board=parts.board,
            store=parts.reels,
            read=parts.read,
            directory=parts.directory,
            node=parts.node,
            work=parts.work,
            clock=parts.clock,
        )
        sweeper = SweeperParts(
            board=parts.board,
            spool=Spool(parts.reels.spool),  # which is that of messages, too
            read=parts.read,
            mailboxes=self.mailroom.mailboxes,
            alone=parts.roster is None,
            elsewhere=self._elsewhere,
            work=parts.work,
            clock=parts.clock,
        )
        return Eraser(eraser), Sweeper(sweeper)

    def resume(self) -> None:
        """What goes on in shards that were taken goes on, after their calls."""
        self.hall.resume()
        self.mailroom.resume(self._is_over)

    def perform(self, call: Call, effects: tuple[Effect, ...]) -> None:
        """Of a call in which our own media are; after what its phones are told, since a room may send somebody away."""
        if self._board.owns(shard_of(call.id)):  # else it is no more ours to say
            self.performer.perform(call, tuple(effect for effect in effects if call.legs[effect.leg].media))
            self.relays.perform(call, tuple(effect for effect in effects if isinstance(effect, MediaEffect)))

    def pressed(self, call: Call, leg: str, digit: str) -> None:
        """A leg's phone says by SIP that a key was pressed."""
        if call.callee.media:
            self._attendances.pressed(call, call.callee_leg, digit)
        else:
            self.keys.pressed(call.id, "caller" if leg == call.caller_leg else "callee", digit)

    def counts(self, tenant: str, number: str) -> tuple[int, int] | None:
        """How many messages are new and were heard in the mailbox of a number; None if it has none."""
        return self.mailroom.counts(BoxName(tenant, number))

    def metrics(self) -> dict[str, float]:
        """Numbers for `/metrics`."""
        conferences = list(self.hall.conferences())
        members = sum(len(one.members) for one in conferences)
        rooms = {"conferences": float(len(conferences)), "conference_members": float(members)}
        return dict(self.gauges.metrics()) | self.pool.metrics() | rooms

    def leave(self, shard: int) -> None:
        """A shard is not ours any more, at least for now."""
        self.gauges.forget(shard)
        self.hall.leave(shard)
        self.relays.leave(shard)
        self.reels.leave(lambda call: shard_of(call) == shard)
        self.voicemail.leave(lambda call: shard_of(call) == shard)
        self.performer.leave(shard)
        owner = self._roster.owner(shard) if self._roster is not None else None
        if owner is not None:  # else nobody goes on with it yet, and the audio flows
            self.pool.moved((shard,))

    def moved_away(self, shards: Collection[int]) -> None:
        """Other processes have claimed shards that were last this one's. Those that are here have come back already, or
        it is not known here yet that they are lost: then it will be by `leave`."""
        self.pool.moved(shards)

    def _elsewhere(self, shard: int) -> bool:
        """Whether another node has it; another process of this one has the same spool."""
        owner = self._roster.owner(shard) if self._roster is not None else None
        return owner is not None and self._roster is not None and home_of(owner.name) != home_of(self._roster.me)

    def _mailbox_changed(self, box: BoxName) -> None:
        self._told_of_mailbox(box)
        self.voicemail.changed(box)

    def _epoch(self, shard: int) -> int | None:
        owned = self._board.shard(shard)
        return owned.epoch if owned else None

    def _is_over(self, leg: str) -> bool:
        """Not known, and so no, while the shard of its call is not owned."""
        stream = call_of_leg(leg)
        call = self._board.find(stream)
        return self._board.owns(shard_of(stream)) and (call is None or call.state is CallState.ENDED)

    def _arrange(self, name: ContextName, arrangement: Arrangement | None) -> None:
        self.performer.arrange(name, arrangement)

    def _seat(self, room: RoomName, seats: Mapping[str, Seat], plays: tuple[Play, ...]) -> None:
        if self._board.owns(shard_of_room(*room)):
            self.performer.arrange(room.context, partial(context_of, seats=seats, plays=plays) if seats else None)

    def _let(self, call: UUID, inp: Input, durable: Callable[[], None]) -> None:
        self._board.handle(call, inp, lambda accepted: durable())

    def _tell(self, call: UUID, inp: Input) -> None:
        try:
            self._board.handle(call, inp, lambda accepted: None)
        except (JournalError, NotOwned) as error:  # what is owed is said again once the shard is owned again
            _log.warning("what media of our own say has to wait", call=str(call), reason=str(error))


def _shard_of_context(context: str) -> int:
    return ContextName.of(context).shard
