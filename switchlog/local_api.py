"""Where a server on this machine is, and a key to it: `api.json` in the data folder, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

NAME = "api.json"


class LocalApi(msgspec.Struct, frozen=True):
    """The address of the HTTP API and an operator key that holds as long as this server runs."""

    url: str
    key: str


def new_key() -> str:
    """A key for one run of the server."""
    return f"switchlog_local_{secrets.token_urlsafe(32)}"


def write(data: Path, url: str, key: str) -> None:
    """Replace the file in one step. Raises OSError."""
    draft = data / f"{NAME}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(LocalApi(url, key)))
    draft.replace(data / NAME)


def read(data: Path) -> LocalApi | None:
    """None if there is no such file, or none that can be read."""
    try:
        return msgspec.json.decode((data / NAME).read_bytes(), type=LocalApi)
    except (OSError, msgspec.DecodeError):
        return None
