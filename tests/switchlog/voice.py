"""A mailbox and those who call for it, in memory: its media, and what callers do there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from adapters.sip.message.message import Response
from domain.mailbox.mailbox import Mailbox
from domain.routing.directory import Box, Directory
from media.container import contain
from media.track import Track
from media.wire import Context, PlayDone, Record, RecordClosed
from switchlog.studio.mailroom import BoxName
from tests.domain.world import directory
from tests.switchlog.exchange import Exchange
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import ALICE, Phone

BOX = Box("acme", "1002", pin="sealed.1234", message_s=30, keep_days=7)
NAME = BoxName("acme", "1002")
SAID = np.arange(8000 * 3, dtype=np.int16).tobytes()


def boxed() -> Directory:
    """1002 has a mailbox with the PIN 4321; *97 is dialled for its messages."""
    known = directory()
    tenants = {**known.tenants, "acme": msgspec.structs.replace(known.tenants["acme"], voicemail="*97")}

    return msgspec.structs.replace(known, tenants=tenants, boxes={NAME: BOX})


class Worker(RememberedRooms):
    """A media worker in which a test lets sounds end, and that writes what is recorded."""

    def context(self) -> Context:
        """The one that there is."""
        (put,) = self.has.values()
        return put.desired

    def playing(self) -> str:
        """What is heard; empty for nothing."""
        (leg,) = self.context().legs
        return leg.plays[0].source if leg.plays else ""

    def end_sound(self) -> None:
        (name,) = self.has
        (leg,) = self.context().legs
        self.say(PlayDone(name, leg.id, leg.plays[0].id))

    def write(self, data: bytes) -> Record:
        """So much is recorded by now."""
        (record,) = self.context().records
        container = contain(Path(record.path), Track(8000, 1), record.key)
        container.append(data)
        container.abandon()
        return record

    def close(self, record: Record, context: str) -> None:
        self.say(RecordClosed(context, record.id, record.path, "", 0))


def dialled(exchange: Exchange, number: str, caller: str = "1001", address: str = ALICE) -> tuple[Phone, Response]:
    phone = Phone(exchange, caller, address)
    phone.cseq = len(exchange.wire)  # behind what it has sent before
    phone.register()
    phone.invite(number, call_id=f"{caller}-{number}-{phone.cseq}")
    answered = exchange.last(address)
    assert isinstance(answered, Response)
    assert answered.status == 200, answered.reason
    phone.within(answered, "ACK")
    return phone, answered


def leave(exchange: Exchange, worker: Worker) -> None:
    """A message of three seconds."""
    phone, answered = dialled(exchange, "1002")
    worker.end_sound()
    worker.end_sound()
    (name,) = worker.has
    record = worker.write(SAID)
    phone.within(answered, "BYE")
    worker.close(record, name)
    exchange.deliver()


def mailbox(exchange: Exchange) -> Mailbox | None:
    assert exchange.studio is not None
    return exchange.studio.mailroom.find(NAME)


def types(exchange: Exchange) -> list[str]:
    return [one.record.type.split(".")[1] for one in exchange.journal.stored if one.record.category == "mailboxes"]
