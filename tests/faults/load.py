"""Many calls at once, with the clocks of their phones: who was told what and when, whatever happens to the server.

One socket holds all callers, one all callees. Requests are repeated as RFC 3261 wants over UDP, so a server that is
away for some seconds is found again. Nothing here knows how the server works; it only writes down what phones saw.
"""

from __future__ import annotations

import asyncio
import random
import time

from tests.faults.dialect import Heard, branch_of, credentials, request, token_in
from tests.faults.load_call import Plan, Seen
from tests.faults.load_callee import Callee
from tests.faults.load_caller import DOMAIN, Caller
from tests.faults.load_socket import Endpoint
from tests.fixtures.server import PASSWORD


class Load:
    """Calls at `rate` a second from `callers` to `callees`, until `stop`; then wait for `drained`."""

    def __init__(self, server_port: int, callers: list[str], callees: list[str], rate: float, seed: int) -> None:
        self._port, self._callers, self._callees, self._rate = server_port, callers, callees, rate
        self._chance = random.Random(seed)
        self.calls: dict[str, Seen] = {}
        self.registered: set[str] = set()
        self._open = 0
        self._finished: set[str] = set()
        self._calling: dict[str, Caller] = {}
        self._called: dict[str, Callee] = {}
        self._registering: dict[str, asyncio.Future[Heard]] = {}
        self._cseq = int(time.time()) % 2**30
        self._stopped = False
        self._quiet = asyncio.Event()

    async def start(self) -> None:
        """Open the sockets and register every callee."""
        self._calls = await Endpoint.at(self._port, self._caller_heard)
        self._answers = await Endpoint.at(self._port, self._callee_heard)
        for number in self._callees:
            await self.register(number)

    async def run(self) -> None:
        """Start calls at the rate until `stop`."""
        loop = asyncio.get_running_loop()
        begun, made = loop.time(), 0
        while not self._stopped:
            while made < (loop.time() - begun) * self._rate:
                self._call(made)
                made += 1
            await asyncio.sleep(0.5 / self._rate)

    def stop(self) -> None:
        """No new calls."""
        self._stopped = True
        self._settle()

    async def drained(self, timeout_s: float) -> None:
        """Every call that was begun is over. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            await self._quiet.wait()

    def close(self) -> None:
        self._calls.close()
        self._answers.close()

    async def register(self, number: str) -> None:
        """Bind `number` to the callees' socket, or refresh that; returns once it is acknowledged."""
        uri, auth = f"sip:{DOMAIN}", ""
        for _ in range(20):
            self._cseq += 1
            message = await self._ask_to_register(number, uri, self._cseq, auth)
            if message.status == 200:
                self.registered.add(number)
                return
            assert message.status in (401, 503), message
            if message.status == 503:
                await asyncio.sleep(float(message.headers.get("retry-after", "1")))
            else:
                challenge = message.headers["www-authenticate"]
                auth = credentials(challenge, "REGISTER", uri, number, PASSWORD.format(username=number))
        raise AssertionError(f"{number} cannot register")

    async def _ask_to_register(self, number: str, uri: str, cseq: int, auth: str) -> Heard:
        call_id, address = f"register-{number}@load", self._answers.address
        future: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._registering[call_id] = future
        text = request(
            f"REGISTER {uri}", branch_of(number, cseq, "REGISTER"), address, call_id, f"{cseq} REGISTER",
            f"<sip:{number}@{DOMAIN}>;tag=r", f"<sip:{number}@{DOMAIN}>", f"<sip:{number}@{address}>",
            f"Expires: 3600\r\n{auth}",
        )  # fmt: skip
        self._answers.ask((call_id, cseq, "REGISTER"), text, future.cancel)
        return await future

    def _call(self, number: int) -> None:
        chance = self._chance
        token = f"c{number}x{chance.getrandbits(24):x}"
        seen = Seen(token, chance.choice(list(Plan)), ring_s=chance.uniform(0, 2), talk_s=chance.uniform(0, 3))
        self.calls[seen.token] = seen
        self._open += 1
        one = Caller(self._calls, seen, chance.choice(self._callers), chance.choice(self._callees), self._done)
        self._calling[one.call_id] = one
        one.start()

    def _done(self, seen: Seen) -> None:
        if seen.token in self._finished:
            return
        self._finished.add(seen.token)
        self._open -= 1
        self._settle()

    def _settle(self) -> None:
        if self._stopped and not self._open:
            self._quiet.set()

    def _caller_heard(self, message: Heard) -> None:
        one = self._calling.get(message.call_id)
        if one is not None:
            one.heard(message)

    def _callee_heard(self, message: Heard) -> None:
        if message.cseq_method == "REGISTER":
            future = self._registering.get(message.call_id)
            final = message.status >= 200
            fresh = final and self._answers.answered((message.call_id, message.cseq, "REGISTER"))
            if fresh and future is not None and not future.done():
                future.set_result(message)
            return
        one = self._called.get(message.call_id)
        if message.method == "INVITE" and one is None:
            seen = self.calls[token_in(message.body)]
            one = self._called[message.call_id] = Callee(self._answers, message, seen)
            seen.offers.add((message.call_id, message.branch))
            return
        if message.method == "INVITE" and one is not None and "tag=" not in message.headers["to"]:
            self.calls[token_in(message.body)].offers.add((message.call_id, message.branch))
        if one is not None:
            one.heard(message)
