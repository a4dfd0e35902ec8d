"""Greetings of mailboxes over HTTP: brought, fetched and erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from api.app import create_app
from domain.apikey import Role
from tests.api.fakes import FakeCommands, FakeKeys, FakeMessages, FakeQueries, FakeRecordings, key_of

PATH = "/v1/mailboxes/1002/greetings"


@dataclass
class Site:
    client: httpx.AsyncClient
    commands: FakeCommands
    messages: FakeMessages


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    commands, messages = FakeCommands(), FakeMessages()
    app = create_app(FakeQueries(), commands, FakeKeys(), FakeRecordings(), messages)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key_of(Role.TENANT_ADMIN, 'acme')}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield Site(client, commands, messages)


async def test_a_greeting_is_brought_fetched_and_erased(site: Site) -> None:
    answer = await site.client.put(f"{PATH}/busy/audio", content=b"RIFF")
    assert answer.json() == {"greeting": "busy", "sha256": "ab", "duration_ms": 1000}
    assert site.messages.brought == [b"RIFF"]
    assert site.messages.discarded == []
    name, args, _, _ = site.commands.asked[-1]
    assert (name, args["tenant"], args["number"], args["greeting"]) == ("mailboxes.greet", "acme", "1002", "busy")
    assert (args["message"], args["file"], args["key"]) == ("m", "acme/voicemail/m", "00" * 32)
    (shown,) = (await site.client.get(PATH)).json()["items"]
    assert shown["greeting"] == "busy"
    fetched = await site.client.get(f"{PATH}/busy/audio")
    assert (fetched.headers["Content-Type"], fetched.content) == ("audio/wav", b"acme/voicemail/busy")
    assert fetched.headers["Cache-Control"] == "no-store"
    assert (await site.client.delete(f"{PATH}/busy")).json() == {"changed": True}


async def test_what_is_not_taken_is_not_left_in_the_storage(site: Site) -> None:
    nobodys = PATH.replace("1002", "1003")
    assert (await site.client.put(f"{nobodys}/busy/audio", content=b"RIFF")).status_code == 404
    assert site.messages.discarded == ["acme/voicemail/m"]
    again = await site.client.put(f"{PATH}/away/audio", content=b"RIFF", headers={"Idempotency-Key": "once"})
    assert again.status_code == 200
    assert len(site.messages.discarded) == 2, "the first one is there"


async def test_what_may_have_been_taken_is_left_in_the_storage(site: Site) -> None:
    """The answer was lost, perhaps: then the mailbox has the greeting, and needs its file."""
    assert (await site.client.put(f"{PATH}/none/audio", content=b"RIFF")).status_code == 503
    assert site.messages.discarded == []


async def test_there_is_no_greeting_for_anything_else(site: Site) -> None:
    assert (await site.client.put(f"{PATH}/sad/audio", content=b"RIFF")).status_code == 422
    assert (await site.client.put(f"{PATH}/busy/audio?tenant=globex", content=b"RIFF")).status_code == 404
    assert site.messages.brought == []
    user = {"Authorization": f"Bearer {key_of(Role.SUPERVISOR, 'acme')}"}
    assert (await site.client.get(PATH, headers=user)).status_code == 403, "it is private"


async def test_too_much_is_refused_before_all_of_it_has_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.mailboxes.MAX_WAVE", 3)
    assert (await site.client.put(f"{PATH}/busy/audio", content=b"RIFF")).status_code == 413
    assert site.messages.brought == []
