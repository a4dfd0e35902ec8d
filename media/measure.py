"""What a leg's stream is like, out of what is counted of it.

What may live here: which count is which figure. Counting is `media.columns`' and `media.cells`', formulas are
`media.quality`'s.
"""

from __future__ import annotations

from media.cells import Cells
from media.columns import Columns
from media.quality import mos_x100, rating
from media.report import Party
from media.stream import Stream
from media.wire import Measured

_CELLS_A_PACKET = 2
_OWN_DELAY_MS = 50
"""From a packet's first sample at its sender to the mix, without the network: packet, half a tick, buffer."""


def measured(stream: Stream, columns: Columns, cells: Cells, party: Party, so_far: bool) -> Measured:
    """Of its whole life, or of it `so_far`."""
    row = stream.row
    received, lost = columns.received(row), columns.lost(row)
    late = stream.late + int(cells.late[row]) // _CELLS_A_PACKET
    unheard = min(lost + late, received + lost) / max(received + lost, 1)
    delay_ms = _OWN_DELAY_MS + max(party.round_trip_ms, 0) / 2
    return Measured(
        stream.context,
        stream.leg.id,
        stream.leg.codecs[0].name,
        received=received,
        sent=int(columns.sent[row]),
        lost=lost,
        discarded=late,
        jitter_us=columns.jitter_us(row),
        remote_lost=party.lost,
        round_trip_ms=party.round_trip_ms,
        mos_x100=mos_x100(rating(unheard, delay_ms)) if received else 0,
        silent_ms=round(stream.watch.silent_ms),
        so_far=so_far,
        missing_ms=stream.watch.missing_ms if so_far else -1,
        unheard_ms=party.reach.unheard_ms if so_far else -1,
    )
