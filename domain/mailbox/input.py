"""What can happen to a mailbox, in words of no protocol; `turn` decides on them."""

from __future__ import annotations

import msgspec


class Input(msgspec.Struct, frozen=True):
    """Something that happened or is wanted to a message. `cause` identifies it, `actor` is who stands behind it."""

    cause: str
    actor: str
    message: str


class Begin(Input, frozen=True):
    """A caller begins to speak: its number and name, and the sealed key of what is recorded.

    With a `greeting` (`busy`, `away`, `none`) it is that of the mailbox in this state.
    """

    number: str
    name: str
    key: str
    greeting: str = ""


class Keep(Input, frozen=True):
    """What was recorded is in the storage under the name `file`."""

    file: str
    sha256: str
    duration_ms: int


class Greet(Input, frozen=True):
    """A greeting that was recorded elsewhere is in the storage, sealed with this key, which is sealed itself."""

    greeting: str
    key: str
    file: str
    sha256: str
    duration_ms: int


class Drop(Input, frozen=True):
    """Nothing that is worth keeping was recorded, or it is lost."""

    reason: str


class Hear(Input, frozen=True):
    """Somebody heard it."""


class Renew(Input, frozen=True):
    """It is to be new again."""


class Delete(Input, frozen=True):
    """It is not wanted any more."""


class Expire(Input, frozen=True):
    """It was kept for as long as it is to be."""


class Erase(Input, frozen=True):
    """Its file is gone from the storage."""


class Mail(Input, frozen=True):
    """A mail server took the mail about it."""


class GiveUpMail(Input, frozen=True):
    """The mail about it cannot be sent."""

    reason: str
