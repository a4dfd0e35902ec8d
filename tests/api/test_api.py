"""The HTTP API over fakes: who may see what, pages, problems."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.security import PERMISSIONS
from domain.apikey import Role
from domain.cursor import cursor_word
from domain.ports import PARTITION
from domain.refusal import Refusal
from tests.api.fakes import START, FakeCommands, FakeKeys, FakeMessages, FakeQueries, FakeRecordings, key_of

OPERATOR = key_of(Role.OPERATOR)
JOB = "/v1/projections/cdr/rebuild"
ROUTES = {
    "calls": ("GET", "/v1/calls"),
    "registrations": ("GET", "/v1/registrations"),
    "cdr": ("GET", "/v1/cdr"),
    "events": ("GET", "/v1/events"),
    "apply": ("POST", "/v1/apply"),
    "export": ("GET", "/v1/export"),
    "keys": ("POST", "/v1/keys"),
    "projections": ("GET", "/v1/projections"),
    "nodes": ("GET", "/v1/nodes"),
    "media": ("GET", "/v1/media"),
    "conferences": ("GET", "/v1/conferences"),
    "recordings": ("GET", "/v1/recordings"),
    "erase": ("DELETE", f"/v1/recordings/{UUID(int=1)}-1"),
    "record": ("POST", f"/v1/calls/{UUID(int=1)}/recording/start"),
    "mailboxes": ("GET", "/v1/mailboxes"),
}


@dataclass
class Site:
    client: httpx.AsyncClient
    queries: FakeQueries
    commands: FakeCommands

    async def ask(self, method: str, path: str, key: str | None = OPERATOR, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    async def items(self, path: str, key: str = OPERATOR) -> list[dict[str, Any]]:
        answer = await self.ask("GET", path, key)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    queries, commands = FakeQueries(), FakeCommands()
    app = create_app(queries, commands, FakeKeys(), FakeRecordings(), FakeMessages())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Site(client, queries, commands)


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    return content


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(ROUTES))
async def test_each_role_may_what_its_row_says(site: Site, role: Role, permission: str) -> None:
    method, path = ROUTES[permission]
    body = {"json": {"role": "analyst"}} if permission == "keys" else {}
    answer = await site.ask(method, path, key_of(role), **body)
    if permission in PERMISSIONS[role]:
        assert answer.status_code in (200, 201)
    else:
        is_problem(answer, 403)
        assert site.commands.asked == []


@pytest.mark.parametrize("path", [path for method, path in ROUTES.values() if method == "GET"])
async def test_without_a_known_key_there_is_nothing(site: Site, path: str) -> None:
    for key in (None, "wrong"):
        answer = await site.ask("GET", path, key)
        is_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/registrations", "/v1/cdr", "/v1/events"])
async def test_a_tenant_sees_its_own_only(site: Site, path: str) -> None:
    key = key_of(Role.TENANT_ADMIN, "acme")
    assert {item["tenant"] for item in await site.items(path)} == {"acme", "globex"}
    assert {item["tenant"] for item in await site.items(path, key)} == {"acme"}
    assert await site.items(f"{path}?tenant=acme", key) == await site.items(path, key)
    assert {item["tenant"] for item in await site.items(f"{path}?tenant=globex")} == {"globex"}
    is_problem(await site.ask("GET", f"{path}?tenant=globex", key), 404)


async def test_the_story_of_a_call_is_its_tenants(site: Site) -> None:
    mine, theirs = f"/v1/calls/{UUID(int=1)}", f"/v1/calls/{UUID(int=2)}"
    key = key_of(Role.TENANT_ADMIN, "acme")
    answer = await site.ask("GET", mine, key)
    assert answer.status_code == 200
    assert {"call_id", "tenant", "parties", "steps", "wire"} <= answer.json().keys()
    is_problem(await site.ask("GET", theirs, key), 404)
    assert (await site.ask("GET", theirs)).status_code == 200
    is_problem(await site.ask("GET", f"/v1/calls/{UUID(int=999)}"), 404)
    is_problem(await site.ask("GET", "/v1/calls/nonsense"), 422)
    is_problem(await site.ask("GET", mine, key_of(Role.SUPERVISOR)), 403)


async def test_a_tenant_admin_applies_and_exports_its_own_tenant(site: Site) -> None:
    key = key_of(Role.TENANT_ADMIN, "acme")
    await site.ask("POST", "/v1/apply", key, content="tenants: []")
    await site.ask("GET", "/v1/export", key)
    assert [args["tenant"] for _, args, _, _ in site.commands.asked] == ["acme", "acme"]
    is_problem(await site.ask("GET", "/v1/export?tenant=globex", key), 404)
    assert len(site.commands.asked) == 2


async def test_records_come_in_pages_that_meet_exactly(site: Site) -> None:
    seen: list[str] = []
    path: str | None = "/v1/cdr?limit=7"
    while path:
        page = (await site.ask("GET", path)).json()
        seen += [row["call_id"] for row in page["items"]]
        path = f"/v1/cdr?limit=7&cursor={page['next']}" if page["next"] else None
    assert seen == [str(row["call_id"]) for row in reversed(site.queries.rows)]


async def test_a_page_that_is_exactly_full_and_the_last_has_no_next(site: Site) -> None:
    assert (await site.ask("GET", "/v1/cdr?limit=20")).json()["next"] is None
    assert (await site.ask("GET", "/v1/cdr?limit=19")).json()["next"] is not None


async def test_records_are_filtered(site: Site) -> None:
    since = (START + timedelta(minutes=18)).isoformat().replace("+", "%2B")
    assert len(await site.items(f"/v1/cdr?from={since}")) == 2
    assert len(await site.items(f"/v1/cdr?to={since}")) == 18
    assert [row["to_number"] for row in await site.items("/v1/cdr?number=1004")] == ["1004"]


async def test_events_follow_a_position(site: Site) -> None:
    page = (await site.ask("GET", "/v1/events?limit=3&after=2")).json()
    assert [event["position"] for event in page["items"]] == [3, 4, 5]
    assert page["next"] == page["cursor"] == cursor_word({PARTITION: 5})
    following = (await site.ask("GET", f"/v1/events?limit=1&after={page['next']}")).json()
    assert [event["position"] for event in following["items"]] == [6]
    last = (await site.ask("GET", "/v1/events?after=18&type=call.offered")).json()
    assert (len(last["items"]), last["next"], last["cursor"]) == (2, None, cursor_word({PARTITION: 20}))
    assert await site.items("/v1/events?after=end") == []
    assert await site.items("/v1/events?type=registration") == []


async def test_a_dead_clickhouse_stops_only_the_call_records(site: Site) -> None:
    site.queries.down = True
    answer = await site.ask("GET", "/v1/cdr")
    assert "ClickHouse" in is_problem(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "1"
    for path in ("/v1/calls", "/v1/registrations", "/v1/events", "/healthz", "/metrics"):
        assert (await site.ask("GET", path)).status_code == 200
    assert "clickhouse: does not answer" in is_problem(await site.ask("GET", "/readyz"), 503)["detail"]
    assert 'switchlog_ready{part="clickhouse"} 0.0' in (await site.ask("GET", "/metrics")).text


async def test_readiness_may_be_asked_of_some_parts_alone(site: Site) -> None:
    site.queries.down = True
    answer = await site.ask("GET", "/readyz?part=journal", None)
    assert (answer.status_code, answer.json()["parts"]) == (200, {"journal": "ok"})
    assert is_problem(await site.ask("GET", "/readyz?part=journal&part=clickhouse", None), 503)["parts"].keys() == {
        "journal",
        "clickhouse",
    }
    assert "jornal: is not known" in is_problem(await site.ask("GET", "/readyz?part=jornal", None), 503)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "field"),
    [
        ("GET", "/v1/nothing", 404, None),
        ("DELETE", "/v1/calls", 405, None),
        ("GET", "/v1/cdr?limit=0", 422, "limit"),
        ("GET", "/v1/cdr?from=yesterday", 422, "from"),
        ("GET", "/v1/cdr?from=2026-03-01T09:00:00", 422, "from"),
        ("GET", "/v1/cdr?cursor=abc", 422, "cursor"),
        ("GET", "/v1/events?stream=x", 422, "stream"),
        ("GET", "/v1/events?after=-1", 422, "after"),
        ("GET", "/v1/events?after=gQ", 422, "after"),
        ("POST", "/v1/keys", 422, None),
        ("POST", "/v1/projections/cdr/burn", 422, "kind"),
    ],
)
async def test_every_error_is_a_problem(site: Site, method: str, path: str, status: int, field: str | None) -> None:
    content = is_problem(await site.ask(method, path), status)
    assert content.get("field") == field


async def test_a_fault_of_ours_is_a_problem_without_its_reason(site: Site) -> None:
    site.queries.rows = [{"tenant": "acme"}] * 2
    assert "KeyError" not in json.dumps(is_problem(await site.ask("GET", "/v1/cdr?limit=1"), 500))


async def test_apply_hands_over_the_text_and_names_the_place_of_a_fault(site: Site) -> None:
    text = "tenants:\n  - slug: acmé\n"
    answer = await site.ask("POST", "/v1/apply?source=a.yaml", content=text.encode(), headers={"Idempotency-Key": "1"})
    assert answer.json()["rows"][0]["outcome"] == "created"
    name, args, actor, command_id = site.commands.asked[0]
    assert (name, actor, command_id) == ("apply", "api:operator-None", "operator-None/1")
    assert args == {"documents": [{"source": "a.yaml", "text": text}], "tenant": None}
    site.commands.refusal = Refusal("invalid", "is missing", source="a.yaml", line=2, field="tenants[0].name")
    content = is_problem(await site.ask("POST", "/v1/apply", content=text.encode()), 422)
    assert (content["source"], content["line"], content["field"]) == ("a.yaml", 2, "tenants[0].name")


async def test_several_documents_go_together(site: Site) -> None:
    documents = [{"source": "a", "text": "tenants: []"}, {"source": "b", "text": "tenants: []"}]
    await site.ask("POST", "/v1/apply", json={"documents": documents})
    await site.ask("POST", "/v1/apply", json={"tenants": []})
    assert site.commands.asked[0][1]["documents"] == documents
    assert json.loads(site.commands.asked[1][1]["documents"][0]["text"]) == {"tenants": []}
    is_problem(await site.ask("POST", "/v1/apply", json={"documents": [1]}), 422)


async def test_bodies_are_bounded_and_text(site: Site) -> None:
    is_problem(await site.ask("POST", "/v1/apply", content=b" " * (16 * 1024 * 1024 + 1)), 413)
    is_problem(await site.ask("POST", "/v1/apply", content=b"\xff\xfe"), 422)
    assert site.commands.asked == []


async def test_a_key_is_made_and_not_cached(site: Site) -> None:
    answer = await site.ask("POST", "/v1/keys", json={"role": "tenant-admin", "tenant": "acme"})
    assert (answer.status_code, answer.json()["key"]) == (201, "switchlog_k1_x")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_rebuild_tells_its_progress_line_by_line(site: Site) -> None:
    site.commands.states = [
        {"state": "waiting", "done": 0, "total": 0},
        {"state": "running", "done": 1, "total": 2},
        {"state": "running", "done": 1, "total": 2},
        {"state": "done", "done": 2, "total": 2, "differences": []},
    ]
    answer = await site.ask("POST", JOB)
    assert [json.loads(line)["done"] for line in answer.text.splitlines()] == [0, 1, 2]


async def test_progress_that_is_lost_is_a_failure(site: Site) -> None:
    assert json.loads((await site.ask("POST", JOB)).text)["state"] == "failed"


async def test_metrics_count_by_route(site: Site) -> None:
    await site.ask("GET", "/v1/calls")
    await site.ask("GET", "/v1/none-of-ours/1")
    text = (await site.ask("GET", "/metrics", None)).text
    assert 'switchlog_http_requests_total{method="GET",route="/v1/calls",status="200"} 1.0' in text
    assert "none-of-ours" not in text
    assert "switchlog_calls 4.0" in text
    assert "switchlog_up 1.0" in text
    assert 'switchlog_ready{part="journal"} 1.0' in text


async def test_the_documentation_needs_nothing_from_elsewhere(site: Site) -> None:
    page = await site.ask("GET", "/docs", None)
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    for path in ("/docs/start.js", "/docs/swagger/swagger-ui-bundle.js", "/docs/swagger/swagger-ui.css"):
        assert path in page.text or path == "/docs/start.js"
        assert (await site.ask("GET", path, None)).status_code == 200
    description = (await site.ask("GET", "/openapi.json", None)).json()
    documented = description["paths"].keys() | {path for _, path in ROUTES.values() if "0000" in path}
    assert {path for _, path in ROUTES.values()} <= documented


async def test_nodes_are_listed_drained_and_resumed(site: Site) -> None:
    assert [node["name"] for node in await site.items("/v1/nodes")] == ["a"]
    for what, draining in (("drain", True), ("resume", False)):
        answer = await site.ask("POST", f"/v1/nodes/a.example/{what}")
        assert answer.json() == {"name": "a.example", "draining": draining, "shards": 0}
    assert (await site.ask("POST", "/v1/nodes/a/burn")).status_code == 422


async def test_media_workers_are_listed_and_drained(site: Site) -> None:
    assert [one["worker"] for one in await site.items("/v1/media")] == [1, 2]
    answer = await site.ask("POST", "/v1/media/2/drain")
    assert (answer.json()["worker"], answer.json()["draining"]) == (2, True)
    assert (await site.ask("POST", "/v1/media/one/drain")).status_code == 422
    assert (await site.ask("POST", "/v1/media/2/drain", key_of(Role.SUPERVISOR, "acme"))).status_code == 403


async def test_conferences_are_listed_and_changed(site: Site) -> None:
    (conference,) = await site.items("/v1/conferences", key_of(Role.SUPERVISOR, "globex"))
    assert (conference["tenant"], conference["members"][0]["member"]) == ("globex", "x1")
    for path, what, member in (
        ("7000/lock", "lock", ""),
        ("7000/members/x1/mute", "mute", "x1"),
        ("%2A7/members/x1/kick", "kick", "x1"),
    ):
        answer = await site.ask("POST", f"/v1/conferences/{path}?tenant=acme", headers={"Idempotency-Key": path})
        assert answer.json() == {"changed": True}
        name, args, actor, command = site.commands.asked[-1]
        number = "*7" if what == "kick" else "7000"
        assert (name, actor) == ("conferences.change", "api:operator-None")
        assert args == {"number": number, "what": what, "member": member, "tenant": "acme"}
        assert command.endswith(path)
    assert (await site.ask("POST", "/v1/conferences/7000/unlock?tenant=acme")).json() == {"changed": False}


async def test_something_is_said_in_a_conference(site: Site) -> None:
    for path, member in ("7000/announce", ""), ("7000/members/x1/announce", "x1"):
        said = {"text": "Hello", "language": "en-GB"}
        answer = await site.ask("POST", f"/v1/conferences/{path}?tenant=acme", json=said)
        assert answer.json() == {"changed": True}
        _, args, _, _ = site.commands.asked[-1]
        said = {"what": "announce", "text": "Hello", "language": "en-gb"}
        assert args == {"number": "7000", "member": member, "tenant": "acme", **said}
    for wrong in ({}, {"text": " "}, {"text": "x" * 501}, {"text": "x", "language": "no language"}):
        is_problem(await site.ask("POST", "/v1/conferences/7000/announce?tenant=acme", json=wrong), 422)


async def test_messages_are_listed_heard_marked_and_deleted(site: Site) -> None:
    own = key_of(Role.TENANT_ADMIN, "globex")
    (box,) = await site.items("/v1/mailboxes", own)
    assert (box["tenant"], box["new"]) == ("globex", 1)
    path = "/v1/mailboxes/1002/messages"
    (message,) = await site.items(path, own)
    assert message["message"] == "m1"
    audio = await site.ask("GET", f"{path}/m1/audio", own)
    assert (audio.headers["Content-Type"], audio.content) == ("audio/wav", b"globex/voicemail/m1")
    assert audio.headers["Cache-Control"] == "no-store"
    for method, where, what in (("POST", "/heard", "heard"), ("POST", "/new", "new"), ("DELETE", "", "delete")):
        answer = await site.ask(method, f"{path}/m1{where}", own)
        assert answer.json() == {"changed": what != "new"}
        assert site.commands.asked[-1][1] == {"tenant": "globex", "number": "1002", "message": "m1", "what": what}
    is_problem(await site.ask("GET", f"{path}?tenant=acme", own), 404)
    assert is_problem(await site.ask("GET", path), 422)["field"] == "tenant"
    assert (await site.ask("GET", path, key_of(Role.SUPERVISOR, "globex"))).status_code == 403, "it is private"


async def test_a_conference_is_one_tenants(site: Site) -> None:
    path = "/v1/conferences/7000/lock"
    assert is_problem(await site.ask("POST", path), 422)["field"] == "tenant"
    own = key_of(Role.SUPERVISOR, "globex")
    assert (await site.ask("POST", path, own)).status_code == 200
    assert site.commands.asked[-1][1]["tenant"] == "globex"
    is_problem(await site.ask("POST", f"{path}?tenant=acme", own), 404)
    for wrong in ("7000/burn", "7000/members/x1/lock", "7000/members/x1/burn"):
        assert (await site.ask("POST", f"/v1/conferences/{wrong}?tenant=acme")).status_code == 422
