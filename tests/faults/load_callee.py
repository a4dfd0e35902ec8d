"""The callee's side of one call of a load."""

from __future__ import annotations

import asyncio
import time

from tests.faults.dialect import Heard, branch_of, request, respond, sdp, uri_in
from tests.faults.load_call import Plan, Seen
from tests.faults.load_socket import Endpoint


class Callee:
    """The callee's side of one offer."""

    def __init__(self, socket: Endpoint, invite: Heard, seen: Seen) -> None:
        self._socket, self._invite, self._seen = socket, invite, seen
        self._loop = asyncio.get_running_loop()
        self._cancelled = self._over = False
        self._said = ""
        self._say("180 Ringing")
        if seen.plan is Plan.REJECT:
            self._loop.call_later(seen.ring_s, self._finally, "486 Busy Here", "")
        elif seen.plan is not Plan.CANCEL:
            self._loop.call_later(seen.ring_s, self._finally, "200 OK", sdp(f"{seen.token}b"))

    def heard(self, message: Heard) -> None:
        handler = {"INVITE": self._reinvited, "ACK": self._acknowledged, "CANCEL": self._cancel, "BYE": self._bye}
        if message.method:
            handler[message.method](message)
        elif message.cseq_method == "BYE" and message.status >= 200:
            self._socket.answered((message.call_id, message.cseq, "BYE"))

    def _reinvited(self, message: Heard) -> None:
        if message.cseq == self._invite.cseq:  # the offer once more
            self._socket.send(self._said)
            return
        key = (message.call_id, message.cseq, "2xx")
        text = respond(message, "200 OK", contact=self._socket.address, body=sdp(f"{self._seen.token}b"))
        self._socket.answered(key)
        self._socket.ask(key, text, lambda: None)

    def _acknowledged(self, message: Heard) -> None:
        fresh = self._socket.answered((message.call_id, message.cseq, "2xx"))
        if fresh and message.cseq == self._invite.cseq and self._seen.plan is Plan.CALLEE_HANGS_UP and not self._over:
            self._loop.call_later(self._seen.talk_s, self._hang_up)

    def _ends(self) -> None:
        self._seen.callee_ended_at = self._seen.callee_ended_at or time.time()

    def _cancel(self, message: Heard) -> None:
        self._ends()
        self._socket.send(respond(message, "200 OK", tag=self._seen.token))
        if not self._cancelled:
            self._cancelled = True
            self._finally("487 Request Terminated", "")

    def _bye(self, message: Heard) -> None:
        self._over = True
        self._ends()
        self._socket.answered((message.call_id, 1, "BYE"))
        self._socket.answered((message.call_id, self._invite.cseq, "2xx"))
        self._socket.send(respond(message, "200 OK"))

    def _finally(self, line: str, body: str) -> None:
        if self._cancelled and not line.startswith("487"):
            return
        if body:
            self._seen.callee_answered_at = time.time()
        else:
            self._ends()
        text = self._say(line, body)
        self._socket.ask((self._invite.call_id, self._invite.cseq, "2xx"), text, lambda: None)

    def _say(self, line: str, body: str = "") -> str:
        self._said = respond(self._invite, line, tag=self._seen.token, contact=self._socket.address, body=body)
        self._socket.send(self._said)
        return self._said

    def _hang_up(self) -> None:
        if self._over:
            return
        self._over = True
        self._ends()
        headers = self._invite.headers
        text = request(
            f"BYE {uri_in(headers['contact'])}", branch_of(self._seen.token, 1, "CALLEE-BYE"), self._socket.address,
            self._invite.call_id, "1 BYE", f"{headers['to']};tag={self._seen.token}", headers["from"],
        )  # fmt: skip
        self._socket.ask((self._invite.call_id, 1, "BYE"), text, lambda: None)
