"""A phone made of pjsua2, one process: `python -m tests.phones.pjsua_phone`, lines as in `driver`.

Everything runs in one thread: the loop turns between the stack's events and the lines on stdin. Calls that
have ended are let go of in the loop, never inside their own callback.
"""

import contextlib
import gc
import json
import math
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pjsua2 as pj  # type: ignore[import-untyped]

from tests.phones.driver import CLOCK_RATE_HZ, Line, Options, has_length, looped_tone, read_options, write_wav
from tests.phones.pjsua_setting import (
    account_config,
    endpoint_config,
    tone_digit,
    transport_config,
    transport_type,
    without_events,
)

_FLUSH_TIMEOUT_S = 0.5
_GLARE_PAUSE_S = 0.3
_MOST_WANTED = 255
_LOOP_S = 120  # The stack's player leaves a hole of 20 ms each time it starts again.
_KEY_MS = 100
_KEYS = {"event": pj.PJSUA_DTMF_METHOD_RFC2833, "info": pj.PJSUA_DTMF_METHOD_SIP_INFO}
_EARLY_STATES = {180: "ringing", 182: "ringing", 183: "early"}


class _Call(pj.Call):  # type: ignore[misc]
    def __init__(self, phone: "PjsuaPhone", number: int, pj_call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, pj_call_id)
        self.phone, self.number = phone, number
        self.audio: Any = None
        self.recorder: Any = None
        self.listener: Any = None
        self.state = ""
        self.was_answered = False
        self.over = False
        self.wants_hold = False
        self.again_at_s = math.inf
        self.keys: Any = None
        self.silent_until_s = math.inf

    def onCallState(self, _prm: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            self.tell(_EARLY_STATES.get(info.lastStatusCode, "ringing"), status=info.lastStatusCode)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.was_answered = True
            self.tell("answered", status=200)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.over = True
            self.tell("ended", status=info.lastStatusCode, reason=info.lastReason)

    def onCallMediaState(self, _prm: Any) -> None:
        info = self.getInfo()  # Its media live only as long as it does: keep it.
        used = (media for media in info.media if media.status != pj.PJSUA_CALL_MEDIA_NONE)
        audio = [media for media in used if media.type == pj.PJMEDIA_TYPE_AUDIO]
        if not audio:
            return
        media = audio[0]
        if media.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
            self.tell("held", by="us")
        elif media.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD:
            self.tell("held", by="them")
        elif media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
            self.connect_audio(media.index)
            if self.was_answered:
                self.tell("answered", status=200)

    def onCallSdpCreated(self, prm: Any) -> None:
        """Without a format for keys they can be heard only."""
        if self.phone.options.keys == "sound":
            prm.sdp.wholeSdp = without_events(prm.sdp.wholeSdp)

    def press(self, keys: str) -> None:
        """As sounds they come in the place of what is said."""
        if self.phone.options.keys != "sound":
            prm = pj.CallSendDtmfParam()
            prm.method = _KEYS[self.phone.options.keys]
            prm.digits = keys
            self.sendDtmf(prm)
            return
        self.keys = pj.ToneGenerator()
        self.keys.createToneGenerator(CLOCK_RATE_HZ, 1)
        self.keys.playDigits(pj.ToneDigitVector([tone_digit(key, _KEY_MS) for key in keys]))
        self.phone.player.stopTransmit(self.audio)
        self.keys.startTransmit(self.audio)
        self.silent_until_s = time.monotonic() + 2 * _KEY_MS * len(keys) / 1000 + _KEY_MS / 1000

    def pressed(self) -> None:
        """Speak again."""
        self.silent_until_s = math.inf
        self.keys.stopTransmit(self.audio)
        self.keys = None
        self.phone.player.startTransmit(self.audio)

    def onDtmfDigit(self, prm: Any) -> None:
        self.phone.line.event("key", call=self.number, key=prm.digit)

    def onCallTsxState(self, prm: Any) -> None:
        """A re-INVITE that met another (491) is sent again a little later, as RFC 3261 section 14.1 asks."""
        tsx = prm.e.body.tsxState.tsx
        ours = tsx.role == pj.PJSIP_ROLE_UAC and tsx.method == "INVITE"
        if self.was_answered and ours and tsx.statusCode == 491 and tsx.state == pj.PJSIP_TSX_STATE_COMPLETED:
            self.again_at_s = time.monotonic() + _GLARE_PAUSE_S

    def renegotiate(self, hold: bool) -> None:
        self.wants_hold = hold
        self.again_at_s = math.inf
        prm = pj.CallOpParam(True)
        try:
            if hold:
                self.setHold(prm)
            else:
                prm.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.reinvite(prm)
        except pj.Error:
            # Another INVITE is under way; when it never ends, the test's own time-out tells.
            self.again_at_s = time.monotonic() + _GLARE_PAUSE_S

    def connect_audio(self, index: int) -> None:
        self.audio = self.getAudioMedia(index)
        self.phone.player.startTransmit(self.audio)
        if self.recorder is None:
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(str(self.phone.path(f"call-{self.number}.wav")))
        for sink in (self.recorder, self.listener):
            if sink is not None:
                self.audio.startTransmit(sink)

    def tell(self, state: str, **fields: object) -> None:
        if state != self.state:
            self.state = state
            sip_call_id = self.getInfo().callIdString
            self.phone.line.event("state", call=self.number, state=state, sip_call_id=sip_call_id, **fields)

    def let_go(self) -> None:
        """Flush the recording by letting go of its recorder."""
        self.audio = self.recorder = self.listener = self.keys = None


class _Account(pj.Account):  # type: ignore[misc]
    def __init__(self, phone: "PjsuaPhone") -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:
        self.phone.line.event("registration", status=prm.code, reason=prm.reason or "", expires_s=prm.expiration)

    def onMwiInfo(self, prm: Any) -> None:
        message = prm.rdata.wholeMsg
        if message.startswith("NOTIFY "):
            self.phone.line.event("summary", text=message)

    def onIncomingCall(self, prm: Any) -> None:
        call = self.phone.adopt(lambda number: _Call(self.phone, number, prm.callId))
        info = call.getInfo()
        self.phone.line.event("incoming", call=call.number, remote=info.remoteUri, sip_call_id=info.callIdString)
        if self.phone.options.auto_answer is not None:
            call.answer(_answer(int(self.phone.options.auto_answer)))


def _answer(status: int) -> Any:
    prm = pj.CallOpParam(True)
    prm.statusCode = status
    return prm


class PjsuaPhone:
    def __init__(self, options: Options, line: Line) -> None:
        self.options, self.line = options, line
        self.calls: dict[int, _Call] = {}
        self.listening: dict[int, tuple[_Call, float, int]] = {}
        self.flushing: list[tuple[Path, float, Callable[[], None]]] = []
        self.last_number = 0
        self.running = True
        self.endpoint: Any = pj.Endpoint()
        self.account: Any = None
        self.player: Any = None

    def path(self, name: str) -> Path:
        return Path(self.options.folder) / name

    def start(self) -> None:
        self.endpoint.libCreate()
        self.endpoint.libInit(endpoint_config(str(self.path("trace.log"))))
        transport = self.endpoint.transportCreate(
            transport_type(self.options.transport), transport_config(self.options)
        )
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.prefer(self.options.codecs)
        write_wav(self.path("tone.wav"), looped_tone(self.options.tone_hz, _LOOP_S))
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(str(self.path("tone.wav")))
        self.account = _Account(self)
        self.account.create(account_config(self.options, transport))
        self.line.event("ready")

    def prefer(self, codecs: Sequence[str]) -> None:
        """Have these codecs and no others, the first one before all."""
        for codec in self.endpoint.codecEnum2():
            name = codec.codecId.partition("/")[0]
            place = codecs.index(name) if name in codecs else _MOST_WANTED
            self.endpoint.codecSetPriority(codec.codecId, _MOST_WANTED - place)

    def adopt(self, make: Callable[[int], _Call]) -> _Call:
        self.last_number += 1
        self.calls[self.last_number] = make(self.last_number)
        return self.calls[self.last_number]

    def loop(self) -> None:
        pending = b""
        while self.running:
            self.endpoint.libHandleEvents(10)
            self.finish_listening()
            self.finish_pressing()
            self.drop_ended()
            self.finish_flushing()
            self.renegotiate_again()
            if not select.select([0], [], [], 0)[0]:
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for text in lines:
                self.obey(json.loads(text))

    def obey(self, command: dict[str, Any]) -> None:
        number = int(command["id"])
        try:
            answer = getattr(self, f"do_{command['do']}")(command)
        except pj.Error as error:
            self.line.refuse(number, error.info())
        except KeyError as error:
            self.line.refuse(number, f"no such call or field: {error}")
        else:
            if answer is not None:
                self.line.reply(number, **answer)

    def do_dial(self, command: dict[str, Any]) -> dict[str, object]:
        call = self.adopt(lambda number: _Call(self, number))
        prm = pj.CallOpParam(True)
        prm.opt.flag |= 0 if command["offers"] else pj.PJSUA_CALL_NO_SDP_OFFER
        try:
            call.makeCall(self.options.target(command["target"]), prm)
        except pj.Error:
            del self.calls[call.number]
            raise
        return {"call": call.number}

    def do_answer(self, command: dict[str, Any]) -> dict[str, object]:
        self.calls[command["call"]].answer(_answer(command["status"]))
        return {}

    def do_hang_up(self, command: dict[str, Any]) -> dict[str, object]:
        self.calls[command["call"]].hangup(pj.CallOpParam(True))
        return {}

    def do_hold(self, command: dict[str, Any]) -> dict[str, object]:
        self.calls[command["call"]].renegotiate(hold=True)
        return {}

    def do_resume(self, command: dict[str, Any]) -> dict[str, object]:
        self.calls[command["call"]].renegotiate(hold=False)
        return {}

    def do_press(self, command: dict[str, Any]) -> dict[str, object]:
        self.calls[command["call"]].press(command["keys"])
        return {}

    def do_recode(self, command: dict[str, Any]) -> dict[str, object]:
        self.prefer(command["codecs"])
        prm = pj.CallOpParam(True)
        prm.opt.flag |= pj.PJSUA_CALL_REINIT_MEDIA
        self.calls[command["call"]].reinvite(prm)
        return {}

    def do_update(self, command: dict[str, Any]) -> dict[str, object]:
        """Offer the media again by UPDATE."""
        self.calls[command["call"]].update(pj.CallOpParam(True))
        return {}

    def do_register(self, command: dict[str, Any]) -> dict[str, object]:
        self.account.setRegistration(bool(command["on"]))
        return {}

    def do_listen(self, command: dict[str, Any]) -> None:
        """A second recorder for a while; the reply comes when it is full (see `finish_listening`)."""
        call, number = self.calls[command["call"]], int(command["id"])
        call.listener = pj.AudioMediaRecorder()
        call.listener.createRecorder(str(self.path(f"heard-{number}.wav")))
        if call.audio is not None:
            with contextlib.suppress(pj.Error):  # its media are just being renewed: `connect_audio` follows
                call.audio.startTransmit(call.listener)
        self.listening[number] = (call, time.monotonic() + command["seconds"], number)

    def finish_listening(self) -> None:
        for number, (call, until, _) in list(self.listening.items()):
            if time.monotonic() >= until or call.over:
                del self.listening[number]
                call.listener = None
                gc.collect()
                path = self.path(f"heard-{number}.wav")
                self.when_flushed(path, partial(self.line.reply, number, path=str(path)))

    def when_flushed(self, path: Path, tell: Callable[[], None]) -> None:
        """The stack's own thread closes a WAV a moment after its recorder was let go of."""
        self.flushing.append((path, time.monotonic() + _FLUSH_TIMEOUT_S, tell))

    def finish_flushing(self) -> None:
        now, waiting = time.monotonic(), self.flushing
        self.flushing = []
        for path, until, tell in waiting:
            if now >= until or not path.exists() or has_length(path):
                tell()
            else:
                self.flushing.append((path, until, tell))

    def do_flush(self, command: dict[str, Any]) -> dict[str, object]:
        """The recording is whole on disk once the call was let go of."""
        if command["call"] in self.calls:
            raise KeyError(f"call {command['call']} has not ended")
        return {"path": str(self.path(f"call-{command['call']}.wav"))}

    def do_stop(self, _command: dict[str, Any]) -> dict[str, object]:
        self.running = False
        return {}

    def finish_pressing(self) -> None:
        for call in self.calls.values():
            if not call.over and time.monotonic() >= call.silent_until_s:
                call.pressed()

    def renegotiate_again(self) -> None:
        for call in self.calls.values():
            if not call.over and time.monotonic() >= call.again_at_s:
                call.renegotiate(call.wants_hold)

    def drop_ended(self) -> None:
        ended = [number for number, call in self.calls.items() if call.over]
        for number in ended:
            call = self.calls.pop(number)
            call.let_go()
            del call
            gc.collect()
            path = self.path(f"call-{number}.wav")
            self.when_flushed(path, partial(self.line.event, "flushed", call=number))

    def close(self) -> None:
        self.endpoint.hangupAllCalls()
        until = time.monotonic() + 0.5
        while time.monotonic() < until and self.calls:
            self.endpoint.libHandleEvents(10)
            self.drop_ended()
        self.listening.clear()
        for call in self.calls.values():
            call.let_go()
        self.calls.clear()
        self.player = None
        if self.account is not None:
            self.account.shutdown()
            self.account = None
        gc.collect()
        self.endpoint.libDestroy()


def main() -> None:
    line = Line()
    phone = PjsuaPhone(read_options(), line)
    try:
        phone.start()
        phone.loop()
    except pj.Error as error:
        line.event("failed", reason=error.info())
        sys.exit(1)
    finally:
        phone.close()


if __name__ == "__main__":
    main()
