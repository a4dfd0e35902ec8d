"""The decisions of a mailbox: input -> events, as a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from domain.base import Event, Step
from domain.mailbox.input import (
    Begin,
    Delete,
    Drop,
    Erase,
    Expire,
    GiveUpMail,
    Greet,
    Hear,
    Input,
    Keep,
    Mail,
    Renew,
)
from domain.mailbox.mailbox import Mailbox, Message
from domain.routing.directory import Box


def decide(mailbox: Mailbox | None, inp: Input, box: Box, step: Step) -> tuple[Event, ...]:
    """The events that `inp` causes; none if it means nothing now. None of a mailbox is one with nothing in it."""
    scene = _Scene(mailbox, box, step)
    if isinstance(inp, Begin):
        return _begin(scene, inp)
    if isinstance(inp, Greet):
        return _greet(scene, inp)
    message = mailbox.messages.get(inp.message) if mailbox is not None else None
    return _TURNS[type(inp)](scene, message, inp) if message is not None else ()


def fold(mailbox: Mailbox | None, events: tuple[Event, ...]) -> Mailbox | None:
    """The mailbox after `events`."""
    for event in events:
        mailbox = cast("Mailbox | None", event.mutate(mailbox))
    return mailbox


def is_full(mailbox: Mailbox | None, box: Box) -> bool:
    """Whether it takes no more messages; those that are being left count."""
    if mailbox is None:
        return False
    return sum(not one.deleted and not one.greeting for one in mailbox.messages.values()) >= box.messages


def expired(mailbox: Mailbox, box: Box, now: datetime) -> tuple[str, ...]:
    """The messages that have been kept for as long as they are to be."""
    if not box.keep_days:
        return ()
    oldest = now - timedelta(days=box.keep_days)
    return tuple(one.id for one in mailbox.there if one.left_at is not None and one.left_at <= oldest)


class _Scene:
    """What a handler reads, and the numbering of its events."""

    def __init__(self, mailbox: Mailbox | None, box: Box, step: Step) -> None:
        self.mailbox, self.box, self._step = mailbox, box, step
        self._count = 0

    def event(self, kind: Callable[..., Event], *fields: Any) -> Event:
        step = self._step
        self._count += 1
        return kind(step.stream, step.version + self._count, step.at, step.context, *fields)

    def gone(self, last: Event) -> tuple[Event, ...]:
        """`last` takes a message out: with the last one the mailbox is closed."""
        assert self.mailbox is not None
        return (last,) if len(self.mailbox.messages) > 1 else (last, self.event(Mailbox.Closed))


def _begin(scene: _Scene, inp: Begin) -> tuple[Event, ...]:
    if _is_known(scene, inp) or (not inp.greeting and is_full(scene.mailbox, scene.box)):
        return ()
    fields = inp.message, inp.number, inp.name, inp.key, inp.greeting
    return (*_opened(scene), scene.event(Mailbox.RecordingBegun, *fields))


def _greet(scene: _Scene, inp: Greet) -> tuple[Event, ...]:
    if _is_known(scene, inp):
        return ()
    opened = _opened(scene)
    begun = scene.event(Mailbox.RecordingBegun, inp.message, scene.box.number, "", inp.key, inp.greeting)
    return (*opened, begun, *_greeted(scene, inp.message, inp.greeting, inp))


def _is_known(scene: _Scene, inp: Input) -> bool:
    return scene.mailbox is not None and inp.message in scene.mailbox.messages


def _opened(scene: _Scene) -> tuple[Event, ...]:
    return () if scene.mailbox else (scene.event(Mailbox.Opened, Mailbox.TOPIC, scene.box.number),)


def _greeted(scene: _Scene, message: str, state: str, kept: Keep | Greet) -> tuple[Event, ...]:
    """The greeting of a state is another one from now on."""
    known = scene.mailbox.greetings.get(state) if scene.mailbox else None
    there = scene.event(Mailbox.GreetingKept, message, state, kept.file, kept.sha256, kept.duration_ms)
    return (there,) if known is None else (there, scene.event(Mailbox.GreetingRemoved, known.id, state, "replaced"))


def _keep(scene: _Scene, message: Message, inp: Keep) -> tuple[Event, ...]:
    if message.file:
        return ()
    if message.greeting:
        return _greeted(scene, message.id, message.greeting, inp)
    mail = bool(scene.box.email)
    return (scene.event(Mailbox.MessageLeft, message.id, inp.file, inp.sha256, inp.duration_ms, mail),)


def _drop(scene: _Scene, message: Message, inp: Drop) -> tuple[Event, ...]:
    return () if message.file else scene.gone(scene.event(Mailbox.RecordingDropped, message.id, inp.reason))


def _hear(scene: _Scene, message: Message, inp: Hear) -> tuple[Event, ...]:
    return (scene.event(Mailbox.MessageHeard, message.id),) if message.there and not message.heard else ()


def _renew(scene: _Scene, message: Message, inp: Renew) -> tuple[Event, ...]:
    return (scene.event(Mailbox.MessageRenewed, message.id),) if message.there and message.heard else ()


def _delete(scene: _Scene, message: Message, inp: Delete) -> tuple[Event, ...]:
    if message.greeting:
        removed = (Mailbox.GreetingRemoved, message.id, message.greeting, "asked")
        return (scene.event(*removed),) if message.is_kept else ()
    return (scene.event(Mailbox.MessageDeleted, message.id, "asked"),) if message.there else ()


def _expire(scene: _Scene, message: Message, inp: Expire) -> tuple[Event, ...]:
    return (scene.event(Mailbox.MessageDeleted, message.id, "expired"),) if message.there else ()


def _erase(scene: _Scene, message: Message, inp: Erase) -> tuple[Event, ...]:
    return scene.gone(scene.event(Mailbox.MessageErased, message.id)) if message.deleted else ()


def _mail(scene: _Scene, message: Message, inp: Mail) -> tuple[Event, ...]:
    return (scene.event(Mailbox.MessageMailed, message.id),) if message.mail else ()


def _give_up_mail(scene: _Scene, message: Message, inp: GiveUpMail) -> tuple[Event, ...]:
    return (scene.event(Mailbox.MailGivenUp, message.id, inp.reason),) if message.mail else ()


_TURNS: Mapping[type[Input], Callable[[_Scene, Message, Any], tuple[Event, ...]]] = {
    Keep: _keep,
    Drop: _drop,
    Hear: _hear,
    Renew: _renew,
    Delete: _delete,
    Expire: _expire,
    Erase: _erase,
    Mail: _mail,
    GiveUpMail: _give_up_mail,
}
