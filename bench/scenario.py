"""What SIPp's scenarios of a caller are made of: each request written once, as scenarios want it.

What may live here: text. `[field0]` is the caller's number, `[field1]` its credentials, `[field2]` the callee's number.
"""

from __future__ import annotations

from collections.abc import Sequence

SDP = """v=0
o=user 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
AGAIN = ' retrans="500"'
"""The attribute of what is repeated until it is answered."""
CONTACT = "Contact: <sip:[field0]@[local_ip]:[local_port]>"
_CALLEE = "sip:[field2]@acme.example"
_OURS = "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport"


def scenario(name: str, *parts: str) -> str:
    """A whole scenario."""
    return "\n".join(
        ('<?xml version="1.0" encoding="ISO-8859-1" ?>', f'<scenario name="{name}">', *parts, "</scenario>\n")
    )


def register(cseq: int, *credentials: str) -> str:
    to = "To: <sip:[field0]@acme.example>"
    return _send(AGAIN, "REGISTER", "sip:acme.example", cseq, to, (CONTACT, *credentials, "Expires: 600"))


def invite(cseq: int, *credentials: str, attributes: str = "") -> str:
    lines = (CONTACT, *credentials, "Content-Type: application/sdp")
    return _send(AGAIN + attributes, "INVITE", _CALLEE, cseq, f"To: <{_CALLEE}>", lines, body=SDP)


def ack_refusal(cseq: int, attributes: str = "") -> str:
    """The ACK of what is no 2xx, which belongs to the INVITE's transaction."""
    return _send(attributes, "ACK", _CALLEE, cseq, "[last_To:]", via="[last_Via:]")


def within(method: str, cseq: int, attributes: str = "") -> str:
    """A request inside the call, by the route that the answer named (`rrs`)."""
    return _send(attributes, method, "[next_url]", cseq, "[last_To:]", ("[routes]",))


def _send(
    attributes: str,
    method: str,
    target: str,
    cseq: int,
    to: str,
    lines: Sequence[str] = (),
    via: str = _OURS,
    body: str = "",
) -> str:
    head = (
        *(f"{method} {target} SIP/2.0", via, "Max-Forwards: 70"),
        *("From: <sip:[field0]@acme.example>;tag=[call_number]", to, "Call-ID: [call_id]", f"CSeq: {cseq} {method}"),
        *(*lines, "Content-Length: [len]" if body else "Content-Length: 0"),
    )
    return f"  <send{attributes}><![CDATA[\n" + "\n".join(head) + f"\n\n{body}]]></send>"
