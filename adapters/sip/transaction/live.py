"""One living transaction: its state and what it would send again. Data only, and little: it stays for 64*T1.

What changes it is `layer`; what may follow on what is `table`.
"""

from __future__ import annotations

from adapters.sip.message.message import Request
from adapters.sip.transaction.key import Key
from adapters.sip.transaction.table import Machine
from adapters.sip.transaction.timer import Timer
from domain.values import Flow


class Live:
    """A transaction, from its first message to TERMINATED."""

    __slots__ = (
        "acks",
        "awaiting_ack",
        "cancel_headers",
        "flow",
        "heard_by",
        "held",
        "hurried",
        "interval_s",
        "key",
        "machine",
        "request",
        "restored",
        "state",
        "wire",
    )

    def __init__(self, machine: Machine, key: Key, flow: Flow, request: Request | None = None) -> None:
        self.machine = machine
        self.key = key
        self.flow = flow
        self.heard_by = flow  # client: by which the last response came
        self.state = machine.initial.state
        self.request = request  # client: for its ACK and CANCEL; non-INVITE server: for a 100, until it is answered
        self.hurried = False  # client: somebody waits for the answer, so that it is given up earlier
        self.restored = False  # from before a restart: the peer may have acknowledged already, which left no trace
        self.wire = b""  # client: the request; server: the last response
        self.interval_s = 0.0  # of its one repeating timer
        self.acks: dict[str, tuple[Flow, bytes] | None] | None = None  # To tag of a 2xx that came -> the TU's ACK
        self.cancel_headers: tuple[tuple[str, str], ...] | None = None
        self.held: tuple[Request, Flow] | None = None  # the TU's, until the ACK of its 2xx
        self.awaiting_ack: tuple[str, int, str] | None = None

    def counts(self, timer: Timer) -> bool:
        """Whether a timer that was started still means something in the state of now."""
        return (self.state, timer) in self.machine.rows

    @property
    def reliable(self) -> bool:
        return self.flow.transport != "udp"
