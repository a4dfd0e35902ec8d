"""The command port between nodes: questions and answers as letters that every node can read and only nodes can open.

A question goes to a node, or to the owner of a shard, whoever that is when it is read. Who asked says it again every
second until it has the answer or its time is over; so a question survives that the owner dies, or that there is none
for a moment. Who is asked handles an id once: it remembers what it answered, and what it has seen others answer, which
every node does: so a new owner does not do again what the one before it has done and said.

What may live here: that protocol. What carries the letters, and who owns what, is handed in.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from adapters.command.local import Answer, Command, Handler, carry_out
from domain.ports import JournalError, Letter, Post, Sealer
from domain.refusal import Refusal

_log = structlog.get_logger(__name__)

ASKED, ANSWERED = "command.asked.1", "command.answered.1"
_AGAIN_S = 1.0
_LATE_S = 5.0
"""A question is still handled so long after its time: clocks differ."""
_WAIT_MS = 500
_PAUSE_S = 0.2
_REMEMBERED = 1024
_REMEMBERED_BYTES = 16_384
"""Answers in longer letters are not remembered: they tell what there is, and are as good when it is asked anew."""


class Question(msgspec.Struct, frozen=True):
    """`until` is when who asked gives up (Unix seconds)."""

    until: float
    command: Command


_questions = msgspec.json.Decoder(Question)
_answers = msgspec.json.Decoder(Answer)


class KafkaCommands:
    """One node's end. Made, started and closed on the loop that serves.

    `serves(to)` says whether `node:NAME` or `shard:N` is here now. `wall` gives Unix seconds.
    """

    def __init__(
        self,
        post: Post,
        sealer: Sealer,
        serves: Callable[[str], bool],
        handlers: Mapping[str, Handler],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._post, self._sealer, self._serves, self._handlers, self._wall = post, sealer, serves, handlers, wall
        self._known: OrderedDict[str, Answer | None] = OrderedDict()
        """by id; None = it is handled at the moment"""
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Hear letters."""
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def close(self) -> None:
        """End what is under way; the post stays open."""
        tasks = [*self._tasks, *([self._reading] if self._reading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def call(
        self, to: str, name: str, args: Mapping[str, Any], actor: str, command_id: str, timeout_s: float = 15.0
    ) -> Any:
        """The handler's result there. Raises Refusal; of kind `unavailable` if nobody answers in time."""
        question = Question(self._wall() + timeout_s, Command(command_id, name, dict(args), actor))
        letter = Letter(command_id, ASKED, to, self._seal(question))
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[command_id] = answered
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._ask(letter, answered)
        except TimeoutError:
            raise Refusal(
                "unavailable", f"no answer within {timeout_s:g} s from who holds this: ask again with the same id"
            ) from None
        finally:
            self._asked.pop(command_id, None)
        return answer.unfold()

    async def _ask(self, letter: Letter, answered: asyncio.Future[Answer]) -> Answer:
        while True:
            try:
                await asyncio.to_thread(self._post.send, letter, self._now())
            except JournalError as error:
                raise Refusal("unavailable", str(error)) from error
            done, _ = await asyncio.wait((answered,), timeout=_AGAIN_S)
            if done:
                return answered.result()

    # --- what comes

    async def _read(self) -> None:
        away = False
        while True:
            try:
                letters = await asyncio.to_thread(self._post.take, _WAIT_MS)
            except Exception as error:  # noqa: BLE001  boundary: else nothing would be heard any more, and nobody know
                if not away:
                    known = isinstance(error, JournalError)
                    reason = str(error) if known else f"a fault of ours, report these lines: {error!r}"
                    _log.warning(
                        "commands of other nodes cannot be read at the moment", reason=reason, exc_info=not known
                    )
                away = True
                await asyncio.sleep(_PAUSE_S)
                continue
            away = False
            for letter in letters:
                try:
                    self._hear(letter)
                except (ValueError, msgspec.MsgspecError, zlib.error) as error:
                    _log.warning("a letter of another node is left out", id=letter.id, reason=str(error))

    def _hear(self, letter: Letter) -> None:
        """Raises ValueError, MsgspecError or zlib.error for what cannot be opened."""
        if letter.type == ANSWERED:
            answer = _answers.decode(self._open(letter.sealed))
            if len(letter.sealed) <= _REMEMBERED_BYTES:
                self._remember(letter.id, answer)
            asked = self._asked.get(letter.id)
            if asked is not None and not asked.done():
                asked.set_result(answer)
        elif letter.type == ASKED and self._serves(letter.to):
            question = _questions.decode(self._open(letter.sealed))
            if self._wall() <= question.until + _LATE_S:
                self._handle(letter, question.command)

    def _handle(self, letter: Letter, command: Command) -> None:
        if letter.id in self._known and self._known[letter.id] is None:
            return  # it is being done
        known = self._known.get(letter.id)
        if known is None:
            self._remember(letter.id, None)
        task = asyncio.get_running_loop().create_task(self._answer(letter, command, known))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, letter: Letter, command: Command, known: Answer | None) -> None:
        try:
            answer = known or await carry_out(self._handlers, command)
            reply = Letter(letter.id, ANSWERED, "everybody", self._seal(answer))
            if answer.fault is None and len(reply.sealed) <= _REMEMBERED_BYTES:
                self._remember(letter.id, answer)
            else:
                self._known.pop(letter.id, None)  # nothing was changed: it may be asked again
            await asyncio.to_thread(self._post.send, reply, self._now())
        except JournalError as error:
            _log.warning("a command was carried out and its answer not told", id=letter.id, reason=str(error))
        except asyncio.CancelledError:
            self._known.pop(letter.id, None)
            raise

    def _remember(self, command_id: str, answer: Answer | None) -> None:
        if answer is not None and answer.fault is not None:
            return
        self._known[command_id] = answer
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    # --- parts

    def _seal(self, what: object) -> bytes:
        packed = zlib.compress(msgspec.json.encode(what)).hex()
        return self._sealer.seal(packed).encode()

    def _open(self, sealed: bytes) -> bytes:
        return zlib.decompress(bytes.fromhex(self._sealer.unseal(sealed.decode())))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)
