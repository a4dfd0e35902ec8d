"""How clients of the library are made and ended: bounded, and without leaving a thread behind when no broker answers.

What may live here: construction, and the end where the library's own will not do. A client runs its input and output in
a thread of its own from its constructor on; when that raises, nobody else holds what would end the thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from kafka.errors import KafkaError, KafkaTimeoutError  # type: ignore[import-untyped]
from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.failure import cause_of, stays

T = TypeVar("T")
CLIENT_ERRORS = (KafkaError, ValueError, TypeError, RuntimeError, AssertionError, OSError)
"""What a producer raises when it cannot go on; all of it leaves a transaction in doubt."""
BOOTSTRAP_MS = 5_000
"""How long the first answer of a broker is waited for."""
REQUEST_MS = 10_000
"""How long any later one is: more than a broker's pause, less than what an operator would wait."""
_CONNECT_MS = 3_000
"""How long a connection may take. A broker that is frozen takes one and says nothing: another may lead by then."""


def open_client(kind: Callable[..., T], address: Address, client_id: str, **options: Any) -> T:
    """A client of the library of class `kind`. Blocks. Raises what the library does, JournalError for certificates."""
    made: list[Any] = []
    given = {"bootstrap_timeout_ms": BOOTSTRAP_MS, "request_timeout_ms": REQUEST_MS, **options}
    opening = _Opening(given["bootstrap_timeout_ms"])

    def connections(**settings: Any) -> Any:
        made.append(KafkaNetClient(**settings, socket_connection_setup_timeout_ms=_CONNECT_MS))
        opening.watch(made[-1]._manager)
        return made[-1]

    try:
        client = kind(**address.options(client_id), **given, kafka_client=connections)
    except BaseException as error:
        for one in made:
            one.close()
        if isinstance(error, KafkaTimeoutError) and opening.refusal is not None:
            raise opening.refusal from error
        raise
    opening.done()
    return client


class _Opening:
    """How brokers are asked while a client is made, and why connections fail.

    Each broker of the address has its share of the time to answer first, and then another one is asked: the library
    draws one and gives it all of the time, so with one of three frozen every third client would come to nothing.

    The library tries again whatever the reason was, and says at last that it took too long. Here a reason that stays,
    such as a wrong password, ends it at once, and any other one is told instead of that.
    """

    def __init__(self, bootstrap_ms: int) -> None:
        self.refusal: Exception | None = None
        """the last one"""
        self._bootstrap_ms = bootstrap_ms
        self._managers: list[Any] = []

    def watch(self, manager: Any) -> None:
        cluster, connect, build = manager.cluster, manager.get_connection, manager._build_transport
        brokers: list[Any] = cluster.bootstrap_brokers()
        unasked: list[Any] = []

        def bootstrap_brokers() -> list[Any]:
            unasked[:] = unasked or brokers
            return unasked

        def get_connection(node_id: Any, timeout_ms: float | None = None, **options: Any) -> Any:
            if self.refusal is not None and stays(self.refusal):
                raise self.refusal
            if cluster.is_bootstrap(node_id):
                unasked[:] = [one for one in unasked if one.node_id != node_id]
                share_ms = self._bootstrap_ms / len(brokers)
                timeout_ms = share_ms if timeout_ms is None else min(timeout_ms, share_ms)
            connection = connect(node_id, timeout_ms, **options)
            connection.init_future.add_errback(self._failed)
            return connection

        async def build_transport(*args: Any, **options: Any) -> Any:
            return _to_the_end(await build(*args, **options))

        cluster.bootstrap_brokers = bootstrap_brokers
        manager.get_connection, manager._build_transport = get_connection, build_transport
        self._managers.append(manager)

    def done(self) -> None:
        for manager in self._managers:
            del manager.cluster.bootstrap_brokers, manager.get_connection, manager._build_transport

    def _failed(self, error: Exception) -> None:
        self.refusal = cause_of(error)


def _to_the_end(transport: Any) -> Any:
    """One that hears the last words before an end: the library drops what it reads together with that, and a broker
    that refuses a password hangs up as soon as it has said so."""
    receive = transport._sock_recv

    def received() -> tuple[bytes, Exception | None]:
        data, error = receive()
        return data, None if data else error

    transport._sock_recv = received
    return transport


def close_at_once(producer: Any) -> None:
    """End a producer, whatever is on its way. Its own `close` gives up halfway then, and again when it is collected."""
    with suppress(*CLIENT_ERRORS):
        producer._sender.force_close()
        producer.close(timeout=0)
    producer._closed = True
    producer._unregister_cleanup()
