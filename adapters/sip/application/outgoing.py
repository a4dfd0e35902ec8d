"""What comes back on the requests that we sent: responses, silence and lost flows, told to the calls.

What may live here: finding the leg that a branch of ours names, and taking up transactions from before a restart.
Requests of the peers are the application's.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from adapters.sip.application.parts import Now, Parts
from adapters.sip.message.message import Response
from adapters.sip.request import translate
from adapters.sip.transaction.event import (
    ResponseReceived,
    StrayResponse,
    TimedOut,
    TransportFailed,
)
from adapters.sip.transaction.key import ClientKey
from domain.call.call import Call, CallState
from domain.call.effect import Acknowledge, Confirm, Effect
from domain.call.input import Answered, Failed, Input, Progressed, ReofferRefused
from domain.call.leg import Leg
from domain.call.resume import outstanding
from domain.ids import call_of_leg, shard_of
from domain.ports import JournalFull
from domain.switchboard import NotOwned
from domain.values import UNREACHABLE, Cause, Flow

_OFFERS = frozenset({"INVITE", "UPDATE"})
_TIMED_OUT = Cause(408, 18, "the device did not answer at all")


class Outgoing:
    """One worker's side as a client (UAC): every event of the transactions that it started."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._layer = parts.layer

    def response(self, event: ResponseReceived, now: Now) -> None:
        found = self._leg_of(event.key.branch)

        def confirm(accepted: bool) -> None:
            if event.ack is not None:  # not before the journal has the refusal: it is said again only until then
                self._layer.acknowledge(event.key, *event.ack, self._parts.clock().monotonic)

        if found is None or event.key.method not in _OFFERS:
            if not self._unowned(event.key.branch):  # else the peer repeats it, and then the call is there again
                confirm(False)
            return
        call, leg, number = found
        self._hear(call, leg, number, event.response, event.flow, confirm)

    def _unowned(self, text: str) -> bool:
        """Whether a branch of ours names a call of which nothing can be known at the moment."""
        branch = self._parts.identifiers.read_branch(text)
        return branch is not None and not self._parts.switchboard.owns(shard_of(call_of_leg(branch.leg)))

    def _hear(
        self,
        call: Call,
        leg: Leg,
        number: int,
        response: Response,
        flow: Flow,
        confirm: Callable[[bool], None] = lambda accepted: None,
    ) -> None:
        """A response to the INVITE with which we dialled a leg, or to a re-INVITE or UPDATE of ours.

        `confirm` is called once a refusal is durable.
        """
        parts = self._parts
        if _is_first(leg, number, response.cseq.method):
            inp = translate.dial_response(response, flow, leg, call.secure, parts.sealer)
        else:
            inp = translate.reoffer_response(response, leg, number, parts.sealer)
        if isinstance(inp, Progressed) and inp.serial:
            ours = (leg.id, response.to.tag, inp.serial)
        elif _is_answer(response):
            ours = (leg.id, response.to.tag, number)
        else:
            self.tell(call, inp, confirm)
            return
        owed: tuple[Effect, ...] = ()
        if not (leg.waiting and isinstance(inp, Answered)):  # else this is its first answer: nothing was owed yet
            owed = tuple(ack for ack in outstanding(call, parts.clock().utc) if _acknowledges(ack, ours))
            if call.state is CallState.ENDED and not owed and _is_answer(response):  # it crossed our BYE (13.2.2.4)
                dialog = msgspec.structs.replace(leg.dialog, remote_tag=response.to.tag, local_cseq=number)
                owed = (Acknowledge(leg.id, dialog),)

        def durable(accepted: bool) -> None:
            if not accepted:  # its ACK or PRACK was lost, with us or on the way (13.2.2.4, RFC 3262 section 4)
                parts.performer.perform(call, owed, parts.clock().monotonic)

        self.tell(call, inp, durable)

    def repeated(self, response: Response, flow: Flow) -> None:
        """A response that the layer absorbed: news only if it is a 2xx of which the call does not know.

        Then the journal lost or refused the first one.
        """
        found = self._leg_of(response.via.branch) if _is_answer(response) else None
        if found is None:
            return
        call, leg, number = found
        pending = call.renegotiation if call.state is CallState.RENEGOTIATING else None
        refresh = call.refresh if call.refresh and not call.refresh.done and call.state is not CallState.ENDED else None
        asked = (pending.to, pending.dialog) if pending else (refresh.leg, refresh.dialog) if refresh else None
        expected = asked is not None and (asked[0], asked[1].local_cseq) == (leg.id, number)
        waiting = leg.waiting if _is_first(leg, number, "INVITE") else expected
        if waiting:
            self._hear(call, leg, number, response, flow)

    def stray(self, event: StrayResponse, now: Now) -> None:
        """A response to an INVITE from before a restart: take its transaction up again, then handle it."""
        response = event.response
        found = self._leg_of(response.via.branch)
        if found is None or response.cseq.method != "INVITE":
            return
        call, leg, number = found
        if not _is_first(leg, number, "INVITE"):  # one that is still wanted was sent again, so it has its transaction
            if _is_answer(response):
                self._hear(call, leg, number, response, event.flow)
            return
        invite = self._parts.performer.invite(call, leg.id, event.flow)
        if invite is None:
            return
        self._layer.request(*invite, now.monotonic, sent=False)
        again = self._layer.receive(response, event.flow, now.monotonic)
        if isinstance(again, ResponseReceived):
            self.response(again, now)

    def timed_out(self, event: TimedOut, now: Now) -> None:
        self._failed(event.key, _TIMED_OUT)

    def transport_failed(self, event: TransportFailed, now: Now) -> None:
        self._failed(event.key, UNREACHABLE)

    def _failed(self, key: ClientKey, why: Cause) -> None:
        found = self._leg_of(key.branch)
        if found is None or key.method not in _OFFERS:
            return
        call, leg, number = found
        actor = f"leg:{leg.id}"
        if _is_first(leg, number, key.method):
            self.tell(call, Failed(key.branch, actor, leg.id, why))
        else:
            self.tell(call, ReofferRefused(key.branch, actor, leg.id, number, why))

    def tell(self, call: Call, inp: Input | None, durable: Callable[[bool], None] = lambda accepted: None) -> None:
        """Let a call decide on what was heard, if it was anything."""
        if inp is None:
            return
        try:
            self._parts.switchboard.handle(call.id, inp, durable)
        except (JournalFull, NotOwned):
            return  # the peer repeats itself

    def _leg_of(self, text: str) -> tuple[Call, Leg, int] | None:
        """The live leg that a branch of ours names."""
        branch = self._parts.identifiers.read_branch(text)
        if branch is None:
            return None
        call = self._parts.switchboard.find(call_of_leg(branch.leg))
        if call is None or branch.leg not in call.legs:
            return None
        return call, call.legs[branch.leg], branch.number


def _is_first(leg: Leg, number: int, method: str) -> bool:
    """Whether a CSeq is that of the INVITE which dialled a leg, this time or an earlier one."""
    return method == "INVITE" and leg.dialed is not None and number <= leg.dialed.local_cseq


def _is_answer(response: Response) -> bool:
    """A 2xx to an INVITE, which is repeated until its ACK comes."""
    return 200 <= response.status < 300 and response.cseq.method == "INVITE"


def _acknowledges(effect: Effect, answer: tuple[str, str, int]) -> bool:
    """Whether the effect is the ACK or PRACK of `answer`: leg, To tag, and CSeq or RSeq number."""
    if isinstance(effect, Acknowledge):
        return (effect.leg, effect.dialog.remote_tag, effect.dialog.local_cseq) == answer
    return isinstance(effect, Confirm) and (effect.leg, effect.dialog.remote_tag, effect.serial) == answer
