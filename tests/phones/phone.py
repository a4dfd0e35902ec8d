"""A real phone in its own process, steered from a test; the same for both makers.

    alice = await Phone.start("pjsua", "1001", "secret", "acme.example", proxy="127.0.0.1:5060")
    await alice.registered()
    call = await alice.dial("1002")
    await call.state("answered")
    heard = await call.heard(1.0)
    await call.hang_up()

Each phone plays its own tone into every call and records what it hears, so audio is checked and not
assumed (`media.tone`). Every wait has a time-out in seconds; what fails says what the phone saw so far.
Times are the phone's own: `monotonic_s` of the machine's clock, and UTC.
"""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tests.fixtures.ports import phone_ports
from tests.phones.call import TIMEOUT_S, PhoneCall, PhoneError, StateChange
from tests.phones.driver import CLOCK_RATE_HZ, Options

__all__ = ["Phone", "PhoneCall", "PhoneError", "Registration", "StateChange"]

KINDS = ("pjsua", "baresip")
TRANSPORTS = ("udp", "tcp", "tls")
ROOT = Path(__file__).resolve().parents[2]
_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Registration:
    """The outcome of one REGISTER; status 0 means that no answer came."""

    status: int
    reason: str
    monotonic_s: float
    utc: datetime


class Phone:
    """Made by `Phone.start`; ended by `stop`, which always leaves no process."""

    clock_rate_hz = CLOCK_RATE_HZ

    def __init__(self, kind: str, options: Options, process: asyncio.subprocess.Process) -> None:
        self.kind, self.options = kind, options
        self.calls: dict[int, PhoneCall] = {}
        self.flushed: set[int] = set()
        self.registrations: list[Registration] = []
        self.events: list[dict[str, Any]] = []
        self.summaries: list[str] = []
        """what it was told of messages, by its subscription"""
        self._incoming: list[PhoneCall] = []
        self._process = process
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_command = 0
        self._changed = asyncio.Condition()
        self._gone = False
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        kind: str,
        username: str,
        password: str = "",
        domain: str = "127.0.0.1",
        proxy: str | None = None,
        transport: str = "udp",
        srtp: bool = False,
        srtp_wish: bool = False,
        dtls: bool = False,
        tls_ca: str | None = None,
        tone_hz: float = 440,
        expires_s: int = 300,
        auto_answer: Literal["180", "183", "200", "486", "603"] | None = None,
        register: bool = True,
        outbound: bool = False,
        prack: bool = False,
        session_s: int = 0,
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        keys: str = "event",
        summaries: bool = False,
        timeout_s: float = 20.0,
    ) -> "Phone":
        """A phone that is up (not yet registered). Without a proxy it neither registers nor needs one."""
        if kind not in KINDS or transport not in TRANSPORTS:
            raise ValueError(f"a phone is one of {KINDS} over one of {TRANSPORTS}, not {kind} over {transport}")
        options = Options(
            username=username,
            password=password,
            domain=domain,
            proxy=proxy,
            transport=transport,
            port=phone_ports(),
            srtp=srtp,
            srtp_wish=srtp_wish,
            dtls=dtls,
            tls_ca=tls_ca,
            tone_hz=tone_hz,
            expires_s=expires_s,
            auto_answer=auto_answer,
            register=register,
            folder=tempfile.mkdtemp(prefix=f"phone-{username}-"),
            outbound=outbound,
            prack=prack,
            session_s=session_s,
            codecs=codecs,
            keys=keys,
            summaries=summaries,
        )
        process = await _spawn(kind, Path(options.folder))
        return await cls(kind, options, process)._begun(timeout_s)

    async def _begun(self, timeout_s: float) -> "Phone":
        try:
            self._write({name: getattr(self.options, name) for name in Options.__slots__})
            await self.until(lambda: self._seen("ready") or self._seen("failed"), timeout_s, "ready")
            if self._seen("failed"):
                raise self.error("the phone could not start")
        except BaseException:
            await self.stop()
            raise
        return self

    @property
    def address(self) -> str:
        """host:port at which the phone listens."""
        return self.options.own_address

    def uri(self) -> str:
        """Where to call this phone directly."""
        suffix = "" if self.options.transport == "udp" else f";transport={self.options.transport}"
        return f"sip:{self.options.username}@{self.address}{suffix}"

    async def registered(self, timeout_s: float = TIMEOUT_S, since_s: float = 0.0) -> Registration:
        """The first REGISTER that succeeded after `since_s` (monotonic seconds)."""

        def done() -> Registration | None:
            good = (r for r in self.registrations if r.status == 200 and r.monotonic_s > since_s)
            return next(good, None)

        await self.until(lambda: done() is not None, timeout_s, "registered")
        outcome = done()
        assert outcome is not None
        return outcome

    async def registration(self, timeout_s: float = TIMEOUT_S, since_s: float = 0.0) -> Registration:
        """The first outcome, good or bad, after `since_s` (monotonic seconds)."""

        def later() -> list[Registration]:
            return [r for r in self.registrations if r.monotonic_s > since_s]

        await self.until(lambda: bool(later()), timeout_s, "an outcome of REGISTER")
        return later()[0]

    async def register(self) -> None:
        """Send a REGISTER now; the outcome is told by `registered` and `registration`."""
        await self.command("register", on=True)

    async def summary(self, words: str, timeout_s: float = TIMEOUT_S) -> None:
        """The newest summary of messages has these words."""
        await self.until(lambda: bool(self.summaries) and words in self.summaries[-1], timeout_s, f"a summary: {words}")

    async def unregister(self) -> None:
        await self.command("register", on=False)

    async def dial(self, target: str, offers: bool = True) -> PhoneCall:
        """Call a number of the phone's own domain, or a URI; leaving the offer to the other side is pjsua's only."""
        reply = await self.command("dial", target=target, offers=offers)
        return self._call(int(reply["call"]))

    async def incoming(self, timeout_s: float = TIMEOUT_S) -> PhoneCall:
        """The next call that came in, each only once."""
        await self.until(lambda: bool(self._incoming), timeout_s, "an incoming call")
        return self._incoming.pop(0)

    def trace(self) -> str:
        """Every SIP message so far, as the phone's stack logged it."""
        path = Path(self.options.folder) / "trace.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def command(self, name: str, timeout_s: float = TIMEOUT_S, **fields: object) -> dict[str, Any]:
        """One line to the driver and its reply; `PhoneError` when it refuses or is gone."""
        if self._gone:
            raise self.error(f"cannot {name}: the phone's process has ended")
        self._last_command += 1
        number = self._last_command
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        self._write({"id": number, "do": name, **fields})
        try:
            reply = await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise self.error(f"no reply to {name} within {timeout_s} s") from None
        finally:
            self._replies.pop(number, None)
        if not reply["ok"]:
            raise self.error(f"{name} failed: {reply['error']}")
        return reply

    async def until(self, predicate: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for an event of the phone that makes the predicate true."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: predicate() or self._gone)
        except TimeoutError:
            raise self.error(f"not seen within {timeout_s} s: {what}") from None
        if not predicate():
            raise self.error(f"the phone's process ended while waiting for: {what}")

    def error(self, message: str) -> PhoneError:
        """An error that carries what the phone saw."""
        seen = "\n".join(f"  {json.dumps(event)}" for event in self.events[-20:]) or "  nothing"
        stderr = (Path(self.options.folder) / "stderr.log").read_text(errors="replace")[-1000:]
        who = f"{self.kind} {self.options.username}@{self.options.domain}"
        return PhoneError(f"{who}: {message}\nseen so far:\n{seen}\n{stderr}")

    def freeze(self) -> None:
        """Nothing comes of it any more, and it hears nothing, until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """Hang up, unregister, end the process: by itself, or killed after a bounded time."""
        if self._process.returncode is None and not self._gone:
            self._write({"id": 0, "do": "stop"})
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader
        shutil.rmtree(self.options.folder, ignore_errors=True)

    def _write(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def _seen(self, name: str) -> bool:
        return any(event["event"] == name for event in self.events)

    def _call(self, number: int) -> PhoneCall:
        return self.calls.setdefault(number, PhoneCall(self, number))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while text := await self._process.stdout.readline():
            message = json.loads(text)
            async with self._changed:
                self._take(message)
                self._changed.notify_all()
        async with self._changed:
            self._gone = True
            self._changed.notify_all()
        for future in self._replies.values():
            if not future.done():
                future.set_result({"ok": False, "error": "the phone's process ended"})

    def _take(self, message: dict[str, Any]) -> None:
        if "re" in message:
            future = self._replies.get(message["re"])
            if future is not None and not future.done():
                future.set_result(message)
            return
        self.events.append(message)
        match message["event"]:
            case "registration":
                self.registrations.append(
                    Registration(message["status"], message["reason"], message["monotonic_s"], _utc(message))
                )
            case "incoming":
                call = self._call(message["call"])
                call.remote, call.sip_call_id = message["remote"] or "", message["sip_call_id"] or ""
                self._incoming.append(call)
            case "state":
                self._take_state(self._call(message["call"]), message)
            case "key":
                self._call(message["call"]).keys += message["key"]
            case "summary":
                self.summaries.append(message["text"])
            case "flushed":
                self.flushed.add(message["call"])

    def _take_state(self, call: PhoneCall, message: dict[str, Any]) -> None:
        call.sip_call_id = message["sip_call_id"] or call.sip_call_id
        call.changes.append(
            StateChange(
                message["state"],
                message["monotonic_s"],
                _utc(message),
                message.get("status", 0),
                message.get("reason", ""),
                message.get("by", ""),
            )
        )


async def _spawn(kind: str, folder: Path) -> asyncio.subprocess.Process:
    with (folder / "stderr.log").open("wb") as stderr:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"tests.phones.{kind}_phone",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=ROOT,
        )


def _utc(message: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(message["utc"])
