"""A small world for tests of the core: two tenants, a few bindings, identifiers that can be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from domain.call.input import Offer
from domain.call.turn import World
from domain.ids import leg_id, new_stream_id
from domain.routing.directory import Directory, Extension, Room, Tenant
from domain.values import DIRECT, PLAIN, Ability, Contact, Dialog, Flow, MediaPolicy, Transaction

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
UDP = Flow("udp", "127.0.0.1:5060", "127.0.0.1:6001")


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


class PlainIdentifiers:
    """`domain.ports.Identifiers` without secrets."""

    def call_id(self, leg: str) -> str:
        return f"{leg}@test"

    def tag(self, leg: str) -> str:
        return f"tag-{leg}"

    def branch(self, leg: str, number: int) -> str:
        return f"z9hG4bK-{leg}-{number}"


def directory() -> Directory:
    extensions = {
        (tenant, number): Extension(tenant, number, name, (number,), ring_s=20)
        for tenant in ("acme", "globex")
        for number, name in (("1001", "Alice"), ("1002", "Bob"), ("1003", "Carol"))
    }
    return Directory(
        version=7,
        tenants={
            "acme": Tenant("acme", "Acme", ("acme.example",), "GB", "Europe/London"),
            "globex": Tenant("globex", "Globex", ("globex.example",), "DE", "Europe/Berlin"),
        },
        domains={"acme.example": "acme", "globex.example": "globex"},
        extensions=extensions,
        devices=dict(extensions),
        rooms={("acme", "7000"): Room("acme", "7000", "Board room")},
    )


def with_media(known: Directory, number: str, media: MediaPolicy) -> Directory:
    """The extensions with this number have other media."""
    changed = {
        key: msgspec.structs.replace(one, media=media) if one.number == number else one
        for key, one in known.extensions.items()
    }
    return msgspec.structs.replace(known, extensions=changed)


def contact(user: str, port: int, flow: Flow = UDP) -> Contact:
    return Contact(
        uri=f"sip:{user}@127.0.0.1:{port}",
        device=user,
        flow=flow,
        path=(),
        instance="",
        user_agent="test",
        expires_at=START + seconds(3600),
        call_id=f"reg-{user}-{port}",
        cseq=1,
    )


def world(bindings: int = 1, epoch: int = 1, tenant: str = "acme", media: MediaPolicy = DIRECT) -> World:
    """1002 of `tenant` has this many devices, and `media`; nobody else has any."""
    contacts = tuple(contact("1002", 7000 + n) for n in range(bindings))
    return World(
        directory=directory() if media == DIRECT else with_media(directory(), "1002", media),
        contacts=lambda owner, number: contacts if (owner, number) == (tenant, "1002") else (),
        identifiers=PlainIdentifiers(),
        node="a",
        epoch=epoch,
    )


def new_call(chance: bytes = b"12345678") -> UUID:
    return new_stream_id(1_700_000_000_000, 5, chance)


def request(method: str, branch: str, cseq: int = 1) -> Transaction:
    return Transaction(
        method=method,
        branch=branch,
        cseq=cseq,
        call_id="caller-call-id",
        from_="<sip:1001@acme.example>;tag=alice",
        to="<sip:1002@acme.example>",
        vias=(f"SIP/2.0/UDP 127.0.0.1:6001;branch={branch}",),
        record_routes=(),
        flow=UDP,
    )


def offer(call: UUID, dialled: str = "1002", sdp: str = "v=0 alice", ability: Ability = PLAIN) -> Offer:
    return Offer(
        cause="z9hG4bK-in",
        actor="sip:1001",
        call=call,
        tenant="acme",
        domain="acme.example",
        extension="1001",
        name="Alice",
        dialled=dialled,
        dialog=Dialog(
            call_id="caller-call-id",
            local_tag=f"tag-{leg_id(call, 0)}",
            remote_tag="alice",
            local_uri="sip:1002@acme.example",
            remote_uri="sip:1001@acme.example",
            remote_target="sip:1001@127.0.0.1:6001",
            routes=(),
            local_cseq=1,
            remote_cseq=1,
            flow=UDP,
        ),
        transaction=request("INVITE", "z9hG4bK-in"),
        sdp=sdp,
        user_agent="phone",
        ability=ability,
    )


def remote(call_leg: Dialog, tag: str = "bob") -> Dialog:
    """The dialog after the callee's response."""
    return Dialog(
        call_id=call_leg.call_id,
        local_tag=call_leg.local_tag,
        remote_tag=tag,
        local_uri=call_leg.local_uri,
        remote_uri=call_leg.remote_uri,
        remote_target=call_leg.remote_target,
        routes=(),
        local_cseq=call_leg.local_cseq,
        remote_cseq=0,
        flow=call_leg.flow,
    )
