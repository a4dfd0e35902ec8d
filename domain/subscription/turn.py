"""The decisions of a subscription: (where it stands, input) -> events, as a table; and what its phone is owed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from domain.base import Event, Step
from domain.subscription.input import Expire, Fail, Input, Look, Refresh, Subscribe, Take
from domain.subscription.subscription import LINGER, Standing, Subscription, Why
from domain.values import Contact, Dialog, Flow

_TOLD: Mapping[Why, str] = {Why.UNSUBSCRIBED: "timeout", Why.EXPIRED: "timeout", Why.NO_RESOURCE: "noresource"}
"""What the phone hears of the end (RFC 6665 section 4.1.3); of other ends it knows, or nobody can tell it."""


class Notice(NamedTuple):
    """What a phone is to be told: how long its subscription goes on, or why it does not, and `what` there is."""

    what: str
    expires_s: int
    reason: str = ""


def decide(subscription: Subscription | None, inp: Input, step: Step) -> tuple[Event, ...]:
    """The events that `inp` causes; none if it means nothing now."""
    if subscription is None:
        return _begin(inp, step) if isinstance(inp, Subscribe) else ()
    return _TURNS[subscription.standing, type(inp)](subscription, inp, step)


def fold(subscription: Subscription | None, events: tuple[Event, ...]) -> Subscription | None:
    """The subscription after `events`."""
    for event in events:
        subscription = cast("Subscription | None", event.mutate(subscription))
    return subscription


def owed(subscription: Subscription, what: str, now: datetime) -> Notice | None:
    """What the phone is to be told, if that is anything; `what` is what there is to tell now.

    The answer to each request of its own (RFC 6665 section 4.2.1.2), and whatever it has not taken yet.
    """
    if subscription.ended_at is not None:
        reason = _TOLD.get(subscription.why) if subscription.why else None
        return Notice(what, 0, reason) if reason and now < subscription.ended_at + LINGER else None
    if subscription.told_at >= subscription.asked and subscription.told == what:
        return None
    return Notice(what, max(0, round((subscription.expires_at - now).total_seconds())))


def same_phone(dialog: Dialog, other: Dialog) -> bool:
    """Whether two dialogs are with one phone: one that was started anew subscribes anew, and knows no former one."""
    if dialog.device != other.device:
        return False
    if dialog.instance and other.instance:
        return dialog.instance == other.instance
    return dialog.remote_target == other.remote_target and _host(dialog.flow) == _host(other.flow)


def tells(subscription: Subscription, contact: Contact) -> bool:
    """Whether the phone at this binding is told by the subscription."""
    dialog = subscription.dialog
    if subscription.standing is not Standing.ACTIVE or dialog.device != contact.device:
        return False
    if dialog.instance and contact.instance:
        return dialog.instance == contact.instance
    return dialog.remote_target == contact.uri or dialog.flow == contact.flow


def _host(flow: Flow) -> str:
    return flow.remote.rpartition(":")[0]


def _begin(inp: Subscribe, step: Step) -> tuple[Event, ...]:
    begun = Subscription.Begun(
        step.stream,
        step.version + 1,
        step.at,
        step.context,
        Subscription.TOPIC,
        inp.number,
        inp.package,
        inp.event_id,
        inp.dialog,
        _until(inp, step),
    )
    return (begun,) if inp.expires_s else (begun, _ended(step, Why.UNSUBSCRIBED, 2))


def _refresh(subscription: Subscription, inp: Refresh, step: Step) -> tuple[Event, ...]:
    at = step.version + 1
    refreshed = Subscription.Refreshed(step.stream, at, step.at, step.context, inp.dialog, _until(inp, step))
    return (refreshed,) if inp.expires_s else (refreshed, _ended(step, Why.UNSUBSCRIBED, 2))


def _take(subscription: Subscription, inp: Take, step: Step) -> tuple[Event, ...]:
    if inp.at <= subscription.told_at:
        return ()
    return (Subscription.Told(step.stream, step.version + 1, step.at, step.context, inp.at, inp.what),)


def _fail(subscription: Subscription, inp: Fail, step: Step) -> tuple[Event, ...]:
    return (_ended(step, inp.why),)


def _expire(subscription: Subscription, inp: Expire, step: Step) -> tuple[Event, ...]:
    return (_ended(step, Why.EXPIRED),) if subscription.expires_at <= step.at else ()


def _nothing(subscription: Subscription, inp: Input, step: Step) -> tuple[Event, ...]:
    return ()


def _until(inp: Subscribe | Refresh, step: Step) -> datetime:
    return step.at + timedelta(seconds=inp.expires_s)


def _ended(step: Step, why: Why, number: int = 1) -> Event:
    return Subscription.Ended(step.stream, step.version + number, step.at, step.context, why)


_Turn = Callable[[Subscription, Any, Step], tuple[Event, ...]]

_TURNS: Mapping[tuple[Standing, type[Input]], _Turn] = {
    (Standing.ACTIVE, Subscribe): _nothing,
    (Standing.ACTIVE, Refresh): _refresh,  # RFC 6665 4.2.1.4
    (Standing.ACTIVE, Take): _take,
    (Standing.ACTIVE, Fail): _fail,  # 4.2.2
    (Standing.ACTIVE, Expire): _expire,  # 4.2.2
    (Standing.ACTIVE, Look): _nothing,
    (Standing.TERMINATED, Subscribe): _nothing,
    (Standing.TERMINATED, Refresh): _nothing,  # 4.2.1.4: whoever asks is told 481
    (Standing.TERMINATED, Take): _nothing,
    (Standing.TERMINATED, Fail): _nothing,
    (Standing.TERMINATED, Expire): _nothing,
    (Standing.TERMINATED, Look): _nothing,
}
