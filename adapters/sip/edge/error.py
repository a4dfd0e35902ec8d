"""What can go wrong with sockets, in one line each that says which, why, and what to do."""

from __future__ import annotations

import errno
import ssl

from adapters.sip.message.via import join_host_port


class EdgeError(Exception):
    """A socket cannot be had; the text is one line that says which, why, and what to do."""


def bind_failure(transport: str, host: str, port: int, error: OSError) -> str:
    where = f"{transport} {join_host_port(host, port)}"
    if error.errno == errno.EADDRINUSE:
        flag = "u" if transport == "udp" else "t"
        return (
            f"cannot listen on {where}: another program uses this port"
            f" (`ss -l{flag}np 'sport = :{port}'` names it); stop that program or choose another port"
        )
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: not permitted; choose a port above 1023 or grant CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: this machine has no such address; choose one that `ip address` lists"
    return f"cannot listen on {where}: {error.strerror or error}; check host and port"


def connect_failure(transport: str, remote: str, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        reason = "no answer in time; check the address, the network and firewalls"
    elif isinstance(error, ConnectionRefusedError):
        reason = "refused; check that a SIP server listens there"
    elif isinstance(error, ssl.SSLError):
        reason = f"TLS failed ({error.reason or error}); check its certificate and the authorities trusted here"
    else:
        reason = f"{error}; check the address"
    return f"cannot connect to {remote} by {transport}: {reason}"
