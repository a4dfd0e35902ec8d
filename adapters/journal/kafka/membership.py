"""This node's place in the group of all nodes: who is alive, and who should try for which shard.

The brokers' consumer groups do that for us: a member that they have not heard for a while is given up, and the others
share out anew. A node is a static member by its name, so one that is started again at once has its place still. It
reads nothing by this membership.

What may live here: a thread that is the member, and what it tells. What a member is told is no right to write: that
gives a claim in the log (`claim`). All is told on threads of the library and of this module.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Event, Thread
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, errors  # type: ignore[import-untyped]
from kafka.admin import MemberToRemove  # type: ignore[import-untyped]
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.assignor import SUBSCRIBED, NodesAssignor, shards_of
from adapters.journal.kafka.client import CLIENT_ERRORS, open_client
from adapters.journal.kafka.failure import explain
from adapters.journal.kafka.topic import TOPICS
from domain.node import Neighbour
from domain.ports import JournalAway, JournalError

_log = logging.getLogger(__name__)

GROUP = "nodes"
TIMEOUTS_S = (3.0, 6.0)
"""After so long without a word a node is given up; the second where the brokers do not allow the first."""
RELEASE_S = 8.0
"""So long the group waits for a node that gives shards back."""
_REBALANCE_S = 12.0
"""So long it waits for a node that is alive and does not come to a sharing: more than giving back takes."""
_POLL_MS = 100
_PAUSE_S = 0.2
_LOOK_S = 0.005
_BEATS = 10
"""Heartbeats in the time after which a node is given up."""
_DEAF = 3
"""After so many of these times without an answer to one it joins anew: the library may have come to a stop."""
_SHARING_S = _REBALANCE_S + 3.0
"""The same while shards are shared out: by then the brokers have shared out among those who came."""
_CLOSE_MS = 2_000


class Told(Protocol):
    """What a member tells. Called on other threads, one call at a time but for `heard`; must not block."""

    def allotted(self, shards: frozenset[int], neighbours: tuple[Neighbour, ...]) -> None:
        """The group's word: exactly these shards are this node's, exactly these nodes (this one too) are alive."""

    def revoked(self, shards: frozenset[int]) -> Future[None]:
        """These are to go to others, who wait (`RELEASE_S` at most) until the future is done."""

    def expelled(self) -> None:
        """The group has given this node up: all its shards may be others' by now."""

    def heard(self, until: float) -> None:
        """The group has heard this node and will not give it up before then (`time.monotonic`)."""

    def failed(self, error: JournalError) -> None:
        """It cannot be a member until somebody changes something; it ends here."""


class Membership:
    """`me` is how this node introduces itself; `timeouts_s` are tried in their order until the brokers take one.

    From construction on it tries to join, for as long as brokers are away.
    """

    def __init__(self, address: Address, me: Neighbour, told: Told, timeouts_s: Sequence[float] = TIMEOUTS_S) -> None:
        self._address, self._name, self._told, self._timeouts_s = address, me.name, told, list(timeouts_s)
        self.group = f"{address.prefix}.{GROUP}"
        self._assignor = NodesAssignor(address.prefix, me, self._allotted)
        self._listener = _Listener(self)
        self._consumer: Any = None
        self._member = ""
        """who it was in the group when it was allotted what it has; empty if it has nothing"""
        self._answered = 0.0
        """when the group last answered, or the consumer was made"""
        self._until = 0.0
        """until then it has not given this node up"""
        self._stop = Event()
        self._thread = Thread(target=self._run, name="membership", daemon=True)
        self._thread.start()

    def introduce(self, me: Neighbour) -> None:
        """Tell all nodes what has changed about this one; its name stays. The shards are shared out anew."""
        self._assignor.introduce(me)

    def close(self, leave: bool) -> None:
        """End the membership; blocks. With `leave` the others share out at once, else when this node's time is over:
        for one that will be back before that."""
        self._stop.set()
        self._thread.join()
        if leave:
            self._leave()

    # --- the thread

    def _run(self) -> None:
        away = False
        while not self._stop.is_set():
            try:
                if self._consumer is None:
                    self._consumer = self._open()
                self._turn()
                away = False
            except (errors.KafkaError, OSError, JournalError) as error:
                if self._shorter_is_refused(error):
                    continue
                known = self._named(error)
                if not isinstance(known, JournalAway):
                    self._told.failed(known)
                    break
                if not away:
                    _log.warning("the group of nodes cannot be reached: %s", known)
                away = True
                self._stop.wait(_PAUSE_S)
            except Exception:  # noqa: BLE001  boundary: else this node would say nothing ever again, and not end either
                if not away:
                    _log.exception("the group of nodes is joined anew after a fault; report these lines")
                away = True
                self._drop()
                self._stop.wait(_PAUSE_S)
        self._drop()

    def _turn(self) -> None:
        """What there is to do for some milliseconds."""
        coordinator = self._consumer._coordinator
        if self._assignor.has_news:
            coordinator.request_rejoin()
        self._consumer.poll(timeout_ms=_POLL_MS)
        silent_s = time.monotonic() - self._answered
        if silent_s > (_DEAF * self._timeouts_s[0] if coordinator.stable() else _SHARING_S):
            _log.warning("the group of nodes has not answered for %.0f s: it is joined anew", silent_s)
            self._drop()
        elif not coordinator.stable() or not coordinator._heartbeat_enabled:
            # The library forgets a joining that is under way if it began because topics are known better by now, and a
            # `poll` ends before it does. And with a heart that is stopped another process has this node's name: joining
            # says so.
            coordinator.request_rejoin()

    def _open(self) -> Any:
        timeout_ms = round(self._timeouts_s[0] * 1000)
        consumer = open_client(
            KafkaConsumer,
            self._address,
            f"{self._address.prefix}-{self._name}-node",
            group_id=self.group,
            group_instance_id=self._name,
            session_timeout_ms=timeout_ms,
            heartbeat_interval_ms=max(1, timeout_ms // _BEATS),
            max_poll_interval_ms=round(_REBALANCE_S * 1000),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="latest",
            allow_auto_create_topics=False,
            metrics_enabled=False,
            retry_backoff_ms=_POLL_MS,
        )
        topics = [TOPICS[name].full(self._address.prefix) for name in SUBSCRIBED]
        consumer.subscribe(topics, listener=self._listener)
        self._answered = time.monotonic()
        self._listen(consumer._coordinator.heartbeat)
        return consumer

    def _listen(self, heartbeat: Any) -> None:
        """Tell of each answer at once: `poll` does not return while shards are given back."""
        received = heartbeat.received_heartbeat

        def answered() -> None:
            received()
            self._answered, self._until = time.monotonic(), heartbeat.last_send + self._timeouts_s[0]
            self._told.heard(self._until)

        heartbeat.received_heartbeat = answered

    def _shorter_is_refused(self, error: Exception) -> bool:
        """Whether the brokers want a longer time, and there is one to try."""
        if not isinstance(error, errors.InvalidSessionTimeoutError) or len(self._timeouts_s) < 2:
            return False
        refused = self._timeouts_s.pop(0)
        _log.warning(
            "the brokers do not let a node be given up after %g s: it is %g s; set group.min.session.timeout.ms there",
            *(refused, self._timeouts_s[0]),
        )
        self._drop()
        return True

    def _named(self, error: Exception) -> JournalError:
        if isinstance(error, JournalError):
            return error
        if isinstance(error, errors.InvalidSessionTimeoutError):
            return JournalError(
                f"journal {self._address}: the brokers do not let a node be given up after {self._timeouts_s[0]:g} s: "
                "set SWITCHLOG_NODE_TIMEOUT, or group.min.session.timeout.ms and group.max.session.timeout.ms there"
            )
        if isinstance(error, errors.FencedInstanceIdError):
            return JournalError(
                f"journal {self._address}: another process is the node {self._name}: give each its own SWITCHLOG_NODE"
            )
        return explain(error, self._address)

    def _drop(self) -> None:
        """End the client. What this node has it gives back, unless the group may have given it up already."""
        if self._consumer is None:
            return
        if time.monotonic() >= self._until and not self._stop.is_set():
            self._expelled()
        try:
            with suppress(*CLIENT_ERRORS):
                self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        finally:
            self._consumer, self._member = None, ""

    def _leave(self) -> None:
        try:
            admin: Any = open_client(KafkaAdminClient, self._address, f"{self._address.prefix}-{self._name}-leave")
            try:
                admin.remove_group_members(self.group, [MemberToRemove(group_instance_id=self._name)])
            finally:
                admin.close()
        except (errors.KafkaError, OSError, JournalError) as error:
            _log.warning("the other nodes notice only after a while that this one is gone: %s", error)

    # --- the library's thread

    def _allotted(self, shards: frozenset[int], neighbours: tuple[Neighbour, ...]) -> None:
        """A member that was given up comes back under another id, and the library does not always say `_lost` before:
        not if it was about to join when it was frozen."""
        member = self._consumer._coordinator.group_metadata().member_id
        if member != self._member:
            self._expelled()
        self._member, self._answered = member, time.monotonic()
        self._told.allotted(shards, neighbours)

    def _expelled(self) -> None:
        if self._member:
            self._member = ""
            self._told.expelled()

    async def _taken(self, partitions: Iterable[Any]) -> None:
        """Nothing is read by this membership."""
        for partition in partitions:
            self._consumer.seek(partition, 0)
        self._consumer.pause(*partitions)

    async def _revoked(self, partitions: Iterable[Any]) -> None:
        if self._stop.is_set() or not self._member:
            return
        done = self._told.revoked(shards_of(self._address.prefix, partitions))
        until = time.monotonic() + RELEASE_S
        while not done.done() and time.monotonic() < until and not self._stop.is_set():
            await self._consumer._net.sleep(_LOOK_S)

    async def _lost(self) -> None:
        self._assignor.forget()
        self._expelled()


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """What the library calls."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        await self._membership._taken(assigned)

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        await self._membership._revoked(revoked)

    async def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        await self._membership._lost()
