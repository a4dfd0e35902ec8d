"""Keys by which a party steers the recording of its own call: `*1` begins or ends it, `*2` masks it or no longer.

What may live here: which keys mean what, and whose extension lets it. The other party hears them, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from uuid import UUID

from domain.call.call import Call
from domain.call.input import RecordingAsked
from domain.routing.directory import Directory

LEAD = "*"
MEANT = {"1": "toggle", "2": "toggle_mask"}
Side = Literal["caller", "callee"]


class RecordingKeys:
    """What was pressed last in each call, by side."""

    def __init__(
        self, find: Callable[[UUID], Call | None], directory: Callable[[], Directory], tell: Callable[..., None]
    ) -> None:
        """`tell(call, input)`."""
        self._find, self._directory, self._tell = find, directory, tell
        self._led: set[tuple[UUID, Side]] = set()

    def __len__(self) -> int:
        """How many are in the middle of something."""
        return len(self._led)

    def pressed(self, call_id: UUID, side: Side, digit: str) -> None:
        if digit == LEAD:  # nobody tells of the end of a call that never went through our media
            self._led = {one for one in self._led if self._find(one[0]) is not None} | {(call_id, side)}
            return
        led = (call_id, side) in self._led
        self._led.discard((call_id, side))
        call = self._find(call_id)
        if not led or digit not in MEANT or call is None or not call.talked:
            return
        leg = call.caller if side == "caller" else call.callee
        extension = self._directory().extension(call.tenant, leg.number)
        wish = MEANT[digit]
        modes = ("on_demand",) if wish == "toggle" else ("on_demand", "always")
        if extension is not None and extension.media.recording in modes:
            self._tell(call_id, RecordingAsked(f"keys:{leg.id}", f"leg:{leg.id}", wish))

    def forget(self, call_id: UUID) -> None:
        """The call is over."""
        self._led -= {(call_id, "caller"), (call_id, "callee")}
