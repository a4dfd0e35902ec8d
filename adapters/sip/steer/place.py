"""Which shard a message belongs to, by what it says: our identifiers name their shards, the others are hashed.

What may live here: that reading. Who owns the shard is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request
from adapters.sip.request import translate
from adapters.sip.request.home import home_of
from adapters.sip.request.subscription import shard_of_subscribe
from adapters.sip.transaction.key import ServerKey, server_key
from domain.ids import call_of_leg, shard_of, shard_of_registration
from domain.switchboard import Switchboard

_OF_AN_OFFER = frozenset({"INVITE", "ACK", "CANCEL"})


class Places:
    """`lives(key)` says whether a transaction of a peer's is under way here."""

    def __init__(
        self, identifiers: SipIdentifiers, switchboard: Switchboard, lives: Callable[[ServerKey], bool]
    ) -> None:
        self._identifiers, self._switchboard, self._lives = identifiers, switchboard, lives

    def of_request(self, request: Request) -> int | None:
        """None: it is served wherever it comes to, or cannot be read far enough to tell."""
        try:
            if request.method == "REGISTER":
                return self._of_register(request)
            if request.method == "SUBSCRIBE":
                return shard_of_subscribe(request, self._switchboard.directory, self._identifiers)
            leg = self._identifiers.leg_of_tag(request.to.tag)
            if leg is not None:
                return shard_of(call_of_leg(leg))
            return self._of_offer(request) if request.method in _OF_AN_OFFER else None
        except (MessageError, NotAllowed):
            return None

    def of_branch(self, branch: str) -> int | None:
        """Of the answer to a request of a call; None if the branch is no leg's."""
        named = self._identifiers.read_branch(branch)
        return shard_of(call_of_leg(named.leg)) if named is not None else None

    def _of_register(self, request: Request) -> int | None:
        directory = self._switchboard.directory
        tenant, _ = translate.tenant_of(request, directory)
        user = translate.number_of(request.to.uri)
        extension = directory.extension(tenant, user) or directory.extension_of(tenant, user)
        return shard_of_registration(tenant, extension.number) if extension is not None else None

    def _of_offer(self, request: Request) -> int | None:
        """An INVITE that begins a call, and what follows on it before the phone knows our tag."""
        branch = request.via.branch
        if self._lives(server_key(request, "INVITE")) or self._switchboard.find_offers(branch):
            return None
        left = self._switchboard.left(branch)
        return left if left is not None else home_of(request, self._switchboard)
