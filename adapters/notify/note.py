"""What a mail about a message tells, and what becomes of it.

What may live here: what those know who have mails sent; they load nothing that speaks to a server.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class MailError(Exception):
    """The mail server did not take it now; perhaps it does later."""


class MailRefused(Exception):
    """The mail server does not take it and will not."""


class Note(NamedTuple):
    """What a mail tells: the mailbox, who left the message, and when; `message` names it."""

    to: str
    mailbox: str
    number: str
    name: str
    left_at: datetime
    timezone: str
    duration_ms: int
    message: str
