"""Symmetric response routing: what the receiver writes into the top Via (RFC 3261 18.2.1, RFC 3581 section 4).

What may live here: the text of one Via value. No sockets, no transactions.
"""

from __future__ import annotations

from functools import lru_cache

from adapters.sip.message.error import MessageError
from adapters.sip.message.header import Via, split_list, split_params
from adapters.sip.message.message import Request
from domain.values import Flow


@lru_cache(maxsize=4096)
def split_host_port(text: str) -> tuple[str, int]:
    """`host:port`, IPv6 in brackets, as (host without brackets, port). ValueError if there is no port."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"{text!r} has no port; write host:port")
    return host.strip("[]"), int(port)


def join_host_port(host: str, port: int) -> str:
    """The inverse of `split_host_port`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def stamp_via(request: Request, flow: Flow) -> None:
    """Writes `received` and a requested `rport` into the top Via, from the flow by which the request came.

    `received` is added if the sent-by names another host, and always beside `rport`; what the peer itself
    claimed in either is replaced. Raises MessageError for a Via with an empty parameter, which others may read
    otherwise; those in the journal were let in by older rules.
    """
    raw = request.get("Via") or ""
    if ";;" in raw:
        raise MessageError(400, "Malformed Via", request)
    host, port = split_host_port(flow.remote)
    via = request.via
    params = via.params
    if via.host.strip("[]") == host and "rport" not in params and "received" not in params:
        return
    plain = _filled(raw, port)
    if plain and "received" not in params:
        text = f"{plain};received={host}"
        stamped = Via(via.transport, via.host, via.port, {**params, "rport": str(port), "received": host})
        request.stamp(text, stamped)
        return
    lines = [value for name, value in request.headers if name == "Via"]
    top, *others = split_list(lines[0])
    request.set("Via", ", ".join([_stamped(top, host, port), *others]))
    for value in lines[1:]:
        request.add("Via", value)


def _stamped(via: str, host: str, port: int) -> str:
    """The Via with where it came from, whatever its parameters quote."""
    sent_by, *params = split_params(via)
    kept, fills = [sent_by], True
    for written in params:
        name = written.partition("=")[0].strip(" \t").lower()
        if name == "rport" and fills:  # of two the first counts
            kept.append(f"rport={port}")
            fills = False
        elif name != "received":
            kept.append(written)
    return ";".join([*kept, f"received={host}"])


def _filled(raw: str, port: int) -> str:
    """The Via with its empty `rport` filled in, if that can be seen at a glance; else empty."""
    if "," in raw or '"' in raw or raw.lower().count("rport") != 1:
        return ""
    if raw.endswith(";rport"):
        return f"{raw}={port}"
    return raw.replace(";rport;", f";rport={port};") if ";rport;" in raw else ""
