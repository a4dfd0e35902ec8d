"""Where the next page of a list begins, newest first: when the last item began, and which it is, as an opaque word."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from domain.refusal import Refusal

_encode = msgspec.json.Encoder().encode
_Place = TypeVar("_Place")


def write_page(started_at: datetime, name: Any) -> str:
    """The word for the page after this item."""
    return base64.urlsafe_b64encode(_encode((started_at, name))).decode()


def read_page(text: str, decode: Callable[[bytes], _Place]) -> _Place:
    """What was written, by the decoder of its type. Raises Refusal."""
    try:
        return decode(base64.b64decode(text, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise Refusal("invalid", "cursor must be the `next` of the page before", field="cursor") from None
