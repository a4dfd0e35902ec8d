"""Where the messages of the RFCs would be at home: a tenant with their domains and users, so that none is refused
merely because nobody here knows the address."""

from __future__ import annotations

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Request
from domain.routing.directory import Directory, Extension, Tenant
from tests.switchlog.exchange import PASSWORD

_DOMAINS = (
    "example.com", "example.net", "example.org", "example.edu", "company.com", "chair-dnrc.example.com",
    "east.example.com", "ift.client.example.net", "registrar.example.com", "[2001:db8::10]", "[2001:db8::10:5070]",
    "[2001:db8::192.0.2.1]", "[2001:db8:::192.0.2.1]",
)  # fmt: skip
_USERS = (
    "user", "caller", "jdrosen", "vivekg", "j.user", "j_user", "a.g.bell", "watson", "mundane", "resource", "fluffy",
    "kumiko", "remote-target", "local-resource", "t.watson", "UserB", "+13035551111", "null-%00-null",
    "I have spaces", "amazinglylongcallername" * 5,
)  # fmt: skip
ALGORITHM = "MD5"


def directory() -> Directory:
    """One tenant; every user is an extension whose only device has the same name."""
    extensions = {("town", user): Extension("town", user, user, (user,), ring_s=20) for user in _USERS}
    return Directory(
        version=1,
        tenants={"town": Tenant("town", "Town", _DOMAINS, "US", "UTC")},
        domains=dict.fromkeys(_DOMAINS, "town"),
        extensions=extensions,
        devices=dict(extensions),
    )


def credentials(request: Request, challenge: str, username: str) -> str:
    """The Authorization line that answers `challenge`, as bytes of a message want it."""
    return f"Authorization: {answer(challenge, request.method, request.uri, username, PASSWORD, 'cn')}\r\n"
