"""What the sessions process and a media worker say to each other.

Declarative: `Put` says what a context shall be from now on, whole; the worker makes it so, and says what happens there.
A context is legs that hear each other: a room, two parties of a relayed call, or one leg and what is played to it. A
newer `rev` replaces an older one, an older `epoch` is refused: its writer has lost the call. Over a Unix stream socket
each message is a frame: its length in four bytes, big-endian, and a MessagePack map whose `type` names it.

What may live here: the messages and their frames. No sockets, no meaning of audio.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

LONGEST_FRAME_BYTES = 1 << 20
_HEAD_BYTES = 4


class FrameError(ValueError):
    """What came is no frame of this protocol: the connection is of no use any more."""


class Codec(msgspec.Struct, frozen=True):
    """An RTP payload format: `name` is PCMU, PCMA, G722, L16 or opus, the rate that of its RTP clock (RFC 3551)."""

    name: str
    payload_type: int
    clock_rate_hz: int = 8000
    channels: int = 1
    parameters: str = ""
    """as in `a=fmtp`"""


class Sdes(msgspec.Struct, frozen=True, tag="sdes"):
    """SRTP with keys from the SDP (RFC 4568): `suite` as named there, each key with its salt behind it."""

    suite: str
    local_key: bytes
    remote_key: bytes


class Dtls(msgspec.Struct, frozen=True, tag="dtls"):
    """SRTP with keys from a handshake on the media port (RFC 5764); our certificate and key are PEM.

    `fingerprint` is the peer's as in `a=fingerprint`; `active` says whether we begin (RFC 4145).
    """

    active: bool
    fingerprint: str
    certificate: bytes
    key: bytes
    association: str = ""
    """changes when the peer wants another handshake, with nothing else changed (`a=tls-id`, RFC 8842)"""
    keys: Sdes | None = None
    """what this handshake gave, once it is over (`Keyed`): a worker that did not make it takes them, and makes none"""


class Play(msgspec.Struct, frozen=True):
    """Audio that is played from its start once it appears: `source` is the path of a file, or `tone:NAME`."""

    id: str
    source: str
    loop: bool = False
    gain_db: float = 0.0
    key: bytes = b""
    """of a recording that is sealed"""


class Record(msgspec.Struct, frozen=True):
    """A file that is written: `mixed`, or `stereo` with the first of `sides` on the left.

    It grows as `path` with `.part` behind it; one that is there already, of a worker that was killed, is gone on with.
    While it is `masked` silence is written instead of sound; while it is `paused`, nothing.
    """

    id: str
    path: str
    layout: str = "mixed"
    sides: tuple[str, str] = ("", "")
    masked: bool = False
    paused: bool = False
    key: bytes = b""
    """32 bytes that the file is sealed with; none: it is a plain WAV"""


class Leg(msgspec.Struct, frozen=True):
    """One party's stream.

    `port` is ours for RTP, the next one for RTCP; with `rtcp_mux` RTCP goes where RTP does. `remote` is where the party
    said that it hears; packets from elsewhere move it once (symmetric RTP), unless `fixed`. `codecs` are those that may
    come, the first is what we send. `dtmf` is the payload type of telephone-event (RFC 4733), -1 for none.
    """

    id: str
    port: int
    remote: tuple[str, int] | None
    codecs: tuple[Codec, ...]
    dtmf: int = -1
    ptime_ms: int = 20
    sends: bool = True
    """whether we send to it"""
    receives: bool = True
    """whether it sends to us"""
    rtcp_mux: bool = False
    fixed: bool = False
    secure: Sdes | Dtls | None = None
    muted: bool = False
    """nobody hears it"""
    deaf: bool = False
    """it hears nobody"""
    gain_db: float = 0.0
    inband_dtmf: bool = False
    """whether digits are listened for in its sound"""
    plays: tuple[Play, ...] = ()
    """what this leg alone hears, in the room's place while it lasts"""
    send_digits: str = ""
    """digits to be sent to it, one after the other, once for each value of the `rev` that brings them"""


class Span(msgspec.Struct, frozen=True):
    """Other legs of the context are at these workers, each named by the file of its control socket.

    They tell each other what their legs say altogether. The one that is its `home` has the context's plays and records,
    and tells who talks.
    """

    home: bool
    peers: tuple[str, ...]


class Context(msgspec.Struct, frozen=True):
    """Legs that hear each other; `relayed` passes packets on as they are between two legs of one codec."""

    legs: tuple[Leg, ...]
    relayed: bool = False
    clock_rate_hz: int = 0
    """of the mix; 0 = as the members' codecs ask"""
    plays: tuple[Play, ...] = ()
    """what all hear, mixed in"""
    records: tuple[Record, ...] = ()
    span: Span | None = None
    """if these are not all its legs; it has a `clock_rate_hz` then"""


# --- to the worker


class Put(msgspec.Struct, frozen=True, tag="put"):
    """The context shall be as `desired`."""

    context: str
    rev: int
    epoch: int
    desired: Context


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """The context shall not be any more; its recordings are closed, its legs measured."""

    context: str
    epoch: int
    moves: bool = False
    """another worker goes on with it: recordings are left to be gone on with, and `Left` says when that may begin"""


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """The worker shall end, once others have what it has."""


# --- from the worker


class Inventory(msgspec.Struct, frozen=True, tag="inventory"):
    """First of all: what there is already, (context, rev, epoch) of each, and how many legs are too many.

    `keyed` is what handshakes gave that are over, for who did not hear it then.
    """

    contexts: tuple[tuple[str, int, int], ...] = ()
    capacity_legs: int = 0
    keyed: tuple[Keyed, ...] = ()
    run: str = ""
    """names this process: another one in its place has measured nothing of what was before"""
    retires: bool = False
    """as `Retiring` says"""
    spans: dict[str, tuple[bool, tuple[str, ...]]] = {}
    """of contexts with other legs elsewhere: whether this is the home, and the legs here"""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The context is as `rev` wanted it."""

    context: str
    rev: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The context stays as it was; `reason` says why and whose fault that is.

    `leg` is the one that cannot be, if it is one that this is about: without it the others could be as they shall.
    """

    context: str
    rev: int
    reason: str
    leg: str = ""


class Left(msgspec.Struct, frozen=True, tag="left"):
    """A context that moves is not here any more: its ports are closed, and its files are nobody's."""

    context: str


class Dtmf(msgspec.Struct, frozen=True, tag="dtmf"):
    """A party pressed a key; `digit` is one of 0-9, *, #, A-D."""

    context: str
    leg: str
    digit: str
    duration_ms: int


class Latched(msgspec.Struct, frozen=True, tag="latched"):
    """A party's packets come from another place than it said; ours go there from now on."""

    context: str
    leg: str
    host: str
    port: int


class Keyed(msgspec.Struct, frozen=True, tag="keyed"):
    """A handshake gave these keys: a worker that takes over needs no other one. Never journaled, never logged."""

    context: str
    leg: str
    keys: Sdes


class NotKeyed(msgspec.Struct, frozen=True, tag="not_keyed"):
    """A leg's handshake came to nothing, for `reason`: nothing is heard of it, and nothing goes there in the clear."""

    context: str
    leg: str
    reason: str


class Silent(msgspec.Struct, frozen=True, tag="silent"):
    """Nothing comes from a party that should send, for `since_ms` by now; 0 says that it does again.

    With `unheard` nothing of ours reaches it, by its own word (RTCP).
    """

    context: str
    leg: str
    since_ms: int
    unheard: bool = False


class Talking(msgspec.Struct, frozen=True, tag="talking"):
    """Who talks in a room, the loudest first; told when that changes, at most twice a second."""

    context: str
    legs: tuple[str, ...]


class PlayDone(msgspec.Struct, frozen=True, tag="play_done"):
    """A play came to its end, or could not be played, for `reason`; `leg` is empty if all heard it."""

    context: str
    leg: str
    play: str
    reason: str = ""


class RecordClosed(msgspec.Struct, frozen=True, tag="record_closed"):
    """A file is whole: SHA-256 of its bytes in hex. With a `reason` it ended before it was to."""

    context: str
    record: str
    path: str
    sha256: str
    duration_ms: int
    reason: str = ""


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """What a leg's stream was like, when it ends. Whole numbers; `mos_x100` by the E-model (ITU-T G.107).

    `remote_lost` and `round_trip_ms` are the party's word (RTCP), -1 if it said nothing. While the stream goes on it is
    told `so_far` every few seconds: so it is known what it was like when the worker is killed.
    """

    context: str
    leg: str
    codec: str
    received: int
    sent: int
    lost: int
    discarded: int
    jitter_us: int
    remote_lost: int = -1
    round_trip_ms: int = -1
    mos_x100: int = 0
    silent_ms: int = 0
    so_far: bool = False
    missing_ms: int = -1
    """for how long nothing has come, once `Silent` has told it, and 0 if it comes; -1 if that is not known yet"""
    unheard_ms: int = -1
    """the same of what we send, by the party's word"""


class Load(msgspec.Struct, frozen=True, tag="load"):
    """How busy the worker is, once a second: legs, and the share of its ticks that it worked (per mille)."""

    legs: int
    busy: int
    late_ticks: int = 0


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """The worker does its work; said several times a second, so that one that stands still is noticed."""


class Retiring(msgspec.Struct, frozen=True, tag="retiring"):
    """The worker ends soon, or once it has nothing any more: what it has should go to others."""


class Leaving(msgspec.Struct, frozen=True, tag="leaving"):
    """The worker ends now; before it does it may be silent for a while, and write what it has recorded."""


ToWorker = Put | Drop | Retire
OfWorker = Inventory | Load | Alive | Retiring | Leaving
"""what is about the worker and no context"""
FromWorker = (
    OfWorker
    | Ready
    | Refused
    | Left
    | Dtmf
    | Latched
    | Keyed
    | NotKeyed
    | Silent
    | Talking
    | PlayDone
    | RecordClosed
    | Measured
)

_encoder = msgspec.msgpack.Encoder()
to_worker = msgspec.msgpack.Decoder(ToWorker)
from_worker = msgspec.msgpack.Decoder(FromWorker)


def frame(message: ToWorker | FromWorker) -> bytes:
    """The bytes of one message. Raises FrameError if it is too long."""
    body = _encoder.encode(message)
    if len(body) > LONGEST_FRAME_BYTES:
        raise FrameError(f"a message of {len(body)} bytes is longer than {LONGEST_FRAME_BYTES}")
    return len(body).to_bytes(_HEAD_BYTES, "big") + body


class Frames:
    """The bodies of frames out of a stream that comes in pieces."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are whole by now. Raises FrameError."""
        self._waiting += data
        while len(self._waiting) >= _HEAD_BYTES:
            length = int.from_bytes(self._waiting[:_HEAD_BYTES], "big")
            if length > LONGEST_FRAME_BYTES:
                raise FrameError(f"a frame of {length} bytes is longer than {LONGEST_FRAME_BYTES}")
            end = _HEAD_BYTES + length
            if len(self._waiting) < end:
                return
            body = bytes(self._waiting[_HEAD_BYTES:end])
            del self._waiting[:end]
            yield body
