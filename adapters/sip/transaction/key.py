"""The names of transactions: how a message finds its own (RFC 3261 17.1.3 and 17.2.3).

What may live here: keys as pure functions of a message. No state.
"""

from __future__ import annotations

from typing import NamedTuple

from adapters.sip.message.header import NameAddr, Via
from adapters.sip.message.message import Request
from domain.values import Transaction

MAGIC_COOKIE = "z9hG4bK"


class ClientKey(NamedTuple):
    """A transaction of ours: the branch that we put in the top Via, and the method of its CSeq (17.1.3)."""

    branch: str
    method: str


class ServerKey(NamedTuple):
    """A transaction of a peer's: its branch, its method (INVITE for an ACK), its Via's sent-by (17.2.3)."""

    branch: str
    method: str
    sent_by: str


Key = ClientKey | ServerKey


def server_key(request: Request, method: str) -> ServerKey:
    """The transaction that a request belongs to; `method` is INVITE to find that of an ACK or a CANCEL."""
    via = request.via
    branch = via.branch
    if not branch.startswith(MAGIC_COOKIE):
        branch = _old_branch(request.call_id, request.from_.tag, request.cseq.number, branch)
    return ServerKey(branch, method, _sent_by(via))


def restored_key(transaction: Transaction) -> ServerKey:
    """The same key from what the journal keeps of a request."""
    via = Via.parse(transaction.vias[0])
    branch = via.branch
    if not branch.startswith(MAGIC_COOKIE):
        from_tag = NameAddr.parse(transaction.from_).tag
        branch = _old_branch(transaction.call_id, from_tag, transaction.cseq, branch)
    return ServerKey(branch, transaction.method, _sent_by(via))


def _sent_by(via: Via) -> str:
    return f"{via.host}:{via.port or ''}".lower()


def _old_branch(call_id: str, from_tag: str, cseq: int, branch: str) -> str:
    """What stands for the branch of a peer that follows RFC 2543, which need not be unique or there at all."""
    return f"2543 {call_id} {from_tag} {cseq} {branch}"


def written_branch(key: ServerKey) -> str:
    """The branch as the peer wrote it."""
    return key.branch.rpartition(" ")[2]


def as_client(key: Key) -> ClientKey:
    """The key of a transaction that is known to be ours."""
    assert isinstance(key, ClientKey)
    return key


def as_server(key: Key) -> ServerKey:
    """The key of a transaction that is known to be a peer's."""
    assert isinstance(key, ServerKey)
    return key
