"""Where the phones of dialogs are that have moved over UDP: a leg's requests follow its phone, and nothing else does.

What may live here: the table of moves by leg, which is one of a call, or a subscription's. A move is of one dialog that
stands at one flow, so it can lead no other one astray, and is worth nothing once that is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adapters.sip.dialog.peer import Device, Peers, phone_of
from domain.values import Dialog, Flow

_FEW = 64


class Place(NamedTuple):
    """Where a phone has proved itself: what it sent came from `source`, and what it is sent goes to `flow`."""

    source: Flow
    flow: Flow


class Moves:
    """The moves of legs. `lives(leg)` says whether a leg's dialog is still known; only theirs are kept."""

    def __init__(self, peers: Peers, lives: Callable[[str], bool]) -> None:
        self._peers, self._lives = peers, lives
        self._places: dict[Device, dict[tuple[str, Flow], Place]] = {}
        self._size, self._limit = 0, _FEW

    def __len__(self) -> int:
        return self._size

    def place(self, tenant: str, leg: str, dialog: Dialog) -> Place | None:
        """Where the phone of a leg has proved itself since its dialog was made."""
        if not self._places:
            return None
        return self._places.get(phone_of(tenant, dialog), {}).get((leg, dialog.flow))

    def route(self, tenant: str, leg: str, dialog: Dialog) -> Flow | None:
        """The flow to a leg's phone, None if there is none at the moment.

        What opens a dialog goes where the binding says, and what has a route set to its first proxy.
        """
        if dialog.flow.transport == "udp" and dialog.remote_tag and not dialog.routes:
            place = self.place(tenant, leg, dialog)
            if place is not None and place.flow.transport == "udp":
                return place.flow
        return self._peers.route(tenant, dialog)

    def moved(self, tenant: str, leg: str, dialog: Dialog, place: Place) -> None:
        """A leg's phone has proved itself at `place`."""
        places = self._places.setdefault(phone_of(tenant, dialog), {})
        self._size += (leg, dialog.flow) not in places
        places[leg, dialog.flow] = place
        if self._size > self._limit:
            self._sweep()

    def back(self, phone: Device, flow: Flow) -> None:
        """A phone has proved that it is reached by `flow`: its dialogs that began there are there again."""
        places = self._places.get(phone)
        if places is None:
            return
        for key in [key for key in places if key[1] == flow]:
            del places[key]
            self._size -= 1
        if not places:
            del self._places[phone]

    def _sweep(self) -> None:
        """Forget the moves of calls that are forgotten: at each doubling, so that it costs nothing on the whole."""
        alive = {
            phone: {key: place for key, place in places.items() if self._lives(key[0])}
            for phone, places in self._places.items()
        }
        self._places = {phone: places for phone, places in alive.items() if places}
        self._size = sum(map(len, self._places.values()))
        self._limit = max(_FEW, 2 * self._size)
