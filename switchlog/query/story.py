"""A call's story: its events, and beside them the SIP messages that caused them and followed from them.

The messages are computed again from the journal: what a call says is a function of its folded events
(`domain.call.resume.outstanding`), and the live builders of requests and responses are used here too. So the ladder of
a call of last week needs no trace. What leaves no event is not in it: retransmissions, challenges, ACKs of refusals,
and answers to our own BYEs; those are in the wire trace, as long as that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

import msgspec

from adapters.media.described import described, end_of
from adapters.media.offer import CODECS
from adapters.sip.application.perform import Performer
from adapters.sip.dialog.dialog import Addresses
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.dialog.moves import Moves
from adapters.sip.dialog.peer import Peers
from adapters.sip.message.message import MessageError, Request
from adapters.sip.message.parser import parse
from adapters.sip.message.text import to_text
from adapters.sip.transaction.layer import TransactionLayer
from domain.base import Event
from domain.call.call import Call
from domain.call.effect import Effect, MediaEffect
from domain.call.resume import outstanding
from domain.ports import Stored
from domain.sdp import map_crypto
from switchlog.query.story_line import heard_of, said_of, summary_of

Decode = Callable[[str, bytes], Event]


class Party(msgspec.Struct, frozen=True):
    """One leg: a column of the ladder."""

    leg: str
    side: str
    number: str
    device: str
    transport: str
    address: str
    sip_call_id: str


class Message(msgspec.Struct, frozen=True):
    """A SIP message to or from `leg`; `raw` is empty where only its first line is known."""

    leg: str
    line: str
    raw: str = ""


class Told(msgspec.Struct, frozen=True):
    """An event in words."""

    sequence: int
    type: str
    summary: str


class Step(msgspec.Struct, frozen=True):
    """One turn of the call: what was heard, the events that it made, what was said once they were durable.

    `takeover` is true where another term of ownership begins.
    """

    time: datetime
    cause: str
    actor: str
    node: str
    epoch: int
    takeover: bool
    heard: Message | None
    events: tuple[Told, ...]
    said: tuple[Message, ...]


class Story(msgspec.Struct, frozen=True):
    """`parties` in the order in which they came."""

    call_id: UUID
    tenant: str
    parties: tuple[Party, ...]
    steps: tuple[Step, ...]


class _Veil:
    """In place of the sealer: media keys stay sealed."""

    def seal(self, plain: str) -> str:
        return "***"

    def unseal(self, sealed: str) -> str:
        return "***"


def tell(records: Sequence[Stored], decode: Decode, identifiers: SipIdentifiers) -> Story | None:
    """The story of a call's whole stream; None if it is no call's. Raises JournalError for a record without meaning."""
    events = [decode(stored.record.type, stored.record.data) for stored in records]
    if not events or not isinstance(events[0], Call.Offered):
        return None
    teller = _Teller(identifiers)
    steps = tuple(teller.step(turn) for turn in _turns(events))
    call = teller.call
    assert call is not None
    return Story(call.id, call.tenant, tuple(_parties(call)), steps)


def _turns(events: Iterable[Event]) -> Iterator[tuple[Event, ...]]:
    """Events that were decided together: of one time and cause, and what was heard comes first."""
    turn: list[Event] = []
    for event in events:
        if turn and (_moment(event) != _moment(turn[-1]) or heard_of(event) is not None):
            yield tuple(turn)
            turn = []
        turn.append(event)
    if turn:
        yield tuple(turn)


def _moment(event: Event) -> tuple[datetime, str, int]:
    return event.timestamp, event.context.cause, event.context.epoch


def _parties(call: Call) -> Iterator[Party]:
    for leg in call.legs.values():
        dialog = leg.dialog
        side = "caller" if leg.caller else "callee"
        flow = dialog.flow
        yield Party(leg.id, side, leg.number, dialog.device, flow.transport, flow.remote, dialog.call_id)


class _Teller:
    """Folds the call turn by turn, and says what each turn made outstanding to nobody."""

    def __init__(self, identifiers: SipIdentifiers) -> None:
        self.call: Call | None = None
        self._identifiers = identifiers
        self._writer: tuple[str, int] | None = None

    def step(self, turn: tuple[Event, ...]) -> Step:
        first = turn[0]
        context = first.context
        writer = (context.node, context.epoch)
        takeover = self._writer is not None and writer != self._writer
        self._writer = writer
        heard = next((found for event in turn if (found := heard_of(event, self.call))), None)
        once = tuple(Message(*said) for event in turn if (said := said_of(event)))
        before = outstanding(self.call, first.timestamp) if self.call else ()
        for event in turn:
            self.call = cast("Call", event.mutate(self.call))
        assert self.call is not None
        effects = tuple(one for one in outstanding(self.call, first.timestamp) if one not in before)
        return Step(
            time=first.timestamp,
            cause=context.cause,
            actor=context.actor,
            node=context.node,
            epoch=context.epoch,
            takeover=takeover,
            heard=Message(*heard) if heard else None,
            events=tuple(_told(event) for event in turn),
            said=(*once, *(message for effect in effects for message in self._say(self.call, effect))),
        )

    def _say(self, call: Call, effect: Effect) -> Iterator[Message]:
        if call.legs[effect.leg].media or isinstance(effect, MediaEffect):
            return
        layer = TransactionLayer()  # a fresh one sends at once, as after a restart
        performer = Performer(
            layer=layer,
            identifiers=self._identifiers,
            addresses=Addresses(),
            peers=(peers := Peers(lambda flow: True)),
            moves=Moves(peers, lambda leg: False),
            sealer=_Veil(),
            unreachable=lambda call, leg: None,
            shown=_shown,
        )
        performer.perform(call, (effect,), 0.0)
        for _, data in layer.to_send():
            yield Message(effect.leg, line_of(data), to_text(data))


def _shown(call: Call, leg: str, sdp: str, tag: str) -> str:
    """What a phone was told of media that went through us, with other keys in their place."""
    assert call.relay is not None
    assert call.relay.place is not None
    host = call.legs[leg].dialog.flow.local.rpartition(":")[0].strip("[]")
    end = end_of(call, leg, host, call.relay.place, b"")
    return map_crypto(described(call, leg, sdp, tag, end, CODECS), _Veil().unseal)


def line_of(data: bytes) -> str:
    """A message in a few words: its method, or its status with the method that it answers."""
    try:
        message = parse(data)
        if isinstance(message, Request):
            return message.method
        return f"{message.status} {message.reason} ({message.cseq.method})"
    except MessageError as error:
        return f"malformed: {error}"


def _told(event: Event) -> Told:
    kind: str = getattr(type(event), "TOPIC", type(event).__name__)
    return Told(event.originator_version, kind.rpartition(".")[0], summary_of(event))
