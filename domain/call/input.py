"""What can happen to a call, in words of no protocol. Adapters translate into these; `turn` decides on them."""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.call.measure import Figures, Way
from domain.call.presentation import OPEN, Presentation
from domain.call.recording import Kept
from domain.call.relay import RelayPlace
from domain.call.terms import ENDLESS, Terms, Wish
from domain.values import CANCELLED, NORMAL, PLAIN, Ability, Cause, Dialog, Transaction


class Input(msgspec.Struct, frozen=True):
    """Something that happened. `cause` identifies it (a SIP branch, a command id) for the events that follow."""

    cause: str
    actor: str


class Offer(Input, frozen=True):
    """A caller wants to reach `dialled`. The caller is known: the device proved itself by digest.

    `sdp` is empty if the other side is to make the offer. `instance` is the one device of it that is meant, if any;
    `secure` asks for TLS on every way.
    """

    call: UUID
    tenant: str
    domain: str
    extension: str
    name: str
    dialled: str
    dialog: Dialog
    transaction: Transaction
    sdp: str
    user_agent: str
    shown: Presentation = OPEN
    ability: Ability = PLAIN
    instance: str = ""
    secure: bool = False
    wish: Wish = Wish()
    encrypted: bool = False
    """whether the media that it offers are SRTP"""


class Progressed(Input, frozen=True):
    """A dialled leg is being alerted; `sdp` is its early media or empty. A `serial` other than 0 is to be confirmed."""

    leg: str
    dialog: Dialog
    sdp: str
    user_agent: str
    ability: Ability = PLAIN
    serial: int = 0


class ProgressConfirmed(Input, frozen=True):
    """The caller confirmed the progress `serial` of a dialled leg; its request waits for an answer.

    `sdp` is its answer to an offer that came with the progress.
    """

    leg: str
    serial: int
    transaction: Transaction
    sdp: str


class ProgressUnconfirmed(Input, frozen=True):
    """The caller never confirmed what it was told, however often it was said."""

    leg: str


class Answered(Input, frozen=True):
    """A dialled leg took the call."""

    leg: str
    dialog: Dialog
    sdp: str
    user_agent: str
    ability: Ability = PLAIN
    terms: Terms = ENDLESS


class TooBrief(Input, frozen=True):
    """A dialled leg wants its session to last at least so long."""

    leg: str
    minimum_s: int


class Failed(Input, frozen=True):
    """A dialled leg refused, timed out or could not be reached."""

    leg: str
    why: Cause


class Redirected(Input, frozen=True):
    """A dialled leg names others to be called instead: (domain, number) of each, the preferred ones first."""

    leg: str
    why: Cause
    targets: tuple[tuple[str, str], ...]


class Abandoned(Input, frozen=True):
    """The caller gave up before an answer (CANCEL); `why` is what it said of that."""

    leg: str
    why: Cause = CANCELLED


class HungUp(Input, frozen=True):
    """A party ended the call; its request waits for an answer. `why` is what it said of that."""

    leg: str
    transaction: Transaction
    why: Cause = NORMAL


class Reoffered(Input, frozen=True):
    """A party offers other media (hold, resume, codec), or asks the other one to offer some (`sdp` is empty).

    `direction` is from its own view (RFC 3264). `prompt` expects the answer at once and does not confirm it. Before the
    answer `early` is the dialled leg for which its early dialog stands.
    """

    leg: str
    transaction: Transaction
    remote_target: str
    sdp: str
    direction: str
    prompt: bool = False
    wish: Wish = Wish()
    early: str = ""


class Refreshed(Input, frozen=True):
    """A party wants its session to go on with the same media, which its request names again (`offers`) or not.

    Before the answer `early` is the dialled leg for which its early dialog stands.
    """

    leg: str
    transaction: Transaction
    remote_target: str
    offers: bool
    wish: Wish = Wish()
    early: str = ""


class Withdrawn(Input, frozen=True):
    """A party takes its offer of other media back; without an offer that is under way it means nothing."""

    leg: str


class ReofferAccepted(Input, frozen=True):
    """The other party took the offer; `sdp` is its answer, or its own offer if it was asked for one.

    `cseq` is the number of our request that it answers: what comes late is the answer to another one. `hears` says
    whether any audio is left in it, `kept` whether it names the place, the codecs and the keys that the party had.
    """

    leg: str
    cseq: int
    remote_target: str
    sdp: str
    direction: str = "sendrecv"
    terms: Terms = ENDLESS
    hears: bool = True
    kept: bool = True


class ReofferRefused(Input, frozen=True):
    """The other party refused the offer; the media stay as they were, unless it no longer knows the call.

    `cseq` is the number of our request that it refuses, `minimum_s` how long it wants its session to last at least;
    `chance` is from 0 to 1.
    """

    leg: str
    cseq: int
    why: Cause
    minimum_s: int = 0
    chance: float = 0.5


class AnswerGiven(Input, frozen=True):
    """A party confirmed what it was sent, and that held an offer: `sdp` is its answer, empty if it gave none."""

    leg: str
    sdp: str
    direction: str


class PassedOn(Input, frozen=True):
    """A party sent a request that means nothing to the call, for the other party (INFO, MESSAGE).

    Before the answer `early` is the dialled leg for which its early dialog stands.
    """

    leg: str
    method: str
    cseq: int
    early: str = ""


class Checked(Input, frozen=True):
    """It is time to see whether a party is still there."""

    leg: str


class Vanished(Input, frozen=True):
    """A request of ours showed that a party is gone: it did not answer, or said that it knows no such call."""

    leg: str
    why: Cause


class Unacknowledged(Input, frozen=True):
    """A party never confirmed the answer that it was sent."""

    leg: str


class Released(Input, frozen=True):
    """Media of our own ends the call of its leg, for the reason `why`."""

    leg: str
    why: Cause


class RelayOpened(Input, frozen=True):
    """Our ends of the call's media are open; `again` if the ones that they had are lost."""

    place: RelayPlace
    again: bool = False


class RelayFailed(Input, frozen=True):
    """The call's media cannot go through us, for the reason `why`."""

    why: Cause


class Measured(Input, frozen=True):
    """A stream of audio through media of our own is over. `leg` is its phone's, or the one that ends at our media."""

    leg: str
    figures: Figures


class AudioLost(Input, frozen=True):
    """Audio that should go through media of our own does not, for so long by now; `leg` as in `Measured`."""

    leg: str
    direction: Way
    missing_ms: int


class AudioRestored(Input, frozen=True):
    """It goes again, or is not expected any more."""

    leg: str
    direction: Way


class RecordingAsked(Input, frozen=True):
    """Somebody wants of the call's recording what `wish` says: `start`, `stop`, `pause`, `resume`, `mask`, `unmask`;
    `toggle` and `toggle_mask` ask for what is not so now."""

    wish: str


class RecordingAnnounced(Input, frozen=True):
    """The parties have been told of a recording; or could not be, for the reason `why`."""

    recording: str
    why: str = ""


class RecordingKept(Input, frozen=True):
    """The file of a recording that is over is where it is to stay, or there is none."""

    recording: str
    kept: Kept


class RecordingErased(Input, frozen=True):
    """The file of a recording was erased, because of `why`."""

    recording: str
    why: str


class DeadlineReached(Input, frozen=True):
    """A moment named by `deadlines` has come."""

    kind: str
