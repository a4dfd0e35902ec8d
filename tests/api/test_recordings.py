"""The routes about recordings over fakes: whose are seen, pages, parts of a sound."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.apikey import Role
from tests.api.fakes import SOUND, key_of
from tests.api.test_api import OPERATOR, Site
from tests.api.test_api import site as site

FIRST, SECOND = f"{UUID(int=0)}-1", f"{UUID(int=1)}-1"
ACME = key_of(Role.SUPERVISOR, "acme")


async def test_pages_have_every_recording_once(site: Site) -> None:
    found, cursor = [], ""
    while True:
        answer = (await site.ask("GET", f"/v1/recordings?limit=2{cursor}")).json()
        found += [item["recording"] for item in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert len(found) == len(set(found)) == 6


async def test_of_a_tenant_its_own(site: Site) -> None:
    assert {one["tenant"] for one in await site.items("/v1/recordings", ACME)} == {"acme"}
    assert (await site.ask("GET", f"/v1/recordings/{SECOND}", ACME)).status_code == 404
    assert (await site.ask("GET", f"/v1/recordings/{SECOND}/audio", ACME)).status_code == 404
    assert (await site.ask("GET", f"/v1/recordings/{FIRST}/audio", ACME)).status_code == 200


async def test_filters(site: Site) -> None:
    assert len(await site.items(f"/v1/recordings?call={UUID(int=1)}")) == 1
    assert len(await site.items("/v1/recordings?from=2026-03-01T09:01:00Z&to=2026-03-01T09:03:00Z")) == 2
    assert (await site.ask("GET", "/v1/recordings?from=2026-03-01T09:01:00")).status_code == 422
    assert (await site.ask("GET", "/v1/recordings?cursor=nonsense")).status_code == 422


async def test_the_sound(site: Site) -> None:
    answer = await site.ask("GET", f"/v1/recordings/{FIRST}/audio")
    assert (answer.status_code, answer.content) == (200, SOUND)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-disposition"] == f'attachment; filename="{FIRST}.wav"'
    assert answer.headers["content-length"] == "200"


@pytest.mark.parametrize(
    ("wanted", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=190-", 206, 190, 200),
        ("bytes=-5", 206, 195, 200),
        ("bytes=100-1000", 206, 100, 200),
        ("bytes=0-", 200, 0, 200),
        ("bytes=0-1,5-6", 200, 0, 200),
        ("rows=1-2", 200, 0, 200),
    ],
)
async def test_a_part_of_it(site: Site, wanted: str, status: int, start: int, end: int) -> None:
    answer = await site.ask("GET", f"/v1/recordings/{FIRST}/audio", OPERATOR, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, SOUND[start:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/200"


async def test_a_part_that_is_not_there(site: Site) -> None:
    answer = await site.ask("GET", f"/v1/recordings/{FIRST}/audio", OPERATOR, headers={"Range": "bytes=200-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */200")
