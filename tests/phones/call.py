"""One call of one phone, as the test sees it: what was asked of it, and the states it went through."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from media.pcm import Samples
from tests.phones.driver import read_wav

if TYPE_CHECKING:
    from tests.phones.phone import Phone

State = Literal["ringing", "early", "answered", "held", "ended"]

TIMEOUT_S = 10.0
TONE_WITHIN_HZ = 4.0
"""So far a tone may seem to be from what it is: each frame that comes too late on a busy machine is a step in it."""


class PhoneError(AssertionError):
    """The phone did not do, or did not see, what the test expected."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A change as the phone saw it. `by` says who holds: "us" or "them"."""

    state: State
    monotonic_s: float
    utc: datetime
    status: int = 0
    reason: str = ""
    by: str = ""


@dataclass(eq=False)
class PhoneCall:
    """One call of one phone."""

    phone: "Phone"
    number: int
    remote: str = ""
    sip_call_id: str = ""
    changes: list[StateChange] = field(default_factory=list)
    keys: str = ""
    """those that the other side pressed, as the phone was told of them by telephone-event or INFO"""

    async def ring(self) -> None:
        """Answer 180 (baresip did so by itself)."""
        await self.phone.command("answer", call=self.number, status=180)
        await self.state("ringing")

    async def progress(self) -> None:
        """Answer 183 with SDP: early media. A baresip phone must have been started with auto_answer="183"."""
        await self.phone.command("answer", call=self.number, status=183)
        await self.state("early")

    async def answer(self) -> StateChange:
        await self.phone.command("answer", call=self.number, status=200)
        return await self.state("answered")

    async def reject(self, status: int = 486) -> StateChange:
        """Refuse with a final status (baresip: 486 only)."""
        await self.phone.command("answer", call=self.number, status=status)
        return await self.state("ended")

    async def hold(self) -> StateChange:
        """Done when the other side has answered the re-INVITE."""
        await self.phone.command("hold", call=self.number)
        return await self.state("held")

    async def resume(self) -> StateChange:
        await self.phone.command("resume", call=self.number)
        return await self.state("answered")

    async def update(self) -> None:
        """Offer the media again by UPDATE (pjsua only)."""
        await self.phone.command("update", call=self.number)

    async def press(self, keys: str) -> None:
        """Press 0-9, *, # one after the other, in the phone's own way of telling it (`Options.keys`)."""
        await self.phone.command("press", timeout_s=TIMEOUT_S + len(keys), call=self.number, keys=keys)

    async def told(self, keys: str, timeout_s: float = TIMEOUT_S) -> None:
        """The other side has pressed just these."""
        await self.phone.until(lambda: len(self.keys) >= len(keys) or self.is_over, timeout_s, f"the keys {keys}")
        if self.keys != keys:
            raise self.phone.error(f"expected the keys {keys}, and was told {self.keys}")

    async def recode(self, *codecs: str) -> None:
        """Offer the media again with these codecs, by re-INVITE (pjsua only)."""
        await self.phone.command("recode", call=self.number, codecs=codecs)

    async def hang_up(self) -> StateChange:
        """BYE, CANCEL or a refusal, as the state of the call asks for."""
        await self.phone.command("hang_up", call=self.number)
        return await self.state("ended")

    async def state(self, state: State, timeout_s: float = TIMEOUT_S) -> StateChange:
        """Wait until the call is in this state; "ringing" and "early" are there too when they are past."""

        def reached() -> StateChange | None:
            if state in ("ringing", "early"):
                return self.first(state)
            return self.changes[-1] if self.changes and self.changes[-1].state == state else None

        await self.phone.until(lambda: reached() is not None or self.is_over, timeout_s, f"call {self.number} {state}")
        change = reached()
        if change is None:
            raise self.phone.error(f"call {self.number} ended before it was {state}")
        return change

    def first(self, state: State) -> StateChange | None:
        """The first time that the call got into this state."""
        return next((change for change in self.changes if change.state == state), None)

    @property
    def is_over(self) -> bool:
        return bool(self.changes) and self.changes[-1].state == "ended"

    @property
    def ended(self) -> tuple[int, str]:
        """Status and reason of the end: 200 after a BYE, else the final answer to the INVITE."""
        if not self.is_over:
            raise self.phone.error(f"call {self.number} has not ended")
        return self.changes[-1].status, self.changes[-1].reason

    async def heard(self, seconds: float) -> Samples:
        """What the phone hears from now on for so long (8000 Hz); less when the call ends or is silent."""
        reply = await self.phone.command("listen", timeout_s=seconds + TIMEOUT_S, call=self.number, seconds=seconds)
        return read_wav(Path(reply["path"]))

    async def recording(self, timeout_s: float = TIMEOUT_S) -> Samples:
        """All that was heard in a call that is over (8000 Hz)."""
        await self.phone.until(lambda: self.number in self.phone.flushed, timeout_s, f"recording of call {self.number}")
        reply = await self.phone.command("flush", call=self.number)
        return read_wav(Path(reply["path"]))
