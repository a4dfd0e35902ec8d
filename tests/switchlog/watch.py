"""Phones that subscribe to how many messages there are, in memory, and what happens at the mailbox."""

from __future__ import annotations

import msgspec

from adapters.sip.message.message import Request, Response
from domain.ids import shard_of_registration
from domain.mailbox.input import Begin, Delete, Hear, Keep
from domain.routing.directory import Box, Directory
from domain.subscription.subscription import Subscription
from switchlog.studio.clerk import Clerk
from switchlog.studio.mailroom import BoxName
from tests.domain.world import directory
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import Phone

NAME = BoxName("acme", "1002")
DESK = "127.0.0.1:6003"
SHARD = shard_of_registration(*NAME)


def boxed() -> Directory:
    """1002 has a mailbox; 1500 is one of nobody's; *97 is dialled for messages."""
    known = directory()
    tenants = {**known.tenants, "acme": msgspec.structs.replace(known.tenants["acme"], voicemail="*97")}
    boxes = {("acme", number): Box("acme", number) for number in ("1002", "1500")}
    return msgspec.structs.replace(known, tenants=tenants, boxes=boxes)


class Watch(Phone):
    """A phone that subscribes. `subscribed` is the 200 that it got last."""

    subscribed: Response

    def subscribe(
        self,
        to: str = "",
        expires_s: int | None = 600,
        within: bool = False,
        event: str = "message-summary",
        call_id: str = "",
        extra: str = "",
        tag: str = "w",
    ) -> Response:
        """Its answer; what comes with it is left for `told`."""
        uri, dialog = f"sip:{to or self.number}@{self.domain}", f"<sip:{to or self.number}@{self.domain}>"
        if within:
            uri = (self.subscribed.get("Contact") or "").strip("<>")
            dialog = self.subscribed.get("To") or ""
        expires = "" if expires_s is None else f"\nExpires: {expires_s}"
        call_id = call_id or f"sub-{self.address}"

        def send(credentials: str) -> None:
            self.cseq += 1
            self._send(
                f"SUBSCRIBE {uri} SIP/2.0\nVia: SIP/2.0/UDP {self.address};branch=z9hG4bKs{self.number}{self.cseq}\n"
                f"From: <sip:{self.number}@{self.domain}>;tag={tag}\nTo: {dialog}\nCall-ID: {call_id}\n"
                f"CSeq: {self.cseq} SUBSCRIBE\nContact: <sip:{self.number}@{self.address}>\n"
                f"Event: {event}{expires}{extra}{credentials}"
            )

        authorized(self.exchange, self.address, self.number, send, uri)
        taken = self.exchange.take(self.address)
        self.exchange.sent.setdefault(self.address, []).extend(one for one in taken if isinstance(one, Request))
        (answer,) = (one for one in taken if isinstance(one, Response))
        if answer.status == 200:
            self.subscribed = answer
        return answer

    def notified(self) -> list[Request]:
        """The NOTIFYs since the last look, each once however often it was repeated."""
        taken = self.exchange.take(self.address)
        told = [one for one in taken if isinstance(one, Request) and one.method == "NOTIFY"]
        return list({one.via.branch: one for one in told}.values())

    def told(self, status: int = 200) -> list[tuple[str, str]]:
        """(Subscription-State, Voice-Message) of each NOTIFY since the last look; all are answered so."""
        told = []
        while new := self.notified():
            for one in new:
                told.append((one.get("Subscription-State") or "", _waiting(one)))
                self.reply(one, status)
        return told


def _waiting(notify: Request) -> str:
    return notify.body.decode().split("Voice-Message: ")[1].split(" ")[0]


def again_with(before: Exchange, clerk: Clerk) -> Exchange:
    """After `kill -9`, a second later."""
    return Exchange(before.journal, 2, before.clock_s + 1, media=RememberedRooms(), directory=boxed, clerk=clerk)


def put(exchange: Exchange, message: str = "m") -> None:
    """Somebody leaves a message."""
    assert exchange.studio is not None
    room = exchange.studio.mailroom
    room.handle(NAME, Begin("c", "a", message, "1001", "Alice", "sealed"))
    room.handle(NAME, Keep("c", "a", message, "acme/voicemail/m", "00", 2000))
    exchange.deliver()


def change(exchange: Exchange, how: type[Hear] | type[Delete], message: str = "m") -> None:
    assert exchange.studio is not None
    exchange.studio.mailroom.handle(NAME, how("c", "a", message))
    exchange.deliver()


def subscriptions(exchange: Exchange) -> list[Subscription]:
    return list(exchange.subscribers.all())


def types(exchange: Exchange) -> list[str]:
    return [one.record.type.split(".")[1] for one in exchange.journal.stored if one.record.category == "subscriptions"]
