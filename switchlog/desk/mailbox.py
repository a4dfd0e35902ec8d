"""The commands about mailboxes: which messages there are, and what others than their owners' phones may do with them.

What may live here: those handlers. They run on the session's loop, as everything does that touches a mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adapters.command.local import Command, Handler
from domain.ids import shard_of_registration
from domain.mailbox.greeting import STATES
from domain.mailbox.input import Delete, Greet, Hear, Input, Renew
from domain.mailbox.mailbox import Mailbox, Message
from domain.refusal import Refusal
from domain.routing.directory import Directory
from switchlog.desk.change import changed
from switchlog.session.session import Session
from switchlog.studio.mailroom import BoxName

_CHANGES: Mapping[str, Callable[[str, str, str], Input]] = {"heard": Hear, "new": Renew, "delete": Delete}


def handlers(session: Session, directory: Callable[[], Directory]) -> Mapping[str, Handler]:
    """`mailboxes` {tenant} (those whose shards are here), `mailboxes.messages` {tenant, number}, `mailboxes.audio`
    {tenant, number, message} -> {file, key}, `mailboxes.change` {tenant, number, message, what} -> {changed}; and those
    of `_greetings`."""

    async def mailboxes(command: Command) -> list[dict[str, Any]]:
        studio, tenant = session.studio, command.args.get("tenant")
        found = []
        for name in sorted(BoxName(*key) for key in directory().boxes if tenant in (None, key[0])):
            if not _is_here(session, name):
                continue
            new, heard = (studio.counts(*name) if studio else None) or (0, 0)
            found.append({"tenant": name.tenant, "number": name.number, "new": new, "heard": heard})
        return found

    async def messages(command: Command) -> list[dict[str, Any]]:
        mailbox = _known(session, directory(), command)
        return [_shown(one) for one in mailbox.there] if mailbox is not None else []

    async def audio(command: Command) -> dict[str, str]:
        return _file(session, _message(session, directory(), command))

    async def change(command: Command) -> dict[str, Any]:
        message = _message(session, directory(), command)
        return await _told(session, command, _CHANGES[command.args["what"]](command.id, command.actor, message.id))

    return {
        "mailboxes": mailboxes,
        "mailboxes.messages": messages,
        "mailboxes.audio": audio,
        "mailboxes.change": change,
        **_greetings(session, directory),
    }


def _greetings(session: Session, directory: Callable[[], Directory]) -> Mapping[str, Handler]:
    """`mailboxes.greetings` {tenant, number}, `mailboxes.greeting` {tenant, number, greeting} -> {file, key},
    `mailboxes.greet` {tenant, number, greeting, message, file, key, sha256, duration_ms} -> {changed, message},
    `mailboxes.ungreet` {tenant, number, greeting} -> {changed}."""

    async def greetings(command: Command) -> list[dict[str, Any]]:
        mailbox = _known(session, directory(), command)
        recorded = mailbox.greetings if mailbox is not None else {}
        return [_greeting_shown(recorded[state]) for state in STATES.values() if state in recorded]

    async def greeting(command: Command) -> dict[str, str]:
        return _file(session, _greeting(session, directory(), command))

    async def greet(command: Command) -> dict[str, Any]:
        _known(session, directory(), command)
        if session.studio is None:
            raise Refusal("conflict", "there are no media here: set SWITCHLOG_MEDIA_PORTS")
        args = command.args
        key = session.studio.mailroom.seal(bytes.fromhex(args["key"]))
        about = (args["greeting"], key, args["file"], args["sha256"], args["duration_ms"])
        told = await _told(session, command, Greet(command.id, command.actor, args["message"], *about))
        return {**told, "message": args["message"]}

    async def ungreet(command: Command) -> dict[str, Any]:
        known = _greeting(session, directory(), command)
        return await _told(session, command, Delete(command.id, command.actor, known.id))

    return {
        "mailboxes.greetings": greetings,
        "mailboxes.greeting": greeting,
        "mailboxes.greet": greet,
        "mailboxes.ungreet": ungreet,
    }


async def _told(session: Session, command: Command, inp: Input) -> dict[str, bool]:
    assert session.studio is not None
    name = BoxName(command.args["tenant"], command.args["number"])
    return await changed(partial(session.studio.mailroom.handle, name, inp), _lost(name))


def _is_here(session: Session, name: BoxName) -> bool:
    return session.board.owns(shard_of_registration(*name))


def _lost(name: BoxName) -> Refusal:
    return Refusal("unavailable", f"the shard of the mailbox {name.number} is being claimed: ask again")


def _file(session: Session, message: Message) -> dict[str, str]:
    assert session.studio is not None
    return {"file": message.file, "key": session.studio.mailroom.key_of(message).hex()}


def _known(session: Session, directory: Directory, command: Command) -> Mailbox | None:
    """Raises Refusal if no such mailbox is declared, and nothing is left of one, or if its shard is not here now."""
    name = BoxName(command.args["tenant"], command.args["number"])
    if not _is_here(session, name):
        raise _lost(name)
    mailbox = session.studio.mailroom.find(name) if session.studio else None
    if mailbox is None and directory.box(*name) is None:
        raise Refusal("missing", f"there is no mailbox {name.number}", field="number")
    return mailbox


def _message(session: Session, directory: Directory, command: Command) -> Message:
    """Raises Refusal."""
    mailbox, wanted = _known(session, directory, command), command.args["message"]
    message = mailbox.messages.get(wanted) if mailbox is not None else None
    if message is None or not message.there:
        raise Refusal("missing", f"there is no message {wanted} in this mailbox", field="message")
    return message


def _greeting(session: Session, directory: Directory, command: Command) -> Message:
    """Raises Refusal."""
    mailbox, state = _known(session, directory, command), command.args["greeting"]
    known = mailbox.greetings.get(state) if mailbox is not None else None
    if known is None:
        raise Refusal("missing", f"no greeting of this mailbox is recorded for {state}", field="greeting")
    return known


def _greeting_shown(message: Message) -> dict[str, Any]:
    return {
        "greeting": message.greeting,
        "since": message.left_at,
        "duration_ms": message.duration_ms,
        "sha256": message.sha256,
    }


def _shown(message: Message) -> dict[str, Any]:
    return {
        "message": message.id,
        "number": message.number,
        "name": message.name,
        "left_at": message.left_at,
        "duration_ms": message.duration_ms,
        "sha256": message.sha256,
        "heard": message.heard,
    }
