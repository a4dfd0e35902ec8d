"""The commands about mailboxes: which messages there are, and what others than their owners' phones may do with them.

What may live here: those handlers. They run on the session's loop, as everything does that touches a mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adapters.command.local import Command, Handler
from domain.mailbox.input import Delete, Hear, Input, Renew
from domain.mailbox.mailbox import Mailbox, Message
from domain.refusal import Refusal
from domain.routing.directory import Directory
from switchlog.desk.change import changed
from switchlog.session.session import Session
from switchlog.studio.mailroom import BoxName

_CHANGES: Mapping[str, Callable[[str, str, str], Input]] = {"heard": Hear, "new": Renew, "delete": Delete}


def handlers(session: Session, directory: Callable[[], Directory]) -> Mapping[str, Handler]:
    """`mailboxes` {tenant}, `mailboxes.messages` {tenant, number}, `mailboxes.audio` {tenant, number, message} ->
    {file, key}, `mailboxes.change` {tenant, number, message, what} -> {changed}."""

    async def mailboxes(command: Command) -> list[dict[str, Any]]:
        studio, tenant = session.studio, command.args.get("tenant")
        found = []
        for name in sorted(BoxName(*key) for key in directory().boxes if tenant in (None, key[0])):
            new, heard = (studio.counts(*name) if studio else None) or (0, 0)
            found.append({"tenant": name.tenant, "number": name.number, "new": new, "heard": heard})
        return found

    async def messages(command: Command) -> list[dict[str, Any]]:
        mailbox = _known(session, directory(), command)
        return [_shown(one) for one in mailbox.there] if mailbox is not None else []

    async def audio(command: Command) -> dict[str, str]:
        message = _message(session, directory(), command)
        assert session.studio is not None
        return {"file": message.file, "key": session.studio.mailroom.key_of(message).hex()}

    async def change(command: Command) -> dict[str, Any]:
        message = _message(session, directory(), command)
        assert session.studio is not None
        args = command.args
        inp = _CHANGES[args["what"]](command.id, command.actor, message.id)
        lost = Refusal("unavailable", f"the shard of the mailbox {args['number']} is being claimed: ask again")
        name = BoxName(args["tenant"], args["number"])
        return await changed(partial(session.studio.mailroom.handle, name, inp), lost)

    return {
        "mailboxes": mailboxes,
        "mailboxes.messages": messages,
        "mailboxes.audio": audio,
        "mailboxes.change": change,
    }


def _known(session: Session, directory: Directory, command: Command) -> Mailbox | None:
    """Raises Refusal if no such mailbox is declared, and nothing is left of one."""
    name = BoxName(command.args["tenant"], command.args["number"])
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
