"""What a file declares of a mailbox."""

from __future__ import annotations

import re

import msgspec

from domain.document import Item
from domain.letterbox import DEFAULT_KEEP_DAYS, DEFAULT_MESSAGE_S, DEFAULT_MESSAGES, Wanted
from domain.word import has_pin, language, line, match, number, pin

_MAILBOX = frozenset(
    {"number", "pin", "has_pin", "pinless", "language", "greetings", "message_s", "messages", "keep_days", "email"}
)
_STATES = ("busy", "away", "none")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
MAX_GREETING = 500
MOST_MESSAGE_S, MOST_MESSAGES, MOST_KEEP_DAYS = 3600, 10_000, 3650


class MailboxDeclaration(msgspec.Struct, frozen=True):
    """A mailbox. A PIN is digits, empty for none from now on, or None = as it is; `wanted` is all else.

    `kept` says that it has to have a PIN already: an export says of it no more than that.
    """

    place: Item
    number: str
    pin: str | None
    kept: bool
    wanted: Wanted


def mailbox(item: Item) -> MailboxDeclaration:
    """Raises Refusal with line and field."""
    fields = item.mapping(_MAILBOX)
    pinless, email = fields.get("pinless"), fields.get("email")
    message_s, messages, keep = fields.get("message_s"), fields.get("messages"), fields.get("keep_days")
    wanted = Wanted(
        pinless=pinless.truth() if pinless else False,
        language=language(fields.get("language")),
        greetings=_greetings(fields.get("greetings")),
        message_s=message_s.whole(1, MOST_MESSAGE_S) if message_s else DEFAULT_MESSAGE_S,
        messages=messages.whole(1, MOST_MESSAGES) if messages else DEFAULT_MESSAGES,
        keep_days=keep.whole(0, MOST_KEEP_DAYS) if keep else DEFAULT_KEEP_DAYS,
        email=match(email, _EMAIL, "an e-mail address") if email and not email.is_nothing else "",
    )
    kept = has_pin(fields, "pin")
    return MailboxDeclaration(item, number(fields.need("number")), pin(fields.get("pin")), kept, wanted)


def _greetings(item: Item | None) -> dict[str, str]:
    """Texts by state; `null` is none but the tone."""
    if item is None:
        return {}
    named = item.mapping(frozenset(_STATES))
    return {name: "" if value.is_nothing else line(value, MAX_GREETING) for name, value in named}
