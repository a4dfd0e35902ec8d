"""What the client library raises, as errors of the journal: one line with the brokers and what to do.

What may live here: the translation alone. `JournalAway` is what may be over by itself; all else stays until somebody
changes something.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from domain.ports import JournalAway, JournalError

_AWAY = "cannot be reached; check that the brokers run and that SWITCHLOG_JOURNAL names them"
_MISSING = (
    "has no topics with the prefix {prefix!r}, or not all of them: a node that holds calls makes them as it starts"
)
_STANDS: tuple[tuple[type[Exception], str], ...] = (
    (errors.TopicAuthorizationFailedError, "grants no access to our topics: allow it to this user"),
    (errors.AuthorizationError, "refuses what a node needs: allow it to this user"),
    (errors.SaslAuthenticationFailedError, "refuses the user: check its name and SWITCHLOG_KAFKA_PASSWORD"),
    (errors.UnsupportedSaslMechanismError, "does not know the mechanism: choose another one by mechanism="),
    (errors.UnsupportedVersionError, "is too old: brokers of Kafka 3.0 or later are needed"),
    (
        errors.OffsetOutOfRangeError,
        "has lost records that were read before: was a topic deleted, or cut by a retention?",
    ),
    (
        errors.LogTruncationError,
        "has lost records that were read before: a broker that lagged behind became the leader",
    ),
    (errors.CorruptRecordError, "has a damaged record: restore the partition from another replica"),
    (ssl.SSLCertVerificationError, "shows a certificate that is not trusted: check ca=, and the names in it"),
    (ssl.SSLError, "does not speak TLS with us: check security=, and that it takes the certificate of cert= and key="),
)
"""Error -> what it means; the first row that fits."""
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A connection that ended in the midst of TLS, as when a broker is killed: no question of TLS."""

_PASSING = (errors.RetriableError, errors.BrokerNotAvailableError, errors.InvalidReplicationFactorError, OSError)
"""What may be over by itself. Of replicas as many are asked for as there are brokers: one is just not in service."""


def explain(error: Exception, address: Address) -> JournalError:
    """`error` of the client library as ours."""
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return JournalAway(f"journal {address}: {_MISSING.format(prefix=address.prefix)}")
    meaning = _meaning(error)
    if meaning is not None:
        return JournalError(f"journal {address}: {meaning} ({_line(error)})")
    if isinstance(error, _PASSING):
        return JournalAway(f"journal {address}: {_AWAY} ({_line(error)})")
    return JournalError(f"journal {address}: {_line(error)}")


def stays(error: Exception) -> bool:
    """Whether it is known to stay until somebody changes something."""
    return _meaning(error) is not None


def cause_of(error: Exception) -> Exception:
    """What the system said, where the library has wrapped it."""
    if not isinstance(error, errors.KafkaConnectionError):
        return error
    inner = (*error.args, error.__cause__, error.__context__)
    return next((one for one in inner if isinstance(one, OSError)), error)


def _meaning(error: Exception) -> str | None:
    if isinstance(error, _CUT):
        return None
    return next((meaning for kind, meaning in _STANDS if isinstance(error, kind)), None)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def named_errors(address: Address) -> Iterator[None]:
    """Raises JournalAway or JournalError for what the client library raises inside."""
    try:
        yield
    except (errors.KafkaError, OSError) as error:
        raise explain(error, address) from error
