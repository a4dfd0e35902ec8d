"""What the application is built from, and its two clocks.

What may live here: those names. No behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from adapters.sip.application.perform import Performer
from adapters.sip.dialog.dialog import Addresses
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.dialog.moves import Moves
from adapters.sip.dialog.peer import Device, Peers
from adapters.sip.digest.challenge import Challenger
from adapters.sip.gate.gate import Unwitnessed, Witness
from adapters.sip.transaction.layer import TransactionLayer
from domain.call.call import Call
from domain.ports import Credentials, Sealer
from domain.subscription.port import Subscriptions
from domain.switchboard import Switchboard


class Now(NamedTuple):
    """One moment on two clocks: `monotonic` seconds for protocol timers, `utc` for events."""

    monotonic: float
    utc: datetime


def no_keys(call: Call, leg: str, digit: str) -> None:
    """Without media of our own nobody presses keys for us."""


def no_mailbox(tenant: str, number: str) -> tuple[int, int] | None:
    """Nobody has one."""
    return None


class Parts(NamedTuple):
    """What the application is built from."""

    layer: TransactionLayer
    switchboard: Switchboard
    subscriptions: Subscriptions
    identifiers: SipIdentifiers
    performer: Performer
    peers: Peers
    moves: Moves
    addresses: Addresses
    challenger: Challenger
    credentials: Credentials
    sealer: Sealer
    new_call: Callable[[int, datetime], UUID]
    """(shard, now) -> the id of a new call there"""
    clock: Callable[[], Now]
    """Only for what happens after durability, when no message brings its time along."""
    device_back: Callable[[Device], None]
    """A device is heard on another stream than before: what is owed to it can be said now."""
    witness: Witness = Unwitnessed()
    """Told who proved itself and who failed, for the budgets of sources."""
    pressed: Callable[[Call, str, str], None] = no_keys
    """(call, leg, key): a leg's phone says that this was pressed."""
    counts: Callable[[str, str], tuple[int, int] | None] = no_mailbox
    """(tenant, number) -> how many messages there are: new ones, and those that were heard; None without a mailbox"""
