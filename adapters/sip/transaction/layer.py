"""The SIP transaction layer (RFC 3261 section 17, RFC 6026), without sockets and without a clock.

What may live here: matching messages to transactions, carrying out the rows of `table`, timers.
What may not: dialogs, authentication, the journal, asyncio. Its three drivers are the network (`receive`,
`flow_failed`), the TU (`request`, `respond`, `cancel`, ...) and time (`on_timer`); after each call of any of them
the caller sends what `to_send()` hands out and re-arms one timer for `next_timer()`.

Choices that the RFC leaves open:
- Responses go back by the flow the request came by (RFC 3581's symmetric routing, also unasked).
- A peer without the magic cookie (RFC 2543) is matched by Call-ID, From tag, CSeq number and its top Via.
- No 100 of the layer's own: the TU sends it once its journal holds the call.
- At `max_transactions` room is made, or kept for what belongs to something under way (`living`). What finds none is
  refused: `receive` returns None and counts it in `refused`. What the TU starts is never refused, since each is caused
  by something already accepted. A REGISTER is held for 32 s, at 1.2 kB: that many are 9,000 of them a second.
- `reply` answers without keeping the transaction (8.2.7): a challenge is made again for a repeated request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.sip.message.message import Request, Response, response_to
from adapters.sip.message.via import stamp_via
from adapters.sip.transaction.derived import ack_of, cancel_of, tag_of
from adapters.sip.transaction.event import (
    AckReceived,
    CancelReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StrayResponse,
    TimedOut,
    TransportFailed,
    Unacknowledged,
    Unconfirmed,
)
from adapters.sip.transaction.key import (
    ClientKey,
    Key,
    ServerKey,
    as_client,
    as_server,
    restored_key,
    server_key,
)
from adapters.sip.transaction.live import Live
from adapters.sip.transaction.living import Living
from adapters.sip.transaction.reliable import ReliableResponses
from adapters.sip.transaction.table import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    Row,
    Signal,
    State,
    signal_of,
)
from adapters.sip.transaction.timer import Timer, TimerQueues, Timers
from domain.values import Flow, Transaction


class TransactionLayer:
    """All transactions of one worker. Times are monotonic seconds; not thread-safe.

    `belongs(request)` says whether a request names a dialog or an offer of the TU's; the layer knows of transactions.
    """

    def __init__(
        self,
        timers: Timers | None = None,
        max_transactions: int = 300_000,
        belongs: Callable[[Request], bool] = lambda request: False,
    ) -> None:
        self.timers = timers or Timers()
        self.refused = 0
        self._belongs = belongs
        self._running: TimerQueues[Live] = TimerQueues(Live.counts)
        self.living = Living(max_transactions, self._running)
        self._outbox: list[tuple[Flow, bytes]] = []
        self.reliable = ReliableResponses(self.timers)
        self._actions: dict[Action, Callable[[Live, Response | None, float], Event | None]] = {
            Action.PASS: self._pass,
            Action.PASS_FORK: self._pass_fork,
            Action.SEND: self._send,
            Action.RESEND: self._resend,
            Action.PASS_REFUSAL: self._pass_refusal,
            Action.REPEAT_ACK: self._repeat_ack,
            Action.HOLD_CANCEL: lambda live, response, now: None,
            Action.RELEASE_CANCEL: self._release_cancel,
            Action.SEND_CANCEL: self._send_cancel,
            Action.TIMED_OUT: lambda live, response, now: TimedOut(as_client(live.key)),
            Action.TRANSPORT_FAILED: lambda live, response, now: TransportFailed(as_client(live.key)),
            Action.UNACKNOWLEDGED: lambda live, response, now: Unacknowledged(as_server(live.key), live.restored),
            Action.RELEASE: self._release,
            Action.SEND_TRYING: self._send_trying,
        }

    def __len__(self) -> int:
        return len(self.living)

    def __contains__(self, key: Key) -> bool:
        return key in self.living

    @property
    def load(self) -> float:
        """Transactions alive, as a share of their limit."""
        return len(self.living) / self.living.limit

    # --- the network

    def receive(self, message: Request | Response, flow: Flow, now: float) -> Event | None:
        """Takes a message in; returns what is new for the TU, or None if a transaction absorbed it.

        Raises MessageError if a header that is needed here is malformed (the peer's fault).
        """
        if isinstance(message, Response):
            return self._receive_response(message, flow, now)
        stamp_via(message, flow)
        if message.method == "ACK":
            return self._receive_ack(message, flow, now)
        return self._receive_request(message, flow, now)

    def flow_failed(self, flow: Flow, now: float) -> list[Event]:
        """A stream connection is lost (or could not be used): fails the client transactions that wait on it.

        Server transactions stay: the peer may come back on a new connection and ask again.
        """
        events = []
        for live in self.living.waiting_on(flow):
            event = self._fire(live, Signal.FLOW_FAILED, None, now)
            if event is not None:
                events.append(event)
        return events

    # --- the TU

    def request(self, request: Request, flow: Flow, now: float, *, sent: bool = True, hurry: bool = False) -> ClientKey:
        """Starts a client transaction; the top Via with its unique branch is the TU's.

        `sent=False` takes up one from before a restart as Proceeding: nothing is sent or repeated, responses match,
        `cancel` works. A key that is alive already is left as it is (an effect owed twice is sent once). `hurry` is for
        one that is passed on: it is given up while the peer that asked can still be told (RFC 4320, RFC 4321).
        """
        key = ClientKey(request.via.branch, request.method)
        if key in self.living:
            return key
        machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        live = self.living.add(Live(machine, key, flow, request))
        live.wire, live.hurried = request.serialise(), hurry
        if sent:
            self._carry_out(live, machine.initial, None, now)
        else:
            start = () if machine is INVITE_CLIENT else (Timer.F,)
            self._carry_out(live, Row(State.PROCEEDING, (), start), None, now)
        return key

    def respond(self, key: ServerKey, response: Response, now: float) -> bool:
        """Sends a response by the server transaction; False if that is gone (nothing is sent)."""
        live = self.living.get(key)
        if live is None:
            return False
        self._fire(live, signal_of(response.status), response, now)
        if response.status >= 200:
            self.reliable.finished(key)
        return True

    def reply(self, key: ServerKey, response: Response) -> bool:
        """Sends a final response and forgets the transaction: its repetition counts as new. False if that is gone."""
        live = self.living.get(key)
        if live is None:
            return False
        self.living.remove(live)
        self._outbox.append((live.flow, response.serialise()))
        return True

    def restore_server(self, transaction: Transaction) -> ServerKey:
        """Takes up a peer's transaction from before a restart as Proceeding, without its request.

        Repeated requests are absorbed until `respond`; a 2xx is repeated for 64*T1, but its ACK may have come before
        the restart: `Unacknowledged` says so. One that is alive already is kept, and answers by the
        flow given here (the TU may know that the peer came back).
        """
        key = restored_key(transaction)
        live = self.living.get(key)
        if live is not None:
            live.flow = transaction.flow
            return key
        machine = INVITE_SERVER if transaction.method == "INVITE" else NON_INVITE_SERVER
        live = self.living.add(Live(machine, key, transaction.flow))
        live.state, live.restored = State.PROCEEDING, True
        return key

    def forget(self, key: ServerKey) -> None:
        """Drop a peer's transaction that was not answered: its repetition counts as new. Answered ones stay."""
        live = self.living.get(key)
        if live is not None and (not live.wire or live.request is not None):
            self.living.remove(live)

    def cancel(self, key: ClientKey, now: float, headers: Sequence[tuple[str, str]] = ()) -> bool:
        """Cancels an INVITE (RFC 3261 9.1); `headers` (Reason) are added to the CANCEL.

        Held back until a provisional response came; nothing is sent if a final one is first. The CANCEL is a
        transaction of its own, (branch, "CANCEL"), whose events the TU may ignore. False if there is nothing to cancel.
        """
        live = self.living.get(key)
        if live is None or live.machine is not INVITE_CLIENT or live.state not in _CANCELLABLE:
            return False
        live.cancel_headers = tuple(headers)
        self._fire(live, Signal.CANCEL, None, now)
        return True

    def acknowledge(self, key: ClientKey, ack: Request, flow: Flow, now: float) -> None:
        """Sends the TU's ACK of a final response (of a 300-699 the one of `ResponseReceived`), now and at each
        repetition while the transaction lives."""
        wire = ack.serialise()
        live = self.living.get(key)
        if live is not None:
            live.acks = live.acks or {}
            live.acks[tag_of(ack)] = (flow, wire)
        self._outbox.append((flow, wire))

    def request_after_ack(self, key: ServerKey, request: Request, flow: Flow, now: float) -> None:
        """As `request`, but not before a 2xx by `key` has its ACK, or will have none (RFC 3261 15).

        The ACK of one from before a restart may have come; who has not heard it must not be told of an end first.
        """
        live = self.living.get(key)
        if live is None or live.state is not State.ACCEPTED:
            self.request(request, flow, now)
            return
        live.held = (request, flow)
        if live.restored:
            self._start(live, Timer.UNSURE, now)

    def acknowledged(self, key: ServerKey, now: float) -> None:
        """The ACK of our 2xx came: it is not repeated any more."""
        live = self.living.get(key)
        if live is not None and live.machine is INVITE_SERVER:
            self._fire(live, Signal.ACKNOWLEDGED, None, now)

    # --- time and the outbox

    def to_send(self) -> list[tuple[Flow, bytes]]:
        """What is to be sent, in order; handed out once. A flow that cannot be sent on is told by `flow_failed`."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def next_timer(self) -> float | None:
        """When `on_timer` is due, in monotonic seconds; None if nothing waits."""
        first, reliable = self._running.first(), self.reliable.next_timer()
        return first if reliable is None or (first is not None and first < reliable) else reliable

    def on_timer(self, now: float) -> list[Event]:
        """Fires every timer that is due."""
        events: list[Event] = [Unconfirmed(key) for key in self.reliable.on_timer(now, self._outbox)]
        while (due := self._running.due(now)) is not None:
            if (event := self._fire(*due, None, now)) is not None:
                events.append(event)
        return events

    # --- matching

    def _receive_response(self, response: Response, flow: Flow, now: float) -> Event | None:
        _ = 200 <= response.status < 300 and response.to  # MessageError before any state: its ACK will need the tag
        live = self.living.get(ClientKey(response.via.branch, response.cseq.method))
        if live is None:
            return StrayResponse(response, flow)
        live.heard_by = flow
        return self._fire(live, signal_of(response.status), response, now)

    def _receive_ack(self, ack: Request, flow: Flow, now: float) -> Event | None:
        live = self.living.get(server_key(ack, "INVITE"))
        if live is not None and live.state in (State.COMPLETED, State.CONFIRMED):
            return self._fire(live, Signal.ACK, None, now)
        return AckReceived(self.living.awaiting((ack.call_id, ack.cseq.number, ack.to.tag)), ack, flow)

    def _receive_request(self, request: Request, flow: Flow, now: float) -> Event | None:
        key = server_key(request, request.method)
        live = self.living.get(key)
        if live is not None:
            if live.reliable and flow.transport != "udp":
                live.flow = flow  # the peer lost its connection and asks again on a new one
            return self._fire(live, Signal.REQUEST, None, now)
        invite_key = server_key(request, "INVITE") if request.method == "CANCEL" else None
        if not self.living.has_room(lambda: bool(invite_key and invite_key in self.living) or self._belongs(request)):
            self.refused += 1
            return None
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        live = self.living.add(Live(machine, key, flow))
        if machine is NON_INVITE_SERVER:
            live.request = request
            self._start(live, Timer.SLOW, now)
        if invite_key is None:
            return RequestReceived(key, request, flow)
        return CancelReceived(key, invite_key if invite_key in self.living else None, request, flow)

    # --- transitions

    def _fire(self, live: Live, inp: Input, response: Response | None, now: float) -> Event | None:
        row = live.machine.rows.get((live.state, inp))
        if row is None:
            assert (live.state, inp) in live.machine.ignored, f"{live.machine.name}: {live.state}, {inp}"
            return None
        return self._carry_out(live, row, response, now)

    def _carry_out(self, live: Live, row: Row, response: Response | None, now: float) -> Event | None:
        live.state = row.state
        event = None
        for action in row.actions:
            event = self._actions[action](live, response, now) or event
        for timer in row.start:
            self._start(live, timer, now)
        if live.state is State.TERMINATED and live.key in self.living:
            self.living.remove(live)
        return event

    def _start(self, live: Live, timer: Timer, now: float) -> None:
        timers, reliable = self.timers, live.reliable
        if not timers.wanted(timer, reliable):
            return
        if timers.repeats(timer):
            previous_s = live.interval_s
            if timer is Timer.E and live.state is State.PROCEEDING:
                previous_s = timers.t2_s  # 17.1.2.2: every T2 from the provisional response on
            duration_s = live.interval_s = timers.interval_s(timer, previous_s)
        else:
            duration_s = timers.hurry_s if timer is Timer.F and live.hurried else timers.duration_s(timer, reliable)
        if duration_s == 0:
            self._fire(live, timer, None, now)
            return
        self._running.start(now, duration_s, live, timer)

    # --- actions

    def _pass(self, live: Live, response: Response | None, now: float) -> Event | None:
        assert response is not None
        return ResponseReceived(as_client(live.key), response, live.heard_by)

    def _pass_refusal(self, live: Live, response: Response | None, now: float) -> Event | None:
        assert response is not None
        assert live.request is not None
        ack = (ack_of(live.request, response), live.flow)
        return ResponseReceived(as_client(live.key), response, live.heard_by, ack)

    def _pass_fork(self, live: Live, response: Response | None, now: float) -> Event | None:
        assert response is not None
        tag, acks = response.to.tag, live.acks
        if acks is None:
            acks = live.acks = {}
        if tag not in acks:
            acks[tag] = None
            live.request, live.wire = None, b""  # nothing is built from it or sent again any more
            return self._pass(live, response, now)
        ack = acks[tag]
        if ack is not None:
            self._outbox.append(ack)
        return None

    def _send(self, live: Live, response: Response | None, now: float) -> None:
        assert response is not None
        live.wire, live.request = response.serialise(), None
        self._outbox.append((live.flow, live.wire))
        if live.state is State.ACCEPTED and live.awaiting_ack is None:
            self.living.await_ack(live, (response.call_id, response.cseq.number, response.to.tag))

    def _release(self, live: Live, response: Response | None, now: float) -> None:
        if live.held is not None:
            self.request(*live.held, now)
            live.held = None

    def _send_trying(self, live: Live, response: Response | None, now: float) -> None:
        assert live.request is not None
        live.wire = response_to(live.request, 100).serialise()
        self._outbox.append((live.flow, live.wire))

    def _resend(self, live: Live, response: Response | None, now: float) -> None:
        if live.wire:
            self._outbox.append((live.flow, live.wire))

    def _repeat_ack(self, live: Live, response: Response | None, now: float) -> Event | None:
        assert response is not None
        ack = (live.acks or {}).get(tag_of(response))
        if ack is None:
            return self._pass_refusal(live, response, now)
        self._outbox.append(ack)
        return None

    def _release_cancel(self, live: Live, response: Response | None, now: float) -> None:
        if live.cancel_headers is not None:
            self._fire(live, Signal.CANCEL, None, now)

    def _send_cancel(self, live: Live, response: Response | None, now: float) -> None:
        assert live.request is not None
        self.request(cancel_of(live.request, live.cancel_headers or ()), live.flow, now)


_CANCELLABLE = frozenset({State.CALLING, State.PROCEEDING})
