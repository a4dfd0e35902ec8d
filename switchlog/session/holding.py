"""What a session does with shards that are given to it and taken from it while it runs.

What may live here: which of its parts holds which shard. When they come and go says the warden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adapters.journal.codec import decode
from domain.call.call import Call
from domain.ids import CONFIG_SHARD, shard_of
from domain.ports import Journal, Stored
from switchlog.node.warden import Holder, Streams
from switchlog.session.board import Board


def read_live(journal: Journal, shards: Sequence[int], now: float) -> Streams:
    """What the owner of `shards` must hold at `now` (Unix seconds). Blocks. Raises JournalError."""
    return [stream for shard in shards for stream in journal.live(shard, now)]


def holder_of(
    board: Board,
    begin: Callable[[Streams], None],
    resume: Callable[[tuple[Call, ...]], None],
    cabinet: Holder | None,
) -> Holder:
    """The board holds calls and registrations; `begin` is told what is read of them, then `resume` goes on with calls.

    `cabinet` holds configuration, if there may be other nodes that do.
    """

    def take(epochs: Mapping[int, int], streams: Streams) -> int:
        hot = {shard: epoch for shard, epoch in epochs.items() if shard != CONFIG_SHARD}
        if cabinet is not None and len(hot) < len(epochs):
            cabinet.take({CONFIG_SHARD: epochs[CONFIG_SHARD]}, [one for one in streams if _is_cold(one)])
        warm = [one for one in streams if not _is_cold(one)]
        begin(warm)
        calls = board.load(hot, warm, decode)
        resume(calls)
        return len(calls)

    def drop(shard: int) -> None:
        if cabinet is not None and shard == CONFIG_SHARD:
            cabinet.drop(shard)
        else:
            board.abandon(shard)

    def leave(shard: int, settled: Callable[[], None]) -> None:
        if cabinet is not None and shard == CONFIG_SHARD:
            cabinet.leave(shard, settled)
        else:
            board.leave(shard, settled)

    return Holder(take, drop, leave)


def _is_cold(stream: Sequence[Stored]) -> bool:
    return shard_of(stream[0].record.stream) == CONFIG_SHARD
