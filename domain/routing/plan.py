"""A route plan: what to do with a call, as data that can be stored, shown, compared and replayed."""

from __future__ import annotations

import msgspec

from domain.values import Cause


class RoutePlan(msgspec.Struct, frozen=True):
    """Ring `extension` for `ring_s` seconds, or join the conference of `room`, or hear one's messages at `messages`, or
    refuse with `refusal`. Where nobody answers, or there is no extension, a message is left in `mailbox`, if any.

    `rule` names the rule that won, `evidence` why, `version` the directory that it was decided on.
    """

    rule: str
    evidence: str
    version: int
    extension: str = ""
    ring_s: int = 0
    refusal: Cause | None = None
    room: str = ""
    mailbox: str = ""
    messages: str = ""
