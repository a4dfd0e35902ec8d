"""The caller's side of one call of a load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.faults.dialect import Heard, branch_of, credentials, request, respond, sdp, token_in, uri_in
from tests.faults.load_call import Plan, Seen
from tests.faults.load_socket import GIVE_UP_S, Endpoint
from tests.fixtures.server import PASSWORD

DOMAIN = "acme.example"


class Caller:
    """The caller's side of one call."""

    def __init__(self, socket: Endpoint, seen: Seen, number: str, callee: str, done: Callable[[Seen], None]) -> None:
        self._socket, self._seen, self._number, self._done = socket, seen, number, done
        self._loop = asyncio.get_running_loop()
        self.uri = f"sip:{callee}@{DOMAIN}"
        self.call_id = f"{seen.token}@load"
        self._target, self._to = self.uri, f"<{self.uri}>"
        self._cseq, self._invite_cseq, self._auth, self._tries = 0, 0, "", 0
        self._holds = [sdp(seen.token, "sendonly"), sdp(seen.token)] if seen.plan is Plan.HOLD else []

    def start(self) -> None:
        self._seen.invited_at = time.time()
        self._invite()

    def heard(self, message: Heard) -> None:
        if message.method == "BYE":
            self._socket.send(respond(message, "200 OK"))
            self._socket.answered((self.call_id, self._cseq, "BYE"))  # both hang up at once
            self._over(message)
        elif message.cseq_method == "INVITE":
            self._invited(message)
        elif message.status < 200:
            pass  # work is slow, and a request that is no INVITE is repeated all the same (RFC 4320)
        elif message.cseq_method == "BYE" and self._socket.answered((self.call_id, message.cseq, "BYE")):
            self._seen.bye_status = message.status
            if message.status != 200:
                self._seen.refused = f"BYE answered {message.status}"
            self._over()

    def _invited(self, message: Heard) -> None:
        if message.status < 200:
            if message.cseq == self._invite_cseq:
                self._socket.answered((self.call_id, message.cseq, "INVITE"))
                self._ringing(message)
            return
        if message.status >= 300:
            self._socket.send(self._request("ACK", message.cseq, to=message.headers["to"], branch=message.branch))
        if message.cseq != self._cseq or self._seen.over:
            if message.status < 300:
                self._acknowledge(message)
            return
        fresh = self._socket.answered((self.call_id, message.cseq, "INVITE")) or not self._seen.status
        if message.status == 401:
            self._challenged(message)
        elif message.status < 300:
            self._acknowledge(message)
            if fresh:
                self._accepted(message)
        elif self._seen.answered_at:
            if fresh:
                self._loop.call_later(0.2, self._hang_up)  # the hold was refused
        elif not self._seen.status:
            self._seen.status = message.status
            self._over()

    def _ringing(self, message: Heard) -> None:
        if not self._seen.trying_at:
            self._seen.trying_at = time.time()
            if self._seen.plan is Plan.CANCEL:  # also by who hears no ringing: a 180 is said once and may be lost
                self._loop.call_later(self._seen.ring_s, self._cancel)
        if message.status >= 180:
            self._seen.ringing_at = self._seen.ringing_at or time.time()

    def _challenged(self, message: Heard) -> None:
        self._tries += 1
        if self._tries > 6:
            self._seen.refused = "challenged for ever"
            self._over()
            return
        password = PASSWORD.format(username=self._number)
        self._auth = credentials(message.headers["www-authenticate"], "INVITE", self.uri, self._number, password)
        self._invite()

    def _accepted(self, message: Heard) -> None:
        if not self._seen.answered_at:
            self._seen.answered_at, self._seen.status = time.time(), 200
            if token_in(message.body) != f"{self._seen.token}b":
                self._seen.refused = f"answered with the media of {token_in(message.body)!r}"
        if self._holds:
            self._loop.call_later(self._seen.talk_s / 3, self._hold)
        elif self._seen.plan is not Plan.CALLEE_HANGS_UP:
            self._loop.call_later(self._seen.talk_s, self._hang_up)

    def _acknowledge(self, message: Heard) -> None:
        self._target, self._to = uri_in(message.headers["contact"]), message.headers["to"]
        self._socket.send(self._request("ACK", message.cseq))

    def _invite(self) -> None:
        self._cseq = self._invite_cseq = self._cseq + 1
        text = self._request("INVITE", self._cseq, extra=self._auth, body=sdp(self._seen.token))
        self._socket.ask((self.call_id, self._cseq, "INVITE"), text, self._silence)

    def _hold(self) -> None:
        if self._seen.over:
            return
        self._cseq += 1
        text = self._request("INVITE", self._cseq, body=self._holds.pop(0))
        self._socket.ask((self.call_id, self._cseq, "INVITE"), text, self._hang_up)  # never heard: as it was before

    def _cancel(self) -> None:
        if not self._seen.status and not self._seen.over:
            self._seen.cancelled_at = time.time()
            branch = branch_of(self._seen.token, self._invite_cseq, "INVITE")
            text = self._request("CANCEL", self._invite_cseq, branch=branch)
            self._socket.ask((self.call_id, self._invite_cseq, "CANCEL"), text, lambda: None)
            self._loop.call_later(GIVE_UP_S, self._silence)

    def _hang_up(self) -> None:
        if self._seen.over:
            return
        self._cseq += 1
        self._seen.ended_at = time.time()
        text = self._request("BYE", self._cseq)
        self._socket.ask((self.call_id, self._cseq, "BYE"), text, self._silence)

    def _silence(self) -> None:
        if not self._seen.status or (self._seen.answered_at and not self._seen.bye_status):
            self._seen.refused = self._seen.refused or "no answer for 32 s"
            self._over()

    def _over(self, bye: Heard | None = None) -> None:
        self._socket.answered((self.call_id, self._invite_cseq, "CANCEL"))
        if bye is not None and not self._seen.bye_status:
            self._seen.bye_status = 200
        self._seen.settled_at = self._seen.settled_at or time.time()
        self._seen.ended_at = self._seen.ended_at or self._seen.settled_at
        self._done(self._seen)

    def _request(
        self, method: str, cseq: int, *, to: str = "", branch: str = "", extra: str = "", body: str = ""
    ) -> str:
        uri = self.uri if method == "CANCEL" or to else self._target
        to = to or (f"<{self.uri}>" if method == "CANCEL" else self._to)
        via = branch or branch_of(self._seen.token, cseq, method)
        return request(
            f"{method} {uri}", via, self._socket.address, self.call_id, f"{cseq} {method}",
            f"<sip:{self._number}@{DOMAIN}>;tag={self._seen.token}", to,
            f"<sip:{self._number}@{self._socket.address}>", extra, body,
        )  # fmt: skip
