"""The command line against a real HTTP server over fakes: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
import uvicorn
import yaml

from api.app import create_app
from domain.apikey import Role
from domain.refusal import Refusal
from switchlog.cli import app as cli
from switchlog.cli import media
from switchlog.cli.demo import demo_text
from switchlog.setting.settings import load
from tests.api.fakes import SOUND, FakeCommands, FakeKeys, FakeMessages, FakeQueries, FakeRecordings, key_of
from tests.fixtures.ports import free_ports
from tests.switchlog.offices import Desk


@dataclass
class Site:
    url: str
    data: Path
    queries: FakeQueries = field(default_factory=FakeQueries)
    commands: FakeCommands = field(default_factory=FakeCommands)


class _Server(uvicorn.Server):
    """Tells when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on a free port, found by its data folder."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Site(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path)
    app = create_app(made.queries, made.commands, FakeKeys(), FakeRecordings(), FakeMessages())
    server = _Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    assert server.ready.wait(20)
    (tmp_path / "api.json").write_text(json.dumps({"url": made.url, "key": key_of(Role.OPERATOR)}))
    for name in [name for name in os.environ if name.startswith("SWITCHLOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHLOG_DATA", str(tmp_path))
    yield made
    server.should_exit = True
    thread.join(20)
    listener.close()


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> Ended:
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        out, err = capsys.readouterr()
        code = caught.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, out, err)

    return call


@pytest.mark.parametrize("command", ["calls", "registrations", "cdr"])
def test_json_is_what_the_api_has(site: Site, run: Run, command: str) -> None:
    ended = run(command, "--json", "--tenant", "acme")
    content = json.loads(ended.out)
    assert ended.code == 0
    assert content.keys() == {"items", "next"}
    assert {item["tenant"] for item in content["items"]} == {"acme"}


@pytest.mark.parametrize("command", ["calls", "registrations", "cdr", "events"])
def test_a_table_for_people(site: Site, run: Run, command: str) -> None:
    ended = run(command)
    assert (ended.code, ended.err) == (0, "")
    assert "tenant" in ended.out.splitlines()[0]
    assert "globex" in ended.out


def test_a_calls_story_is_a_ladder_with_events(site: Site, run: Run) -> None:
    call = str(site.queries.rows[0]["call_id"])
    ended = run("calls", "show", call)
    assert (ended.code, ended.err) == (0, "")
    head, first, *_ = ended.out.splitlines()
    assert head.split() == ["1001", "switchlog", "1002", "desk", "events"]
    assert "INVITE" in first and "call.offered" in first
    assert json.loads(run("calls", "show", call, "--json").out)["call_id"] == call
    assert "INVITE sip:1002@acme.example SIP/2.0" in run("calls", "show", call, "--raw").out
    assert "SWITCHLOG_TRACE_BYTES" in run("calls", "show", call, "--wire").err
    assert run("calls", "show", str(UUID(int=999))).code == 2


def test_a_caller_cannot_steer_the_terminal(site: Site, run: Run) -> None:
    site.queries.rows[-1]["from_number"] = "\x1b]0;mine\x07[red]x[/red]\n2"
    ended = run("cdr", "--limit", "1")
    assert "\x1b" not in ended.out
    assert "[red]x[/red]" in ended.out


def test_records_are_filtered_and_paged(site: Site, run: Run) -> None:
    filtered = run(
        "cdr", "--json", "--number", "1004", "--from", "2026-03-01T09:00:00Z", "--to", "2026-03-02T00:00:00Z"
    )
    assert [item["to_number"] for item in json.loads(filtered.out)["items"]] == ["1004"]
    first = run("cdr", "--limit", "12")
    cursor = first.err.split("--cursor ")[1].strip()
    assert len(json.loads(run("cdr", "--json", "--cursor", cursor).out)["items"]) == 8


def test_events_are_json_lines(site: Site, run: Run) -> None:
    ended = run("events", "--json", "--after", "15", "--type", "call.offered")
    assert [json.loads(line)["position"] for line in ended.out.splitlines()] == [16, 17, 18, 19, 20]
    limited = run("events", "--json", "--limit", "2")
    assert len(limited.out.splitlines()) == 2
    after = re.findall(r"--after (\S+)", limited.err)
    assert len(run("events", "--json", "--after", *after).out.splitlines()) == 18
    assert run("events", "--json", "--after", "end").out == ""
    assert run("events", "--after", "yesterday").code == 2


def test_following_goes_on_with_new_events_until_it_is_ended(site: Site) -> None:
    words = [sys.executable, "-m", "switchlog", "events", "--follow", "--json", "--after", "19", "--type", "call.o"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "no type is called 'call.o'" in process.stderr.readline()
        assert json.loads(process.stdout.readline())["position"] == 20
        site.queries.rows.append(site.queries.rows[0])
        assert json.loads(process.stdout.readline())["position"] == 21
        process.terminate()


@pytest.mark.parametrize("words", [("calls",), ("registrations",), ("cdr",), ("events",), ("events", "--json")])
def test_a_tenant_that_nobody_knows_is_named_with_those_that_are(site: Site, run: Run, words: tuple[str, ...]) -> None:
    ended = run(*words, "--tenant", "akme")
    assert ended.code == 0
    assert ended.err == "nothing matches: no tenant is called 'akme'; there are acme\n"


@pytest.mark.parametrize("word", ["call.conected", "call", "2", "call.connected.77"])
def test_a_type_that_nobody_knows_is_named_with_those_that_are(site: Site, run: Run, word: str) -> None:
    ended = run("events", "--after", "20", "--type", word)
    assert f"no type is called {word!r}; there are " in ended.err
    assert "call.connected, " in ended.err
    assert ".1" not in ended.err


def test_what_is_known_and_finds_nothing_is_said(site: Site, run: Run) -> None:
    site.queries.rows.clear()
    assert run("events", "--type", "call.connected").err == "nothing matches\n"
    assert run("events", "--type", "call.connected.1", "--tenant", "acme").err == "nothing matches\n"
    assert run("cdr", "--number", "4711").err == "nothing matches\n"
    assert run("calls", "--tenant", "acme").err == "nothing matches\n"
    assert run("cdr").err == "", "an empty list speaks for itself"
    assert json.loads(run("cdr", "--json", "--number", "4711").out)["items"] == []


def test_messages_are_shown_saved_and_deleted(site: Site, run: Run, tmp_path: Path) -> None:
    assert run("mailboxes").out.splitlines()[1].split() == ["acme", "1002", "1", "0"]
    shown = run("mailboxes", "messages", "1002", "--tenant", "acme")
    assert (shown.code, "Alice" in shown.out) == (0, True)
    wav = tmp_path / "message.wav"
    assert run("mailboxes", "save", "1002", "m1", str(wav), "--tenant", "acme").code == 0
    assert wav.read_bytes() == b"acme/voicemail/m1"
    assert run("mailboxes", "heard", "1002", "m1", "--tenant", "acme").err == "m1 has been heard\n"
    assert run("mailboxes", "new", "1002", "m1", "--tenant", "acme").code == 1
    deleted = run("mailboxes", "delete", "1002", "m1", "--tenant", "acme", "--json")
    assert json.loads(deleted.out) == {"changed": True}
    assert site.commands.asked[-1][1]["what"] == "delete"


def test_greetings_are_brought_shown_saved_and_deleted(site: Site, run: Run, tmp_path: Path) -> None:
    wav, own = tmp_path / "greeting.wav", ("--tenant", "acme")
    wav.write_bytes(b"RIFF")
    assert run("mailboxes", "greet", "1002", "busy", str(wav), *own).err.startswith("callers of 1002 hear")
    assert "busy" in run("mailboxes", "greetings", "1002", *own).out
    assert run("mailboxes", "save-greeting", "1002", "busy", str(wav), *own).code == 0
    assert wav.read_bytes() == b"acme/voicemail/busy"
    assert run("mailboxes", "delete-greeting", "1002", "busy", *own).err == "the greeting is deleted\n"
    assert run("mailboxes", "greet", "1002", "sad", str(wav), *own).code == 2


def test_recordings_are_shown_fetched_steered_and_erased(site: Site, run: Run, tmp_path: Path) -> None:
    ended = run("recordings", "--tenant", "acme")
    assert (ended.code, ended.out.count("acme"), "globex" in ended.out) == (0, 3, False)
    items = json.loads(run("recordings", "--json", "--limit", "2").out)
    assert (len(items["items"]), bool(items["next"])) == (2, True)
    name, path = items["items"][0]["recording"], tmp_path / "sound.wav"
    assert run("recordings", "audio", name, "-o", str(path)).code == 0
    assert path.read_bytes() == SOUND
    missing = run("recordings", "audio", "nothing", "-o", str(tmp_path / "none.wav"))
    assert (missing.code, "there is no recording nothing" in missing.err) == (2, True)
    assert not (tmp_path / "none.wav").exists()
    assert run("recordings", "steer", "00000000-0000-0000-0000-000000000001", "start").code == 0
    assert run("recordings", "steer", "00000000-0000-0000-0000-000000000001", "stop").code == 1
    assert site.commands.asked[-1][1]["wish"] == "stop"
    assert run("recordings", "erase", name).code == 0
    assert site.commands.asked[-1][:2] == ("recordings.erase", {"tenant": None, "recording": name})


def test_conferences_are_shown_and_changed(site: Site, run: Run) -> None:
    ended = run("conferences")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[1].split()[:4] == ["acme", "7000", "no", "1001"]
    assert json.loads(run("conferences", "--json", "--tenant", "globex").out)["items"][0]["tenant"] == "globex"
    kicked = run("conferences", "kick", "*7", "x1", "--tenant", "acme")
    assert (kicked.code, kicked.err) == (0, "x1: its call is ended\n")
    _, args, _, _ = site.commands.asked[-1]
    assert args == {"number": "*7", "what": "kick", "member": "x1", "tenant": "acme"}
    for what in ("mute", "unmute", "deafen", "undeafen"):
        assert run("conferences", what, "7000", "x1", "--tenant", "acme").code == 0
        assert site.commands.asked[-1][1]["what"] == what
    said = run("conferences", "announce", "7000", "Hello all", "--language", "de", "--tenant", "acme")
    assert (said.code, said.err) == (0, "it is said\n")
    args = site.commands.asked[-1][1]
    assert (args["member"], args["text"], args["language"]) == ("", "Hello all", "de")
    assert run("conferences", "announce", "7000", "Hello you", "--member", "x1", "--tenant", "acme").code == 0
    assert site.commands.asked[-1][1]["member"] == "x1"
    assert json.loads(run("conferences", "lock", "7000", "--tenant", "acme", "--json").out) == {"changed": True}
    unlocked = run("conferences", "unlock", "7000", "--tenant", "acme")
    assert (unlocked.code, unlocked.err) == (1, "nothing was changed: 7000 is open\n")
    assert run("conferences", "lock", "7000").code == 2, "an operator must say whose"


def test_the_version_is_that_of_the_package(run: Run) -> None:
    ended = run("--version")
    assert (ended.code, ended.out) == (0, f"switchlog {version('switchlog')}\n")


def test_apply_sends_all_files_together(site: Site, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tenants: []")
    (tmp_path / "b.json").write_text('{"tenants": []}')
    ended = run("apply", str(tmp_path / "a.yaml"), str(tmp_path / "b.json"))
    assert ended.code == 0
    assert "created" in ended.out
    (_, args, _, _) = site.commands.asked[0]
    assert [one["source"] for one in args["documents"]] == [str(tmp_path / "a.yaml"), str(tmp_path / "b.json")]


def test_a_bad_file_is_one_line_with_its_place(site: Site, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tenants: []")
    site.commands.refusal = Refusal("invalid", "is missing", source="a.yaml", line=2, field="tenants[0].name")
    ended = run("apply", str(tmp_path / "a.yaml"))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "switchlog: a.yaml:2: tenants[0].name: is missing\n"
    assert run("apply", str(tmp_path / "none.yaml")).code == 2


def test_export_is_the_format_that_apply_takes(site: Site, run: Run) -> None:
    assert yaml.safe_load(run("export", "--tenant", "acme").out) == {"tenants": [{"slug": "acme", "extensions": []}]}
    assert json.loads(run("export", "--json", "--secrets").out)["tenants"][0]["slug"] == "acme"
    assert [args["secrets"] for _, args, _, _ in site.commands.asked] == [False, True]


def test_a_key_alone_is_on_standard_output(site: Site, run: Run) -> None:
    ended = run("keys", "create", "--role", "analyst", "--tenant", "acme")
    assert ended.out == "switchlog_k1_x\n"
    assert "not shown again" in ended.err


def test_projections(site: Site, run: Run) -> None:
    assert "cdr" in run("projections", "list").out
    site.commands.states = [{"state": "running", "done": 1, "total": 2}, {"state": "done", "done": 2, "total": 2}]
    assert run("projections", "rebuild", "cdr").code == 0
    site.commands.states = [{"state": "done", "differences": []}]
    assert run("projections", "verify", "cdr").code == 0
    site.commands.states = [{"state": "done", "differences": [{"table": "cdr", "month": "202603"}]}]
    differs = run("projections", "verify", "cdr")
    assert differs.code == 1
    assert "differs: table cdr, month 202603" in differs.err
    site.commands.states = [{"state": "failed", "detail": "no room"}]
    failed = run("projections", "rebuild", "cdr", "--json")
    assert failed.code == 1
    assert "no room" in failed.err


def test_exit_codes_of_a_server_that_says_no(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("calls", "--tenant", "nobody").code == 0
    assert run("cdr", "--limit", "0").code == 2
    assert run("cdr", "--from", "yesterday").code == 2
    assert run("calls", "--no-such-option").code == 2
    site.queries.down = True
    assert run("cdr").code == 3
    monkeypatch.setenv("SWITCHLOG_URL", site.url)
    monkeypatch.setenv("SWITCHLOG_API_KEY", "wrong")
    unknown = run("calls")
    assert (unknown.code, unknown.err) == (2, "switchlog: this API key is not known\n")


def test_a_server_that_is_not_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHLOG_DATA", str(tmp_path))
    assert run("calls").code == 3
    (port,) = free_ports(1)
    monkeypatch.setenv("SWITCHLOG_URL", f"http://127.0.0.1:{port}")
    assert run("calls").code == 2, "an address without a key"
    monkeypatch.setenv("SWITCHLOG_API_KEY", "k")
    gone = run("calls")
    assert gone.code == 3
    assert "cannot be reached" in gone.err
    assert gone.err.count("\n") == 1


def test_a_local_key_is_not_sent_to_another_server(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHLOG_URL", "http://127.0.0.1:1")
    ended = run("calls")
    assert ended.code == 2
    assert "SWITCHLOG_API_KEY" in ended.err


def test_settings_are_shown_and_a_wrong_one_ends_serve(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHLOG_ADMIN_KEY", "k" * 16)
    shown = json.loads(run("settings", "--json").out)
    assert shown["SWITCHLOG_ADMIN_KEY"] == "********"
    monkeypatch.setenv("SWITCHLOG_JOURNAL", "postgres://127.0.0.1:5432")
    for command in ("settings", "serve"):
        ended = run(command)
        assert ended.code == 2
        assert ended.err.startswith("switchlog: SWITCHLOG_JOURNAL: ")
        assert ended.err.count("\n") == 1


def test_the_demo_is_for_loopback_only(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHLOG_SIP_TCP", "127.0.0.1:5060,192.0.2.1:5060")
    ended = run("serve", "--demo", "--data", str(tmp_path))
    assert ended.code == 2
    assert "SWITCHLOG_SIP_TCP must be a loopback address" in ended.err


def test_an_unknown_role_is_named(run: Run, tmp_path: Path) -> None:
    ended = run("serve", "--data", str(tmp_path), "--role", "king")
    assert ended.code == 2
    assert "unknown role 'king'" in ended.err


@pytest.mark.parametrize(("journal", "rooms"), [("sqlite:", 1), ("kafka://127.0.0.1", 1)])
def test_the_demo_file_can_be_applied(tmp_path: Path, journal: str, rooms: int) -> None:
    desk = Desk(tmp_path)
    desk.apply(demo_text(load(environment={}, journal=journal, node="a")))
    assert desk.office.directory().tenant_of("demo.example") == "demo"
    assert len(desk.office.directory().rooms) == rooms


def test_a_media_worker_is_drained_until_it_has_ended(site: Site, run: Run) -> None:
    head, first, _ = run("media").out.splitlines()
    assert head.split() == ["worker", "there", "draining", "contexts", "legs", "pressure"]
    assert first.split() == ["1", "yes", "no", "1", "3", "0.2"]
    ended = run("media", "drain", "2")
    assert (ended.code, ended.err.splitlines()[-1]) == (0, "media worker 2 has ended, and is started again")
    assert site.commands.asked[-2][:2] == ("media.drain", {"worker": 2})
    assert json.loads(run("media", "drain", "2", "--json").out)["worker"] == 2


def test_a_media_worker_that_is_not_empty_in_time_is_the_answer_no(
    site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.commands.draining.add(2)
    monkeypatch.setattr(media, "_PATIENCE_S", 0.0)
    ended = run("media", "drain", "2")
    assert (ended.code, ended.err.splitlines()[-1]) == (1, "media worker 2 has 1 rooms and calls left")
