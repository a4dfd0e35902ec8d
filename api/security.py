"""Who asks, and what they may: bearer keys, a table of roles, and the scope that every query is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.ports import KeyCheck, Scope
from domain.apikey import Principal, Role
from domain.refusal import Refusal

_TENANT_READS = frozenset({"calls", "registrations", "cdr"})
_OF_CALLS = _TENANT_READS | {"conferences"}
_OF_RECORDINGS = frozenset({"recordings", "record"})
_OF_HOUSE = frozenset({"events", "apply", "export", "erase"})
PERMISSIONS: Mapping[Role, frozenset[str]] = {
    Role.OPERATOR: _OF_CALLS | _OF_RECORDINGS | _OF_HOUSE | {"mailboxes", "keys", "projections", "nodes", "media"},
    Role.TENANT_ADMIN: _OF_CALLS | _OF_RECORDINGS | _OF_HOUSE | {"mailboxes"},
    Role.SUPERVISOR: _OF_CALLS | _OF_RECORDINGS,
    Role.ANALYST: frozenset({"cdr"}),
    Role.AUDITOR: frozenset({"cdr", "events"}),
    Role.RESELLER: frozenset(),
    Role.USER: frozenset(),
}
"""Role -> what it may use. A key of a tenant sees that tenant's part of it only."""

_bearer = HTTPBearer(auto_error=False, description="An API key: `switchlog keys create`")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="switchlog"'}


async def _authenticate(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    if given is None:
        raise HTTPException(401, "send Authorization: Bearer KEY", _CHALLENGE)
    keys: KeyCheck = request.app.state.keys
    principal = await asyncio.to_thread(keys.principal, given.credentials)
    if principal is None:
        raise HTTPException(401, "this API key is not known", _CHALLENGE)
    return principal


Asker = Annotated[Principal, Depends(_authenticate)]


def may(permission: str) -> Callable[[Principal], Awaitable[Principal]]:
    """The dependency that lets through whose role has the permission."""

    async def check(principal: Asker) -> Principal:
        if permission not in PERMISSIONS[principal.role]:
            raise HTTPException(403, f"the role {principal.role} may not use this")
        return principal

    return check


def scope_of(principal: Principal, tenant: str | None) -> Scope:
    """What the asker may see of what it asks for. Another tenant does not exist: raises Refusal(`missing`)."""
    own = Scope.all() if principal.tenant is None else Scope.of(principal.tenant)
    narrowed = own.narrowed(tenant)
    if narrowed is None:
        raise Refusal("missing", f"there is no tenant {tenant}")
    return narrowed


def one_tenant(principal: Principal, tenant: str | None, what: str) -> str:
    """The tenant whose `what` is asked about. Raises Refusal, also if nobody says which it is."""
    one = scope_of(principal, tenant).tenant
    if one is None:
        raise Refusal("invalid", f"say whose {what} it is: ?tenant=SLUG", field="tenant")
    return one
