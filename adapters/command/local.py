"""The command port on one machine: a Unix socket in the data folder, readable by its owner only.

Frames are a length (4 bytes, big-endian) and msgpack. A request has an id: the same id again gets the first answer
again, so that a client that is not sure may repeat itself. Handlers say no by `domain.refusal.Refusal`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from domain.refusal import Kind, Refusal

_log = structlog.get_logger(__name__)
_LENGTH = struct.Struct(">I")
MAX_FRAME = 32 * 1024 * 1024
_REMEMBERED = 256
_REQUEST_TIMEOUT_S = 30.0
"""How long a connected client may take to send its request."""
_LONGEST_PATH = 100
"""Bytes of a Unix socket's path (the kernel takes 107)."""


class Command(msgspec.Struct, frozen=True):
    """What a handler gets: `args` by name, `actor` who asks (`api:<key id>`), `id` unique to the attempt's purpose."""

    id: str
    name: str
    args: dict[str, Any]
    actor: str


class Fault(msgspec.Struct, frozen=True):
    """A Refusal as it is told."""

    kind: Kind
    detail: str
    source: str = ""
    line: int = 0
    field: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What a handler gave, or why nothing was done."""

    id: str
    result: Any = None
    fault: Fault | None = None

    def unfold(self) -> Any:
        """The result. Raises Refusal."""
        if self.fault is not None:
            fault = self.fault
            raise Refusal(fault.kind, fault.detail, source=fault.source, line=fault.line, field=fault.field)
        return self.result


Handler = Callable[[Command], Any]
"""A coroutine function, or a plain one that is called in a thread. Its result must encode to msgpack."""

_commands = msgspec.msgpack.Decoder(Command)
_answers = msgspec.msgpack.Decoder(Answer)


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for `path` that fits into a Unix socket's address; one that is too long goes by its folder's handle."""
    path = path.absolute()
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class CommandServer:
    """Serves `handlers` by name. Start and close on the loop that serves."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._answers: OrderedDict[str, asyncio.Future[Answer]] = OrderedDict()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket left over by a process that is gone is replaced. Raises OSError."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with short_path(self._path) as name:
                listener.bind(name)
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def close(self) -> None:
        """Stop listening, and end what is under way."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                frame = await _read_frame(reader)
            await _write_frame(writer, await self._answer(frame))
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
            _log.warning("a command connection was given up", reason=str(error) or type(error).__name__)
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, frame: bytes) -> bytes:
        try:
            command = _commands.decode(frame)
        except msgspec.DecodeError as error:
            return msgspec.msgpack.encode(Answer("", fault=Fault("invalid", f"not a command: {error}")))
        known = self._answers.get(command.id)
        if known is None:
            known = asyncio.get_running_loop().create_future()
            self._remember(command.id, known)
            known.set_result(await self._run(command))
        return msgspec.msgpack.encode(await asyncio.shield(known))

    async def _run(self, command: Command) -> Answer:
        """What was refused may be asked again."""
        try:
            answer = await carry_out(self._handlers, command)
        except asyncio.CancelledError:
            self._answers.pop(command.id, None)
            raise
        if answer.fault is not None:
            self._answers.pop(command.id, None)
        return answer

    def _remember(self, command_id: str, answer: asyncio.Future[Answer]) -> None:
        self._answers[command_id] = answer
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)


class CommandClient:
    """Sends commands to the server at `path`; each call is a connection of its own."""

    def __init__(self, path: Path, timeout_s: float = 60.0) -> None:
        self._path, self._timeout_s = path, timeout_s

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        """The handler's result. Raises Refusal; of kind `unavailable` if nobody answers in time."""
        request = msgspec.msgpack.encode(Command(command_id, name, dict(args), actor))
        if len(request) > MAX_FRAME:
            raise Refusal("invalid", f"the command is larger than {MAX_FRAME} bytes")
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = _answers.decode(await self._exchange(request))
        except TimeoutError:
            raise Refusal("unavailable", f"no answer within {self._timeout_s:g} s: ask again") from None
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError, ValueError) as error:
            raise Refusal("unavailable", f"the process behind {self._path.name} does not answer: ask again") from error
        return answer.unfold()

    async def _exchange(self, request: bytes) -> bytes:
        with short_path(self._path) as name:
            reader, writer = await asyncio.open_unix_connection(name)
        try:
            await _write_frame(writer, request)
            return await _read_frame(reader)
        finally:
            writer.close()


async def carry_out(handlers: Mapping[str, Handler], command: Command) -> Answer:
    """What the command's handler says; a fault of ours is answered too."""
    handler = handlers.get(command.name)
    if handler is None:
        return Answer(command.id, fault=Fault("missing", f"there is no command {command.name!r} here"))
    try:
        return Answer(command.id, msgspec.to_builtins(await _call(handler, command)))
    except Refusal as no:
        return Answer(command.id, fault=Fault(no.kind, no.detail, no.source, no.line, no.field))
    except Exception:  # noqa: BLE001 - the boundary of a task: the asker gets an answer, the log the reason
        _log.exception("a command failed", command=command.name, id=command.id)
        return Answer(command.id, fault=Fault("unavailable", f"the command {command.name} failed: see the log"))


async def _call(handler: Handler, command: Command) -> Any:
    if inspect.iscoroutinefunction(handler):
        return await handler(command)
    result = await asyncio.to_thread(handler, command)
    return await result if isinstance(result, Awaitable) else result


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """Raises ValueError for a frame that is too large."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes is larger than {MAX_FRAME}")
    return await reader.readexactly(length)


async def _write_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(_LENGTH.pack(len(frame)) + frame)
    await writer.drain()
