"""Where each device is heard from now: finds a phone again when the connection that the journal knows is gone.

What may live here: the table of live flows by device, and where a phone without one may be sought. A flow of UDP never
dies; a stream's dies with its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adapters.sip.dialog.dialog import same_host
from adapters.sip.message.uri import Uri
from domain.values import Dialog, Flow

_PORTS = {"tcp": 5060, "tls": 5061}
INSTANCES = 64
"""Of one user name on one stream: a phone says in each request which instance it is."""
STREAMS = 50_000
"""More than connections of this node. When those of other nodes end may be told by nobody: the oldest is forgotten."""


class Device(NamedTuple):
    """A phone: tenant, digest user name and RFC 5626 instance (empty if it has none)."""

    tenant: str
    username: str
    instance: str


def phone_of(tenant: str, dialog: Dialog) -> Device:
    """The phone at the other end of a dialog."""
    return Device(tenant, dialog.device, dialog.instance)


class Peers:
    """The streams on which each device proved itself, the newest last. Bounded by the number of live connections, and
    by STREAMS for those of other nodes.

    A device may keep several (RFC 5626): when one breaks, the newest of the others takes its place. `alive(flow)` says
    whether a stream connection is open.
    """

    def __init__(self, alive: Callable[[Flow], bool]) -> None:
        self._alive = alive
        self._flows: dict[Device, list[Flow]] = {}
        self._devices: dict[Flow, dict[Device, None]] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def heard(self, device: Device, flow: Flow) -> bool:
        """A device proved itself on a stream; True if it was not there before."""
        if flow.transport == "udp":
            return False
        flows = self._flows.setdefault(device, [])
        if flow in flows:
            flows.remove(flow)
            flows.append(flow)
            return False
        if not device.instance and flows:  # another phone may have the same user name: its ways are not this one's
            self._leave(device, flows.pop())
        flows.append(flow)
        devices = self._devices.setdefault(flow, {})
        devices[device] = None
        if len(self._devices) > STREAMS:
            self.closed(next(iter(self._devices)))
        same = [one for one in devices if one[:2] == device[:2]]
        if len(same) > INSTANCES:
            self._forget(same[0], flow)
            self._leave(same[0], flow)
        return True

    def closed(self, flow: Flow) -> None:
        """A stream is gone."""
        for device in self._devices.pop(flow, ()):
            self._forget(device, flow)

    def streams(self) -> tuple[Flow, ...]:
        """All of them."""
        return tuple(self._devices)

    def known(self, tenant: str, dialog: Dialog, flow: Flow) -> bool:
        """Whether a dialog's phone proved itself on this very stream."""
        if flow.transport == "udp":
            return False
        return flow == dialog.flow or flow in self._flows.get(phone_of(tenant, dialog), ())

    def _forget(self, device: Device, flow: Flow) -> None:
        flows = self._flows[device]
        flows.remove(flow)
        if not flows:
            del self._flows[device]

    def _leave(self, device: Device, flow: Flow) -> None:
        devices = self._devices[flow]
        del devices[device]
        if not devices:
            del self._devices[flow]

    def lives(self, flow: Flow) -> bool:
        """Whether a message can go by `flow` now."""
        return flow.transport == "udp" or self._alive(flow)

    def route(self, tenant: str, dialog: Dialog) -> Flow | None:
        """The flow to a dialog's phone: the journal's if it lives, else the newest on which the phone is heard."""
        if self.lives(dialog.flow):
            return dialog.flow
        flows = self._flows.get(phone_of(tenant, dialog))
        return flows[-1] if flows else None


def sought_at(dialog: Dialog) -> tuple[str, str] | None:
    """Transport and `host:port` where a phone whose stream is gone may be connected to; None if it must come itself.

    Its Contact is what it wrote, so it counts only on the host that the phone was heard from: else whoever has a
    password could have this server connect to any address inside its own network. Never below the transport that the
    phone had, never past its proxy, and not if it said that it keeps its flows by itself (`ob`, RFC 5626 5.3).
    """
    flow, uri = dialog.flow, Uri.parse(dialog.remote_target)
    transport = uri.params.get("transport") or flow.transport
    transport = transport.lower()
    if dialog.routes or "ob" in uri.params or transport not in _PORTS or flow.transport == "udp":
        return None
    if flow.transport == "tls" and transport != "tls":
        return None
    host = flow.remote.rpartition(":")[0]
    return (transport, f"{host}:{uri.port or _PORTS[transport]}") if same_host(uri.host, host) else None
