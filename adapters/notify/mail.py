"""Mails about messages, by `aiosmtplib`.

What may live here: what such a mail looks like, how it is given to a mail server, and what that server's answers mean.
What a mail says is logged nowhere, nor who gets it.
"""

from __future__ import annotations

import asyncio
import re
from email.message import EmailMessage
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import aiosmtplib

from adapters.notify.address import MailServer
from adapters.notify.note import MailError, MailRefused, Note

_TIMEOUT_S = 30.0
_UNSAFE = re.compile(r"[^ -~\u00a0-\u2027\u2030-\ud7ff\ue000-\uffff]")
"""Also what ends a line or turns its direction around in Unicode (U+2028 to U+202E)."""


class Mailer:
    """Of several threads."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def send(self, note: Note, wave: bytes) -> None:
        """Give the mail to the server. Blocks. Raises MailError and MailRefused.

        Sent again after a doubt, it has the same Message-ID: who gets it twice can tell.
        """
        asyncio.run(self._send(written(note, wave, self._server.sender)))

    async def _send(self, mail: EmailMessage) -> None:
        server = self._server
        try:
            await aiosmtplib.send(
                mail,
                hostname=server.host,
                port=server.port,
                username=server.user or None,
                password=server.password or None,
                use_tls=server.tls,
                # A password is never told in the clear; else what the server offers is good enough.
                start_tls=True if server.user and not server.tls else None,
                timeout=_TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failed(max((one.code for one in error.recipients), default=0)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _failed(error.code) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailError(f"{server.host}:{server.port} takes no mail: {type(error).__name__}") from None


def written(note: Note, wave: bytes, sender: str) -> EmailMessage:
    """The mail about a message, with its WAV."""
    mail = EmailMessage()
    who = f"{_clean(note.name)} ({note.number})" if note.name and note.name != note.number else note.number
    at = note.left_at.astimezone(ZoneInfo(note.timezone))
    length = f"{note.duration_ms // 60_000}:{note.duration_ms // 1000 % 60:02}"
    mail["Subject"] = f"Voicemail from {who}, {length}"
    mail["From"] = sender
    mail["To"] = note.to
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{note.message}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of a machine is wanted
    mail.set_content(
        f"{who} left a message of {length} for {note.mailbox} on {at:%Y-%m-%d at %H:%M} ({note.timezone}).\n"
    )
    name = f"voicemail-{at:%Y%m%d-%H%M%S}.wav"
    mail.add_attachment(wave, maintype="audio", subtype="wav", filename=name)
    return mail


def _clean(name: str) -> str:
    """Names come from phones: nothing that ends a line."""
    return _UNSAFE.sub("", name)[:100]


def _failed(code: int) -> MailError | MailRefused:
    """RFC 5321 4.2.1: a 5 is for ever, but for who we are (530, 535): that is a setting to be mended."""
    if 500 <= code < 600 and code not in (530, 534, 535, 538):
        return MailRefused(f"the mail server refuses it with {code}")
    return MailError(f"the mail server answers {code}")
