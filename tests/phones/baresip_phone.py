"""A phone made of baresip, one process: `python -m tests.phones.baresip_phone`, lines as in `driver`.

What this stack does by itself: an incoming call rings at once (180, or 183 with SDP when `auto_answer` is
"183"), and the only final refusal it knows is 486. Audio is PCM in memory: a task of each call feeds the
tone and keeps what was heard.
"""

import asyncio
import json
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import baresip
import numpy as np
from baresip.call import Call
from baresip.events import Event, StackEvent
from baresip.runtime import Runtime
from baresip.ua import UserAgent

from media.pcm import Samples
from media.tone import tone
from tests.phones.driver import CLOCK_RATE_HZ, Line, Options, read_options, write_wav

_PUMP_S = 0.01
_GLARE_TRIES = 10
_GLARE_PAUSE_S = 0.1
_AHEAD_MS = 160
_READ_BYTES = 65536
_RATES_HZ = (8000, 16000, 48000)
_CODECS = {"PCMU": "pcmu", "PCMA": "pcma", "G722": "g722/16000/1", "opus": "opus/48000/2"}


def _status(text: str | None, default: int) -> tuple[int, str]:
    """`486 Busy Here` taken apart; the default where the text has no status."""
    code, _, reason = (text or "").partition(" ")
    return (int(code), reason) if code.isdigit() and len(code) == 3 else (default, text or "")


class _Leg:
    """One call: its state as told, its tone and what it heard."""

    def __init__(self, phone: "BaresipPhone", number: int, call: Call | None) -> None:
        self.phone, self.number, self.call = phone, number, call
        self.state = ""
        self.we_hold = self.was_answered = False
        self.heard = bytearray()
        """at 8000 Hz"""
        self.rest = b""
        self.tone_at = 0
        self.pump = asyncio.create_task(self._pump())

    def tell(self, state: str, sip_call_id: str | None, **fields: object) -> None:
        if state != self.state:
            self.state = state
            self.phone.line.event("state", call=self.number, state=state, sip_call_id=sip_call_id, **fields)

    def begin(self, call: Call) -> None:
        """The stack has told which call it is."""
        self.call = call
        call.on_dtmf(lambda pressed: self.phone.line.event("key", call=self.number, key=pressed.digit))

    async def _pump(self) -> None:
        """Until the call is over: keep a little of the tone queued, take whatever came."""
        while self.state != "ended":
            with suppress(baresip.AudioNotActive, baresip.AudioRestarted):
                if self.call is not None:
                    self._exchange(self.call)
            await asyncio.sleep(_PUMP_S)

    def _exchange(self, call: Call) -> None:
        info = call.audio.info()
        if info.rx_ready:
            self._keep(call.audio.read(_READ_BYTES), info.rx_sample_rate // CLOCK_RATE_HZ, info.rx_channels)
        if info.tx_ready:
            rate_hz, channels = info.tx_sample_rate, info.tx_channels
            samples = self.phone.tones[rate_hz]
            wanted = min(_AHEAD_MS * rate_hz // 1000 - info.tx_buffered // (2 * channels), len(samples))
            if wanted > 0:
                part = np.take(samples, np.arange(self.tone_at, self.tone_at + wanted), mode="wrap")
                written = call.audio.write(np.repeat(part, channels).tobytes()) // (2 * channels)
                self.tone_at = (self.tone_at + written) % len(samples)

    def _keep(self, came: bytes, times: int, channels: int) -> None:
        """The mean of the channels, and of as many samples as there are for one at 8000 Hz."""
        data, size = self.rest + came, 2 * channels * times
        whole = len(data) // size * size
        self.rest = data[whole:]
        means = np.frombuffer(data[:whole], dtype=np.int16).reshape(-1, channels * times).mean(axis=1)
        self.heard += np.rint(means).astype(np.int16).tobytes()

    def samples(self, start: int = 0) -> Samples:
        return np.frombuffer(bytes(self.heard[start : len(self.heard) // 2 * 2]), dtype=np.int16)


class BaresipPhone:
    def __init__(self, options: Options, line: Line) -> None:
        self.options, self.line = options, line
        self.tones = {rate_hz: tone(options.tone_hz, 1, rate_hz) for rate_hz in _RATES_HZ}
        self.runtime = Runtime()
        self.ua: UserAgent | None = None
        self.legs: dict[int, _Leg] = {}
        self.numbers: dict[int, int] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.running = True

    def path(self, name: str) -> Path:
        return Path(self.options.folder) / name

    async def start(self) -> None:
        self._trace()
        self.runtime.subscribe(self._on_event)
        await self.runtime.start(
            baresip.Config(
                net_interface="127.0.0.1",
                max_concurrent_calls=None,
                sip_trace=True,
                native_log_level="debug",
                extra_config_text=self._extra_config(),
            )
        )
        self.ua = await UserAgent.create(self.runtime, self._address_of_record())
        self.ua.on_incoming(self._on_incoming)
        self.line.event("ready")
        if self.options.register and self.options.proxy is not None:
            self.spawn(self.ua.register())

    def _trace(self) -> None:
        handler = logging.FileHandler(self.path("trace.log"))
        handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%H:%M:%S"))
        root = logging.getLogger("baresip")
        root.setLevel(logging.DEBUG)
        root.addHandler(handler)
        root.propagate = False

    def _extra_config(self) -> str:
        lines = [f"sip_listen {self.options.own_address}", "rtp_ports {}-{}".format(*self.options.rtp_ports)]
        if self.options.tls_ca is not None:
            lines += [f"sip_cafile {self.options.tls_ca}", "sip_verify_server yes"]
        else:
            lines += ["sip_verify_server no"]
        return "\n".join(lines) + "\n"

    def _address_of_record(self) -> str:
        options = self.options
        wanted = {"dtls_srtp": options.dtls, "srtp-mand": options.srtp, "srtp": options.srtp_wish}
        encryption = next((name for name, is_wanted in wanted.items() if is_wanted), "")
        account = baresip.Account(
            user=options.username,
            domain=options.domain,
            password=options.password,
            registrar=f"sip:{options.proxy};transport={options.transport}" if options.proxy else None,
            reg_interval=options.expires_s if options.register and options.proxy else 0,
            transport=options.transport,  # type: ignore[arg-type]
            audio_codecs=tuple(_CODECS[name] for name in options.codecs),
            dtmf_mode="info" if options.keys == "info" else "rtpevent",
            extra_params=(f"mediaenc={encryption}",) if encryption else (),
        )
        mode = "early" if options.auto_answer == "183" else "manual"
        return account.aor().replace("answermode=manual", f"answermode={mode}")

    def spawn(self, work: Any) -> None:
        task = asyncio.create_task(self._quietly(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _quietly(self, work: Any) -> None:
        # The outcome is told by the stack's events.
        with suppress(baresip.BaresipError):
            await work

    def _leg(self, handle: int) -> _Leg:
        if handle not in self.numbers:
            number = self.numbers[handle] = len(self.numbers) + 1
            self.legs[number] = _Leg(self, number, None)
        return self.legs[self.numbers[handle]]

    def _on_event(self, event: StackEvent) -> None:
        if event.event is Event.REGISTER_OK:
            status, reason = _status(event.text, 200)
            self.line.event("registration", status=status, reason=reason)
        elif event.event is Event.REGISTER_FAIL:
            status, reason = _status(event.text, 0)
            self.line.event("registration", status=status, reason=reason)
        elif event.call:
            self._on_call_event(self._leg(event.call), event)

    def _on_call_event(self, leg: _Leg, event: StackEvent) -> None:
        tell, sip_call_id = leg.tell, event.call_id
        match event.event:
            case Event.CALL_RINGING:
                tell("ringing", sip_call_id, status=180)
            case Event.CALL_PROGRESS:
                tell("early", sip_call_id, status=183)
            case Event.CALL_ESTABLISHED:
                leg.was_answered = True
                tell("answered", sip_call_id, status=200)
            case Event.CALL_HOLD:
                tell("held", sip_call_id, by="them")
            case Event.CALL_RESUME if not leg.we_hold:
                tell("answered", sip_call_id, status=200)
            case Event.CALL_REMOTE_SDP if event.text == "answer" and leg.was_answered:
                tell("held" if leg.we_hold else "answered", sip_call_id, by="us")
            case Event.CALL_CLOSED:
                self._end(leg, event)
            case _:
                pass

    def _end(self, leg: _Leg, event: StackEvent) -> None:
        status, reason = _status(event.text, 200 if leg.was_answered else 487)
        leg.tell("ended", event.call_id, status=status, reason=reason)
        write_wav(self.path(f"call-{leg.number}.wav"), leg.samples())
        self.line.event("flushed", call=leg.number)

    def _on_incoming(self, call: Call) -> None:
        leg = self._leg(call.handle)
        leg.begin(call)
        self.line.event("incoming", call=leg.number, remote=call.peer, sip_call_id=call.call_id)
        early = self.options.auto_answer == "183"
        leg.tell("early" if early else "ringing", call.call_id, status=183 if early else 180)
        match self.options.auto_answer:
            case "200":
                self.spawn(call.answer())
            case "486" | "603":
                self.spawn(call.reject())

    async def obey(self, command: dict[str, Any]) -> None:
        number = int(command["id"])
        try:
            answer = await getattr(self, f"do_{command['do']}")(command)
        except (baresip.BaresipError, ValueError) as error:
            self.line.refuse(number, f"{type(error).__name__}: {error}")
        except KeyError as error:
            self.line.refuse(number, f"no such call or field: {error}")
        else:
            self.line.reply(number, **answer)

    def call(self, command: dict[str, Any]) -> Call:
        call = self.legs[command["call"]].call
        if call is None:
            raise KeyError(f"call {command['call']} is not there yet")
        return call

    async def do_dial(self, command: dict[str, Any]) -> dict[str, object]:
        assert self.ua is not None
        assert command["offers"]
        call = await self.ua.dial(self.options.target(command["target"]))
        leg = self._leg(call.handle)
        leg.begin(call)
        return {"call": leg.number}

    async def do_answer(self, command: dict[str, Any]) -> dict[str, object]:
        status, call = command["status"], self.call(command)
        if status == 200:
            await call.answer()
        elif status == 486:
            await call.reject()
        elif status not in (180, 183) or (status == 183 and self.options.auto_answer != "183"):
            raise ValueError(f"baresip cannot answer {status} when asked to")
        return {}

    async def do_hang_up(self, command: dict[str, Any]) -> dict[str, object]:
        await self.call(command).hangup()
        return {}

    async def do_hold(self, command: dict[str, Any]) -> dict[str, object]:
        return await self._set_hold(command, True)

    async def do_resume(self, command: dict[str, Any]) -> dict[str, object]:
        return await self._set_hold(command, False)

    async def _set_hold(self, command: dict[str, Any], hold: bool) -> dict[str, object]:
        """The stack refuses while an INVITE is under way (it sends one of its own after an answer): try again."""
        leg, call = self.legs[command["call"]], self.call(command)
        leg.we_hold = hold
        for _ in range(_GLARE_TRIES):
            try:
                await (call.hold() if hold else call.resume())
            except baresip.BaresipError as error:
                refused = error
                await asyncio.sleep(_GLARE_PAUSE_S)
            else:
                return {}
        leg.we_hold = not hold
        raise refused

    async def do_press(self, command: dict[str, Any]) -> dict[str, object]:
        await self.call(command).send_dtmf(command["keys"])
        return {}

    async def do_register(self, command: dict[str, Any]) -> dict[str, object]:
        assert self.ua is not None
        self.spawn(self.ua.register() if command["on"] else self.ua.unregister())
        return {}

    async def do_listen(self, command: dict[str, Any]) -> dict[str, object]:
        leg = self.legs[command["call"]]
        start, until = len(leg.heard), time.monotonic() + command["seconds"]
        while time.monotonic() < until and leg.state != "ended":
            await asyncio.sleep(_PUMP_S)
        path = self.path(f"heard-{command['id']}.wav")
        write_wav(path, leg.samples(start))
        return {"path": str(path)}

    async def do_flush(self, command: dict[str, Any]) -> dict[str, object]:
        return {"path": str(self.path(f"call-{command['call']}.wav"))}

    async def do_stop(self, _command: dict[str, Any]) -> dict[str, object]:
        self.running = False
        return {}

    async def loop(self, lines: asyncio.StreamReader) -> None:
        while self.running and (text := await lines.readline()):
            command = json.loads(text)
            if command["do"] == "stop":
                await self.obey(command)
            else:
                self.spawn(self.obey(command))

    async def close(self) -> None:
        for leg in self.legs.values():
            if leg.state != "ended" and leg.call is not None:
                await self._quietly(leg.call.hangup())
            leg.pump.cancel()
        if self.ua is not None and self.options.register and self.options.proxy is not None:
            await self._quietly(self.ua.unregister(timeout=1))
        await self._quietly(self.runtime.close())


async def _run(options: Options, line: Line) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    phone = BaresipPhone(options, line)
    try:
        await phone.start()
        await phone.loop(lines)
    except baresip.BaresipError as error:
        line.event("failed", reason=f"{type(error).__name__}: {error}")
    finally:
        await phone.close()


def main() -> None:
    line = Line()
    asyncio.run(_run(read_options(), line))


if __name__ == "__main__":
    main()
