"""The aggregate `ApiKey`, and what a key may be: roles and the tenant that it is for.

The key itself is never in an event; only its hash is kept, outside the journal.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec

from domain import base
from domain.base import Aggregate, Event, fact
from domain.ids import CONFIG_SHARD, named_stream_id
from domain.refusal import Refusal


class Role(StrEnum):
    """What the bearer of a key may do."""

    OPERATOR = "operator"
    RESELLER = "reseller"
    TENANT_ADMIN = "tenant-admin"
    SUPERVISOR = "supervisor"
    USER = "user"
    ANALYST = "analyst"
    AUDITOR = "auditor"


_NOT_YET = (Role.RESELLER, Role.USER)
_OF_A_TENANT = (Role.TENANT_ADMIN, Role.SUPERVISOR)


class Principal(msgspec.Struct, frozen=True):
    """Who asks: the key's public id, its role, and its tenant (None = all tenants)."""

    id: str
    role: Role
    tenant: str | None

    @property
    def actor(self) -> str:
        """How events name the one who caused them."""
        return f"api:{self.id}"


def check_role(role: str, tenant: str | None) -> Role:
    """The role, if a key of it can be made. Raises Refusal(`invalid`)."""
    try:
        known = Role(role)
    except ValueError:
        usable = ", ".join(one for one in Role if one not in _NOT_YET)
        raise Refusal("invalid", f"unknown role {role!r}: use one of {usable}", field="role") from None
    if known in _NOT_YET:
        raise Refusal("invalid", f"this version has nothing for the role {role} yet", field="role")
    if known in _OF_A_TENANT and tenant is None:
        raise Refusal("invalid", f"a {role} key needs a tenant", field="tenant")
    if known is Role.OPERATOR and tenant is not None:
        raise Refusal("invalid", "an operator key is for all tenants: leave the tenant out", field="tenant")
    return known


def apikey_id(key_id: str) -> UUID:
    """The stream of the key with this public id."""
    return named_stream_id(CONFIG_SHARD, "apikey", key_id)


class ApiKey(Aggregate):
    """A key to the HTTP API. `tenant` empty = all tenants."""

    TOPIC = "apikey"

    def __init__(self) -> None:
        self.key_id = ""
        self.role = ""
        self.tenant = ""

    @fact
    class Created(base.Created):
        """The key opens the API from now on."""

        TOPIC = "apikey.created.1"

        key_id: str
        role: str

        def apply(self, aggregate: ApiKey) -> None:
            aggregate.key_id = self.key_id
            aggregate.role = self.role
            aggregate.tenant = self.context.tenant


EVENTS: tuple[type[Event], ...] = (ApiKey.Created,)
