"""Settings that name places with a secret of their own: what they must be together.

What may live here: those rules. Each raises ValueError with the name of the variable.
"""

from __future__ import annotations

from adapters.notify.address import parse as mail_server
from adapters.storage.address import LOOKS_LIKE, is_bucket
from adapters.storage.address import parse as bucket

_PREFIX = "SWITCHLOG_"


def check_storage(storage: str, secret: str) -> None:
    if is_bucket(storage):
        try:
            bucket(storage, secret)
        except ValueError as error:
            raise ValueError(f"{_PREFIX}STORAGE: {error}") from None
    elif "://" in storage:
        raise ValueError(f"{_PREFIX}STORAGE is neither a folder nor {LOOKS_LIKE}")
    elif secret:
        raise ValueError(f"{_PREFIX}STORAGE_SECRET needs {_PREFIX}STORAGE=s3://KEY@bucket: a folder has none")


def check_mail(server: str, password: str, sender: str) -> None:
    if not server:
        if password or sender:
            raise ValueError(f"{_PREFIX}SMTP_PASSWORD and {_PREFIX}SMTP_FROM need {_PREFIX}SMTP")
        return
    if "@" not in sender:
        raise ValueError(f"{_PREFIX}SMTP needs {_PREFIX}SMTP_FROM: the address that mails come from")
    try:
        mail_server(server, password, sender)
    except ValueError as error:
        raise ValueError(f"{_PREFIX}SMTP: {error}") from None
