"""Where the brokers are and how to speak to them: `kafka://host:port,host:port[?prefix=..&security=..]`.

What may live here: the address as a value, and what the client library is told of it. The password comes apart from the
address, because addresses are shown and logged.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from domain.ports import JournalError

PREFIX = "switchlog"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
"""Letters of a topic's name (Kafka takes up to 249 with ours behind the prefix)."""
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")
_PARTS = frozenset({"prefix", "security", "mechanism", "ca", "cert", "key"})
_PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_PORT = 9092

_RECONNECT = {"reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": 500}
"""A broker that was away is back within half a second of its return; the library's own bound is half a minute."""


@dataclass(frozen=True)
class Address:
    """The brokers, the prefix of our topics, and the settings for TLS and SASL.

    `bootstrap` are `host:port`; `security` is Kafka's protocol name in small letters; `ca`, `cert` and `key` are files
    (PEM). The password is in neither `repr` nor `str`.
    """

    bootstrap: tuple[str, ...]
    prefix: str = PREFIX
    security: str = "plaintext"
    mechanism: str = ""
    user: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"kafka://{','.join(self.bootstrap)}"

    def options(self, client_id: str) -> dict[str, Any]:
        """What every client of `kafka-python` is built with, be it a producer, a consumer or an admin client.

        Raises JournalError when a certificate cannot be used: the client would only try again and again.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap),
            "client_id": client_id,
            "security_protocol": self.security.upper(),
            **_RECONNECT,
        }
        if self.security.endswith("ssl"):
            options["ssl_context"] = self._tls()
        if self.security.startswith("sasl"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key, _no_password)
        except (OSError, ValueError) as error:
            raise JournalError(f"journal {self}: check ca=, cert= and key=: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def parse(url: str, password: str = "") -> Address:
    """The address that `url` names, with its user's `password`. Raises ValueError: one line that says what to do."""
    scheme, _, rest = url.partition("://")  # by hand: `urlsplit` takes one host only, if that is an IPv6 address
    if scheme.lower() != "kafka":
        raise ValueError("must begin with kafka://")
    place, _, query = rest.partition("?")
    login, at, hosts = place.removesuffix("/").rpartition("@")
    if "/" in hosts or "#" in url:
        raise ValueError("must be kafka://host:port,host:port, with ?prefix=... and the like behind it")
    user, colon, _ = login.partition(":")
    if colon:
        raise ValueError("must not hold a password: put that into SWITCHLOG_KAFKA_PASSWORD")
    asked = _asked(query)
    prefix = asked.get("prefix", PREFIX)
    if not _NAME.fullmatch(prefix):
        raise ValueError(f"prefix={prefix}: letters, digits, '.', '_' and '-', at most 200")
    security = asked.get("security", "sasl_ssl" if at else "plaintext")
    address = Address(
        bootstrap=tuple(_broker(host) for host in hosts.split(",")),
        prefix=prefix,
        security=_one_of("security", security, _PROTOCOLS),
        mechanism=_one_of("mechanism", asked.get("mechanism", _MECHANISMS[0] if at else ""), ("", *_MECHANISMS)),
        user=unquote(user),
        ca=asked.get("ca", ""),
        cert=asked.get("cert", ""),
        key=asked.get("key", ""),
        password=password,
    )
    _check(address)
    return address


def _no_password() -> str:
    """Asked for an encrypted key: without this the terminal would be."""
    raise ValueError("the key is encrypted: decrypt it")


def _asked(query: str) -> Mapping[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    asked = dict(pairs)
    unknown = sorted(asked.keys() - _PARTS)
    if unknown:
        raise ValueError(f"{unknown[0]} is not known: choose of {', '.join(sorted(_PARTS))}")
    if len(asked) < len(pairs):
        raise ValueError("says something twice behind the question mark")
    return asked


def _broker(text: str) -> str:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, str(_PORT)
    if not _HOST.fullmatch(host) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"{text!r} is no broker: write host:port")
    return f"{host}:{port}"


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name}={value}: choose of {', '.join(choice for choice in choices if choice)}")
    return value


def _check(address: Address) -> None:
    """What goes together. Raises ValueError."""
    sasl, tls = address.security.startswith("sasl"), address.security.endswith("ssl")
    if sasl and not (address.user and address.password):
        raise ValueError("SASL wants a user, as kafka://user@host:port, and SWITCHLOG_KAFKA_PASSWORD")
    if not sasl and (address.user or address.mechanism):
        raise ValueError(f"security={address.security} knows no user: choose sasl_ssl")
    if not tls and (address.ca or address.cert or address.key):
        raise ValueError(f"security={address.security} has no certificates: choose ssl or sasl_ssl")
    if bool(address.cert) != bool(address.key):
        raise ValueError("cert and key go together")
