"""The declared format: what one file may say, and where each fault is found."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from domain.declaration import Document, TenantDeclaration, declared
from domain.extension import shown_media
from domain.refusal import Refusal
from domain.values import DIRECT, IdentityPolicy, MediaPolicy

GOOD = """\
tenants:
  - slug: acme
    name: Acme Ltd
    domains: [Acme.example]
    country: GB
    timezone: Europe/London
    extensions:
      - number: "1001"
        name: Alice
        password: "secret"
        devices: [{username: alice-desk, password: "secret"}]
"""


def read(text: str) -> tuple[TenantDeclaration, ...]:
    return declared([Document("a.yaml", text)])


def fault(text: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(text)
    assert caught.value.kind == "invalid"
    assert caught.value.source == "a.yaml"
    assert "\n" not in str(caught.value)
    return caught.value


def media_of(keys: str) -> MediaPolicy:
    (tenant,) = read(GOOD.replace("        name: Alice\n", f"        name: Alice\n{keys}"))
    return tenant.extensions[0].media


def test_what_becomes_of_an_extensions_media() -> None:
    assert media_of("") is DIRECT
    assert media_of("        media: direct\n") is DIRECT
    assert media_of("        media: relay\n        srtp: true\n") == MediaPolicy(relayed=True, srtp=True)
    assert media_of("        srtp: false\n") == MediaPolicy(srtp=False)
    assert media_of("        transcode: false\n") == MediaPolicy(transcode=False)
    on_demand = "        recording: {mode: on_demand, keys: false}\n"
    assert media_of(on_demand) == MediaPolicy(recording="on_demand", keys=False)


@pytest.mark.parametrize(
    "media", [DIRECT, MediaPolicy(transcode=False), MediaPolicy("on_demand", keys=False, srtp=True)]
)
def test_it_is_shown_as_it_may_be_declared(media: MediaPolicy) -> None:
    shown = shown_media(media)
    assert media_of("".join(f"        {key}: {json.dumps(value)}\n" for key, value in shown.items())) == media


@pytest.mark.parametrize(
    ("keys", "detail"),
    [("media: maybe", "'maybe' is not usable: direct or relay"), ("srtp: perhaps", "must be true or false, not text")],
)
def test_a_policy_that_is_none(keys: str, detail: str) -> None:
    no = fault(GOOD.replace("        name: Alice\n", f"        name: Alice\n        {keys}\n"))
    assert detail in str(no)


def outcome(text: str) -> Refusal | None:
    try:
        read(text)
    except Refusal as no:
        return no
    return None


def test_a_good_file() -> None:
    (tenant,) = read(GOOD)
    assert (tenant.slug, tenant.domains, tenant.country) == ("acme", ("acme.example",), "GB")
    (extension,) = tenant.extensions
    assert extension.default is not None
    assert (extension.number, extension.default.username, extension.ring_s) == ("1001", "1001", 60)
    assert [device.username for device in extension.devices] == ["alice-desk"]


ROOMS = """\
    conferences:
      - {number: "7000", name: Board, pin: "1234", moderator_pin: "9999"}
      - number: "7001"
        pin: null
"""


BOXES = """
tenants:
  - slug: acme
    name: Acme
    domains: [acme.example]
    country: GB
    timezone: Europe/London
    voicemail: "*97"
    conferences: [{number: "7000"}]
    mailboxes:
      - {number: "1001", pin: "1234", pinless: true, language: de-at, message_s: 60, email: "a@acme.example"}
      - {number: "1002", greetings: {busy: null, none: "Hello."}, keep_days: 0}
"""


def test_mailboxes() -> None:
    (tenant,) = declared([Document("f", BOXES)])
    first, second = tenant.mailboxes
    assert (tenant.voicemail, first.number, first.pin, first.wanted.pinless) == ("*97", "1001", "1234", True)
    assert (first.wanted.language, first.wanted.message_s, first.wanted.messages) == ("de-at", 60, 100)
    assert (second.pin, second.wanted.greetings) == (None, {"busy": "", "none": "Hello."})
    assert (second.wanted.keep_days, second.wanted.email) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "field", "detail"),
    [
        ('number: "1002"', 'number: "1001"', "mailboxes[1].number", "doubled"),
        ('number: "1002"', 'number: "7000"', "mailboxes[1]", "belongs to a conference"),
        ("pinless: true", "pinless: 1", "mailboxes[0].pinless", "true or false"),
        ("pinless: true", "has_pin: true", "mailboxes[0].has_pin", "not both"),
        ("language: de-at", "language: german", "mailboxes[0].language", "a language as in BCP 47"),
        ("message_s: 60", "message_s: 0", "mailboxes[0].message_s", "from 1 to 3600"),
        ('"a@acme.example"', '"a b@acme.example"', "mailboxes[0].email", "e-mail"),
        ("busy: null", "sad: null", "mailboxes[1].greetings.sad", "unknown key"),
        ("keep_days: 0", "keep: 0", "mailboxes[1].keep", "unknown key"),
    ],
)
def test_a_mailbox_that_is_wrong_is_refused_with_its_place(old: str, new: str, field: str, detail: str) -> None:
    assert old in BOXES
    with pytest.raises(Refusal) as refused:
        declared([Document("f", BOXES.replace(old, new))])
    assert refused.value.field == f"tenants[0].{field}"
    assert detail in refused.value.detail


def test_conferences_with_and_without_pins() -> None:
    (tenant,) = read(GOOD + ROOMS)
    board, plain = tenant.conferences
    assert (board.number, board.name, board.pin, board.moderator_pin) == ("7000", "Board", "1234", "9999")
    assert (plain.name, plain.pin, plain.moderator_pin) == ("7001", "", None)


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ('number: "7001"', 'number: "7000"', "conferences[1].number", "doubled"),
        ('number: "7001"', 'number: "1001"', "conferences[1].number", "doubled"),
        ('pin: "1234"', "has_pin: false", "conferences[0].has_pin", "true only"),
        ('pin: "1234"', 'pin: "1234", has_pin: true', "conferences[0].has_pin", "not both"),
        ('pin: "1234"', "language: english", "conferences[0].language", "BCP 47"),
        ('pin: "1234"', "language: no", "conferences[0].language", "text"),
        ('pin: "1234"', "announce: all", "conferences[0].announce", "none, tones, words"),
        ('pin: "1234"', "pin: 1234", "conferences[0].pin", "quotes"),
        ('pin: "1234"', 'pin: "12"', "conferences[0].pin", "3 to 16 digits"),
        ('pin: "1234"', 'pin: "12#4"', "conferences[0].pin", "3 to 16 digits"),
        ('pin: "1234"', 'pin: "9999"', "conferences[0].moderator_pin", "another PIN"),
        ("name: Board", "title: Board", "conferences[0].title", "unknown key"),
    ],
)
def test_a_fault_in_a_conference_names_its_field(old: str, new: str, field: str, words: str) -> None:
    text = GOOD + ROOMS
    assert old in text
    found = fault(text.replace(old, new, 1))
    assert found.field == f"tenants[0].{field}"
    assert words in found.detail


def test_what_tells_a_calls_way_is_stripped_unless_it_is_to_pass() -> None:
    assert read(GOOD)[0].identity == IdentityPolicy("strip", "strip")
    (tenant,) = read(GOOD.replace("    country", "    identity: {diversion: pass}\n    country"))
    assert tenant.identity == IdentityPolicy("pass", "strip")


def test_json_is_taken_too() -> None:
    content = yaml.safe_load(GOOD)
    content["tenants"][0]["name"] = "Acme \U0001f600"
    for indent in (None, 2):
        (tenant,) = read(json.dumps(content, indent=indent))
        assert tenant.name == "Acme \U0001f600"


FAULTS: list[tuple[str, str, int, str, str]] = [
    ("slug: acme", "sluug: acme", 2, "tenants[0].sluug", "unknown key"),
    ("    country: GB\n", "", 2, "tenants[0].country", "is missing"),
    ("country: GB", "country: UK", 5, "tenants[0].country", "is not a country code"),
    ("country: GB", "country: GB\n    identity: {history: keep}", 6, "tenants[0].identity.history", "is not usable"),
    ("country: GB", "country: GB\n    identity: {x: pass}", 6, "tenants[0].identity.x", "unknown key"),
    ("timezone: Europe/London", "timezone: Europe/Londn", 6, "tenants[0].timezone", "is not a time zone"),
    ("domains: [Acme.example]", "domains: [a.example, A.example]", 4, "tenants[0].domains[1]", "is doubled"),
    ("domains: [Acme.example]", "domains: []", 4, "tenants[0].domains", "at least one"),
    ("domains: [Acme.example]", "domains: acme.example", 4, "tenants[0].domains", "must be a list"),
    ("domains: [Acme.example]", "domains: ['sip:acme']", 4, "tenants[0].domains[0]", "is not a domain name"),
    ('number: "1001"', "number: 1001", 8, "tenants[0].extensions[0].number", 'write it in quotes, "1001"'),
    ('number: "1001"', 'number: "10 01"', 8, "tenants[0].extensions[0].number", "is not usable"),
    ("name: Alice", "name: yes", 9, "tenants[0].extensions[0].name", "must be text, not a truth value"),
    ("name: Alice", "name: ''", 9, "tenants[0].extensions[0].name", "must not be empty"),
    ("name: Alice", "ring_s: soon", 9, "tenants[0].extensions[0].ring_s", "whole number from 1 to 600"),
    ("name: Alice", "ring_s: 601", 9, "tenants[0].extensions[0].ring_s", "from 1 to 600, not 601"),
    ("name: Alice", "name: Alice\n        name: Bob", 10, "tenants[0].extensions[0].name", "doubled key"),
    ("username: alice-desk", 'username: "1001"', 11, "tenants[0].extensions[0].devices[0].username", "is doubled"),
    ("username: alice-desk", "username: 'a b'", 11, "tenants[0].extensions[0].devices[0].username", "not usable"),
    ('password: "secret"\n', "ha1: {MD5: abc}\n", 10, "tenants[0].extensions[0].ha1.MD5", "32 hexadecimal"),
    ('password: "secret"\n', "ha1: {}\n", 10, "tenants[0].extensions[0].ha1", "at least one"),
    ("tenants:", "tenant:", 1, "tenant", "unknown key"),
    ("    name: Acme Ltd", "\tname: Acme", 3, "", "not YAML or JSON"),
    ("name: Acme Ltd", "name: &a Acme\n    country: *a", 4, "", "aliases"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "words"), FAULTS)
def test_a_fault_names_line_and_field(old: str, new: str, line: int, field: str, words: str) -> None:
    assert old in GOOD
    found = fault(GOOD.replace(old, new, 1))
    assert (found.line, found.field) == (line, field)
    assert words in found.detail


def test_doubles_are_found_across_files() -> None:
    other = GOOD.replace("slug: acme", "slug: globex")
    with pytest.raises(Refusal, match=r"b\.yaml:4: .*'acme\.example' is doubled: it is already in a\.yaml line 4"):
        declared([Document("a.yaml", GOOD), Document("b.yaml", other)])
    with pytest.raises(Refusal, match=r"b\.yaml:2: tenants\[0\]\.slug"):
        declared([Document("a.yaml", GOOD), Document("b.yaml", GOOD)])


@pytest.mark.parametrize(
    "text", ["", "# nothing", "[]", "tenants", "null", "tenants: {}", "a: b: c", "\x00", "--- a\n--- b"]
)
def test_what_is_no_declaration_is_refused(text: str) -> None:
    fault(text)


def test_a_deep_document_is_refused() -> None:
    assert "deeper" in fault("[" * 5000).detail


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = outcome(text)
    assert found is None or found.kind == "invalid"


_LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
_VALUE: st.SearchStrategy[Any] = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "slug"]), inner),
    max_leaves=6,
)


@given(st.sampled_from(["slug", "name", "domains", "country", "timezone", "extensions", "number"]), _VALUE)
def test_any_value_in_any_place_is_read_or_refused(key: str, value: Any) -> None:
    content = yaml.safe_load(GOOD)
    tenant = content["tenants"][0]
    (tenant["extensions"][0] if key == "number" else tenant)[key] = value
    found = outcome(json.dumps(content))
    assert found is None or found.line > 0
