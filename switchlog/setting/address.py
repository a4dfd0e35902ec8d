"""Addresses and networks as they stand in settings.

What may live here: reading them and asking what they are; pure.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen or what to advertise: `host` without brackets."""

    host: str
    port: int


def address(text: str) -> Address:
    """Parse `host:port`, an IPv6 host in brackets. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = _ipv6(host[1:-1])
    elif ":" in host:
        raise ValueError(f"{text!r} is not host:port (an IPv6 host stands in brackets)")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not host:port")
    return Address(host, int(port))


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError(f"[{text}] is not an IPv6 address: use such as [2001:db8::1]:5060") from None


def addresses(text: str) -> tuple[Address, ...]:
    """Parse a comma list of `host:port`; none for an empty text. Raises ValueError."""
    return tuple(address(one.strip()) for one in text.split(",")) if text else ()


def port_range(text: str) -> tuple[int, int]:
    """Parse `first-last`, two UDP ports or more that need no rights. Raises ValueError."""
    first, _, last = text.partition("-")
    numbers = [int(one) if one.isascii() and one.isdigit() else 0 for one in (first, last)]
    if not 1024 <= numbers[0] < numbers[1] <= 65535:
        raise ValueError(f"{text!r} is no range of ports: write such as 20000-29999, not below 1024")
    return numbers[0], numbers[1]


def numeric(text: str) -> str:
    """An address, not a name. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address: use such as 192.0.2.1") from None


def networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Parse networks or addresses separated by commas. Raises ValueError."""
    found = []
    for one in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(ipaddress.ip_network(one))
        except ValueError:
            raise ValueError(
                f"{one!r} is not a network: use networks such as 192.0.2.0/24 or 192.0.2.7, separated by commas"
            ) from None
    return tuple(found)


def is_wildcard(host: str) -> bool:
    """Whether to listen there is to listen on every address."""
    return host in ("0.0.0.0", "::")


def same_family(name: str, host: str) -> bool:
    """False if one is of IPv4 and the other of IPv6; a name is of both."""
    try:
        return ipaddress.ip_address(name).version == ipaddress.ip_address(host).version
    except ValueError:
        return True


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
