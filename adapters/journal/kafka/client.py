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


def open_client(kind: Callable[..., T], address: Address, client_id: str, **options: Any) -> T:
    """A client of the library of class `kind`. Blocks. Raises what the library does, JournalError for certificates."""
    made: list[Any] = []
    refusals = _Refusals()

    def connections(**settings: Any) -> Any:
        made.append(KafkaNetClient(**settings))
        refusals.watch(made[-1]._manager)
        return made[-1]

    given = {"bootstrap_timeout_ms": BOOTSTRAP_MS, "request_timeout_ms": REQUEST_MS, **options}
    try:
        client = kind(**address.options(client_id), **given, kafka_client=connections)
    except BaseException as error:
        for one in made:
            one.close()
        if isinstance(error, KafkaTimeoutError) and refusals.last is not None:
            raise refusals.last from error
        raise
    refusals.done()
    return client


class _Refusals:
    """Why connections fail while a client is made.

    The library tries again whatever the reason was, and says at last that it took too long. Here a reason that stays,
    such as a wrong password, ends it at once, and any other one is told instead of that.
    """

    def __init__(self) -> None:
        self.last: Exception | None = None
        self._managers: list[Any] = []

    def watch(self, manager: Any) -> None:
        connect, build = manager.get_connection, manager._build_transport

        def get_connection(*args: Any, **options: Any) -> Any:
            if self.last is not None and stays(self.last):
                raise self.last
            connection = connect(*args, **options)
            connection.init_future.add_errback(self._failed)
            return connection

        async def build_transport(*args: Any, **options: Any) -> Any:
            return _to_the_end(await build(*args, **options))

        manager.get_connection, manager._build_transport = get_connection, build_transport
        self._managers.append(manager)

    def done(self) -> None:
        for manager in self._managers:
            del manager.get_connection, manager._build_transport

    def _failed(self, error: Exception) -> None:
        self.last = cause_of(error)


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
