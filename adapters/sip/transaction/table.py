"""The four transactions of RFC 3261 section 17 with RFC 6026, as tables.

What may live here: states, inputs, actions and the rows that join them. Everything that decides a transition is
in a row; `transaction.py` only looks rows up and carries out their actions, in order, after the state has changed.

A pair (state, input) that is neither in `rows` nor in `ignored` does not exist: a test walks all of them.
A timer goes on over a change of state exactly if the new state has a row for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from adapters.sip.transaction.timer import Timer


class State(Enum):
    """States by the RFCs' names. ACKNOWLEDGED is ours: RFC 6026's Accepted once the TU has its ACK."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"

    __hash__ = object.__hash__


class Signal(Enum):
    """What drives a transaction beside its timers."""

    PROVISIONAL = "1xx"  # from the network for a client, from the TU for a server
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    REQUEST = "request repeated"
    ACK = "ACK matched by its branch"
    ACKNOWLEDGED = "ACK of our 2xx"
    CANCEL = "the TU cancels"
    FLOW_FAILED = "flow failed"

    __hash__ = object.__hash__


def signal_of(status: int) -> Signal:
    """What a response with this status is to a transaction."""
    if status < 200:
        return Signal.PROVISIONAL
    return Signal.SUCCESS if status < 300 else Signal.FAILURE


class Action(Enum):
    """What a row makes the layer do."""

    PASS = "pass the response to the TU"
    PASS_FORK = "repeat the ACK of a 2xx, or pass a 2xx of another To tag to the TU"
    SEND = "send the TU's response and keep it"
    RESEND = "send the last message again"
    PASS_REFUSAL = "pass the 300-699 to the TU with the ACK that confirms it"
    REPEAT_ACK = "repeat the TU's ACK of the 300-699, or pass it to the TU once more"
    HOLD_CANCEL = "keep the CANCEL until a provisional response"
    RELEASE_CANCEL = "send the CANCEL that was kept, if any"
    SEND_CANCEL = "send the CANCEL"
    TIMED_OUT = "tell the TU that nothing came"
    TRANSPORT_FAILED = "tell the TU that the flow is gone"
    SEND_TRYING = "send a 100, as the answer takes its time"
    UNACKNOWLEDGED = "tell the TU that its 2xx was never acknowledged"
    RELEASE = "start the TU's request that waited for the ACK, if any"

    __hash__ = object.__hash__


Input = Signal | Timer


class Row(NamedTuple):
    """The next state, what is done, and which timers start."""

    state: State
    actions: tuple[Action, ...] = ()
    start: tuple[Timer, ...] = ()


@dataclass(frozen=True)
class Machine:
    """One kind of transaction: where it starts, its rows, and the pairs where nothing happens."""

    name: str
    initial: Row
    states: frozenset[State]
    inputs: frozenset[Input]
    rows: dict[tuple[State, Input], Row]
    ignored: frozenset[tuple[State, Input]]


def _pairs(state: State, *inputs: Input) -> set[tuple[State, Input]]:
    return {(state, one) for one in inputs}


_S = State
_T = Timer
_A = Action

INVITE_CLIENT = Machine(
    name="INVITE client",
    # 17.1.1.2: sent at once; A repeats it over UDP, B gives up. The ACK of a 300-699 is the TU's to release: it stops
    # the peer's repetitions, so the journal must hold the refusal first.
    initial=Row(_S.CALLING, (_A.RESEND,), (_T.A, _T.B)),
    states=frozenset({_S.CALLING, _S.PROCEEDING, _S.COMPLETED, _S.ACCEPTED}),
    inputs=frozenset(
        {
            Signal.PROVISIONAL,
            Signal.SUCCESS,
            Signal.FAILURE,
            Signal.CANCEL,
            Signal.FLOW_FAILED,
            _T.A,
            _T.B,
            _T.D,
            _T.M,
            _T.CANCEL_LIMIT,
        }
    ),
    rows={
        (_S.CALLING, _T.A): Row(_S.CALLING, (_A.RESEND,), (_T.A,)),  # 17.1.1.2
        (_S.CALLING, _T.B): Row(_S.TERMINATED, (_A.TIMED_OUT,)),  # 17.1.1.2
        (_S.CALLING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.PASS, _A.RELEASE_CANCEL)),  # 17.1.1.2, 9.1
        (_S.CALLING, Signal.SUCCESS): Row(_S.ACCEPTED, (_A.PASS_FORK,), (_T.M,)),  # RFC 6026 7.2
        (_S.CALLING, Signal.FAILURE): Row(_S.COMPLETED, (_A.PASS_REFUSAL,), (_T.D,)),  # 17.1.1.2
        (_S.CALLING, Signal.CANCEL): Row(_S.CALLING, (_A.HOLD_CANCEL,)),  # 9.1
        (_S.CALLING, Signal.FLOW_FAILED): Row(_S.TERMINATED, (_A.TRANSPORT_FAILED,)),  # 17.1.4
        (_S.PROCEEDING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.PASS,)),  # 17.1.1.2
        (_S.PROCEEDING, Signal.SUCCESS): Row(_S.ACCEPTED, (_A.PASS_FORK,), (_T.M,)),  # RFC 6026 7.2
        (_S.PROCEEDING, Signal.FAILURE): Row(_S.COMPLETED, (_A.PASS_REFUSAL,), (_T.D,)),  # 17.1.1.2
        (_S.PROCEEDING, Signal.CANCEL): Row(_S.PROCEEDING, (_A.SEND_CANCEL,), (_T.CANCEL_LIMIT,)),  # 9.1
        (_S.PROCEEDING, _T.CANCEL_LIMIT): Row(_S.TERMINATED, (_A.TIMED_OUT,)),  # 9.1
        (_S.PROCEEDING, Signal.FLOW_FAILED): Row(_S.TERMINATED, (_A.TRANSPORT_FAILED,)),  # 17.1.4
        (_S.COMPLETED, Signal.FAILURE): Row(_S.COMPLETED, (_A.REPEAT_ACK,)),  # 17.1.1.2
        (_S.COMPLETED, _T.D): Row(_S.TERMINATED),  # 17.1.1.2
        (_S.COMPLETED, Signal.FLOW_FAILED): Row(_S.TERMINATED),  # the TU has its final response already
        (_S.ACCEPTED, Signal.SUCCESS): Row(_S.ACCEPTED, (_A.PASS_FORK,)),  # RFC 6026 7.2
        (_S.ACCEPTED, _T.M): Row(_S.TERMINATED),  # RFC 6026 7.2
    },
    ignored=frozenset(
        _pairs(_S.CALLING, _T.D, _T.M, _T.CANCEL_LIMIT)
        | _pairs(_S.PROCEEDING, _T.A, _T.B, _T.D, _T.M)
        # a 2xx after a 300-699 is a fork's that a proxy should have kept; RFC 6026 7.2 has no row for it
        | _pairs(_S.COMPLETED, Signal.PROVISIONAL, Signal.SUCCESS, Signal.CANCEL)
        | _pairs(_S.COMPLETED, _T.A, _T.B, _T.M, _T.CANCEL_LIMIT)
        # the 2xx may come again on another flow, so a lost one does not end it (RFC 6026 7.2)
        | _pairs(_S.ACCEPTED, Signal.PROVISIONAL, Signal.FAILURE, Signal.CANCEL, Signal.FLOW_FAILED)
        | _pairs(_S.ACCEPTED, _T.A, _T.B, _T.D, _T.CANCEL_LIMIT)
    ),
)

NON_INVITE_CLIENT = Machine(
    name="non-INVITE client",
    # 17.1.2.2
    initial=Row(_S.TRYING, (_A.RESEND,), (_T.E, _T.F)),
    states=frozenset({_S.TRYING, _S.PROCEEDING, _S.COMPLETED}),
    inputs=frozenset({Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, Signal.FLOW_FAILED, _T.E, _T.F, _T.K}),
    rows={
        (_S.TRYING, _T.E): Row(_S.TRYING, (_A.RESEND,), (_T.E,)),  # 17.1.2.2
        (_S.TRYING, _T.F): Row(_S.TERMINATED, (_A.TIMED_OUT,)),
        (_S.TRYING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.PASS,)),
        (_S.TRYING, Signal.SUCCESS): Row(_S.COMPLETED, (_A.PASS,), (_T.K,)),
        (_S.TRYING, Signal.FAILURE): Row(_S.COMPLETED, (_A.PASS,), (_T.K,)),
        (_S.TRYING, Signal.FLOW_FAILED): Row(_S.TERMINATED, (_A.TRANSPORT_FAILED,)),  # 17.1.4
        (_S.PROCEEDING, _T.E): Row(_S.PROCEEDING, (_A.RESEND,), (_T.E,)),  # every T2
        (_S.PROCEEDING, _T.F): Row(_S.TERMINATED, (_A.TIMED_OUT,)),
        (_S.PROCEEDING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.PASS,)),
        (_S.PROCEEDING, Signal.SUCCESS): Row(_S.COMPLETED, (_A.PASS,), (_T.K,)),
        (_S.PROCEEDING, Signal.FAILURE): Row(_S.COMPLETED, (_A.PASS,), (_T.K,)),
        (_S.PROCEEDING, Signal.FLOW_FAILED): Row(_S.TERMINATED, (_A.TRANSPORT_FAILED,)),
        (_S.COMPLETED, _T.K): Row(_S.TERMINATED),
        (_S.COMPLETED, Signal.FLOW_FAILED): Row(_S.TERMINATED),
    },
    ignored=frozenset(
        _pairs(_S.TRYING, _T.K)
        | _pairs(_S.PROCEEDING, _T.K)
        | _pairs(_S.COMPLETED, Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, _T.E, _T.F)
    ),
)

INVITE_SERVER = Machine(
    name="INVITE server",
    # 17.2.1, but for the 100 of the layer's own: the TU sends it once its journal holds the call
    initial=Row(_S.PROCEEDING),
    states=frozenset({_S.PROCEEDING, _S.COMPLETED, _S.CONFIRMED, _S.ACCEPTED, _S.ACKNOWLEDGED}),
    inputs=frozenset(
        {
            Signal.PROVISIONAL,
            Signal.SUCCESS,
            Signal.FAILURE,
            Signal.REQUEST,
            Signal.ACK,
            Signal.ACKNOWLEDGED,
            _T.G,
            _T.H,
            _T.I,
            _T.L,
            _T.REPEAT_2XX,
            _T.UNSURE,
        }
    ),
    rows={
        (_S.PROCEEDING, Signal.REQUEST): Row(_S.PROCEEDING, (_A.RESEND,)),  # 17.2.1
        (_S.PROCEEDING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.SEND,)),  # 17.2.1
        (_S.PROCEEDING, Signal.SUCCESS): Row(_S.ACCEPTED, (_A.SEND,), (_T.REPEAT_2XX, _T.L)),  # RFC 6026 7.1
        (_S.PROCEEDING, Signal.FAILURE): Row(_S.COMPLETED, (_A.SEND,), (_T.G, _T.H)),  # 17.2.1
        (_S.COMPLETED, Signal.REQUEST): Row(_S.COMPLETED, (_A.RESEND,)),  # 17.2.1
        (_S.COMPLETED, _T.G): Row(_S.COMPLETED, (_A.RESEND,), (_T.G,)),  # 17.2.1
        (_S.COMPLETED, _T.H): Row(_S.TERMINATED),  # 17.2.1: no dialog hangs on it, so the TU is not told
        (_S.COMPLETED, Signal.ACK): Row(_S.CONFIRMED, (), (_T.I,)),  # 17.2.1
        (_S.CONFIRMED, _T.I): Row(_S.TERMINATED),  # 17.2.1
        (_S.ACCEPTED, _T.REPEAT_2XX): Row(_S.ACCEPTED, (_A.RESEND,), (_T.REPEAT_2XX,)),  # 13.3.1.4
        (_S.ACCEPTED, Signal.SUCCESS): Row(_S.ACCEPTED, (_A.SEND,)),  # RFC 6026 7.1
        (_S.ACCEPTED, _T.UNSURE): Row(_S.ACCEPTED, (_A.RELEASE,)),  # a peer that had acknowledged need not do it again
        (_S.ACCEPTED, Signal.ACKNOWLEDGED): Row(_S.ACKNOWLEDGED, (_A.RELEASE,)),  # 13.3.1.4, 15
        (_S.ACCEPTED, _T.L): Row(_S.TERMINATED, (_A.RELEASE, _A.UNACKNOWLEDGED)),  # RFC 6026 7.1, 13.3.1.4
        (_S.ACKNOWLEDGED, _T.L): Row(_S.TERMINATED),  # RFC 6026 7.1
    },
    ignored=frozenset(
        _pairs(_S.PROCEEDING, Signal.ACK, Signal.ACKNOWLEDGED, _T.G, _T.H, _T.I, _T.L, _T.REPEAT_2XX)
        | _pairs(_S.PROCEEDING, _T.UNSURE)
        | _pairs(_S.COMPLETED, Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, Signal.ACKNOWLEDGED)
        | _pairs(_S.COMPLETED, _T.I, _T.L, _T.REPEAT_2XX, _T.UNSURE)
        | _pairs(_S.CONFIRMED, Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, Signal.REQUEST)
        | _pairs(_S.CONFIRMED, Signal.ACK, Signal.ACKNOWLEDGED, _T.G, _T.H, _T.L, _T.REPEAT_2XX)
        | _pairs(_S.CONFIRMED, _T.UNSURE)
        # RFC 6026 7.1: a repeated INVITE is absorbed, the 2xx comes again by its own timer
        | _pairs(_S.ACCEPTED, Signal.REQUEST, Signal.ACK, Signal.PROVISIONAL, Signal.FAILURE)
        | _pairs(_S.ACCEPTED, _T.G, _T.H, _T.I)
        | _pairs(_S.ACKNOWLEDGED, Signal.REQUEST, Signal.ACK, Signal.ACKNOWLEDGED)
        | _pairs(_S.ACKNOWLEDGED, Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE)
        | _pairs(_S.ACKNOWLEDGED, _T.G, _T.H, _T.I, _T.REPEAT_2XX, _T.UNSURE)
    ),
)

NON_INVITE_SERVER = Machine(
    name="non-INVITE server",
    # 17.2.2
    initial=Row(_S.TRYING),
    states=frozenset({_S.TRYING, _S.PROCEEDING, _S.COMPLETED}),
    inputs=frozenset(
        {Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, Signal.REQUEST, _T.J, _T.SLOW, _T.LATE},
    ),
    rows={
        (_S.TRYING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.SEND,)),
        (_S.TRYING, _T.SLOW): Row(_S.PROCEEDING, (_A.SEND_TRYING,), (_T.LATE,)),  # RFC 4320 4.1
        (_S.TRYING, Signal.SUCCESS): Row(_S.COMPLETED, (_A.SEND,), (_T.J,)),
        (_S.TRYING, Signal.FAILURE): Row(_S.COMPLETED, (_A.SEND,), (_T.J,)),
        (_S.PROCEEDING, Signal.REQUEST): Row(_S.PROCEEDING, (_A.RESEND,)),
        (_S.PROCEEDING, Signal.PROVISIONAL): Row(_S.PROCEEDING, (_A.SEND,)),
        (_S.PROCEEDING, Signal.SUCCESS): Row(_S.COMPLETED, (_A.SEND,), (_T.J,)),
        (_S.PROCEEDING, Signal.FAILURE): Row(_S.COMPLETED, (_A.SEND,), (_T.J,)),
        (_S.PROCEEDING, _T.LATE): Row(_S.TERMINATED),  # RFC 4320 4.2: no answer any more
        (_S.COMPLETED, Signal.REQUEST): Row(_S.COMPLETED, (_A.RESEND,)),
        (_S.COMPLETED, _T.J): Row(_S.TERMINATED),
    },
    ignored=frozenset(
        _pairs(_S.TRYING, Signal.REQUEST, _T.J, _T.LATE)
        | _pairs(_S.PROCEEDING, _T.J, _T.SLOW)
        | _pairs(_S.COMPLETED, Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, _T.SLOW, _T.LATE)
    ),
)

MACHINES = (INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER)
