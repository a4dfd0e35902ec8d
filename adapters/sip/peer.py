"""Where each device is heard from now: finds a phone again when the connection that the journal knows is gone.

What may live here: the table of live flows by device. A flow of UDP never dies; a stream's dies with its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from domain.values import Dialog, Flow


class Device(NamedTuple):
    """A phone: tenant, digest user name and RFC 5626 instance (empty if it has none)."""

    tenant: str
    username: str
    instance: str


class Peers:
    """The last stream on which each device proved itself. Bounded by the number of live connections.

    `alive(flow)` says whether a stream connection is open.
    """

    def __init__(self, alive: Callable[[Flow], bool]) -> None:
        self._alive = alive
        self._flows: dict[Device, Flow] = {}
        self._devices: dict[Flow, set[Device]] = {}

    def heard(self, device: Device, flow: Flow) -> bool:
        """A device proved itself on a stream; True if it was not there before."""
        if flow.transport == "udp" or self._flows.get(device) == flow:
            return False
        self._forget(device)
        self._flows[device] = flow
        self._devices.setdefault(flow, set()).add(device)
        return True

    def closed(self, flow: Flow) -> None:
        """A stream is gone."""
        for device in tuple(self._devices.get(flow, ())):
            self._forget(device)

    def lives(self, flow: Flow) -> bool:
        """Whether a message can go by `flow` now."""
        return flow.transport == "udp" or self._alive(flow)

    def route(self, tenant: str, dialog: Dialog) -> Flow | None:
        """The flow to a dialog's phone: the journal's if it lives, else the one on which the phone came back."""
        if self.lives(dialog.flow):
            return dialog.flow
        return self._flows.get(Device(tenant, dialog.device, dialog.instance))

    def _forget(self, device: Device) -> None:
        flow = self._flows.pop(device, None)
        if flow is None:
            return
        devices = self._devices[flow]
        devices.discard(device)
        if not devices:
            del self._devices[flow]
