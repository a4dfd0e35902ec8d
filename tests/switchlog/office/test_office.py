"""Declaring, exporting, keys: what changes, what does not, and what survives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.sip.digest.challenge import ha1
from domain.declaration import Document
from domain.refusal import Refusal
from switchlog.office.office import Office, Writer
from tests.switchlog.offices import AT, ClusterDesk, Desk, acme, alice


@pytest.fixture(params=[Desk, ClusterDesk])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """Of a node that is alone, and of one in a cluster: nothing else tells them apart."""
    made: Desk = request.param(tmp_path)
    return made


def test_declared_devices_can_be_found_and_prove_themselves(desk: Desk) -> None:
    assert desk.outcomes(acme()) == {"acme/acme": "created", "acme/1001": "created", "acme/1002": "created"}
    directory = desk.office.directory()
    assert directory.tenant_of("ACME.example") == "acme"
    found = directory.extension_of("acme", "alice-desk")
    assert found is not None
    assert (found.number, found.devices, found.ring_s) == ("1001", ("1001", "alice-desk"), 60)
    for algorithm in ("MD5", "SHA-256"):
        expected = ha1("alice-desk", "acme.example", "desk-secret", algorithm)
        assert desk.store.ha1("acme", "alice-desk", "acme.example", algorithm) == expected
    assert desk.store.ha1("globex", "alice-desk", "acme.example", "MD5") is None


def test_the_same_file_again_appends_nothing(desk: Desk) -> None:
    desk.declare(acme())
    before = desk.events()
    assert set(desk.outcomes(acme()).values()) == {"unchanged"}
    assert desk.events() == before


def test_the_directory_names_the_position_of_the_last_event(desk: Desk) -> None:
    desk.declare(acme())
    first = desk.office.directory()
    desk.declare(acme(name="Acme plc"))
    second = desk.office.directory()
    assert (first.version, second.version) == (3, 4)
    assert first.tenants["acme"].name == "Acme Ltd", "a snapshot never changes"
    assert second.tenants["acme"].name == "Acme plc"


def test_a_changed_password_is_changed_and_never_in_an_event(desk: Desk) -> None:
    desk.declare(acme())
    rows = desk.outcomes(acme(extensions=[alice(password="other-secret")]))
    assert rows == {"acme/acme": "unchanged", "acme/1001": "changed"}
    assert desk.store.ha1("acme", "1001", "acme.example", "MD5") == ha1("1001", "acme.example", "other-secret", "MD5")
    text = desk.journal_text()
    for secret in ("alice-secret", "other-secret", "desk-secret", ha1("1001", "acme.example", "other-secret", "MD5")):
        assert secret not in text


def test_what_a_file_does_not_name_stays(desk: Desk) -> None:
    desk.declare(acme())
    desk.declare(acme(extensions=[]))
    assert desk.office.directory().extension("acme", "1002") is not None


def test_a_device_that_is_no_longer_listed_is_gone(desk: Desk) -> None:
    desk.declare(acme())
    desk.declare(acme(extensions=[alice(devices=[])]))
    assert desk.office.directory().extension_of("acme", "alice-desk") is None
    assert desk.store.device("acme", "alice-desk") is None


def test_a_device_can_move_to_another_extension(desk: Desk) -> None:
    desk.declare(acme())
    bob = {"number": "1002", "password": "bob-secret", "devices": [{"username": "alice-desk"}]}
    desk.declare(acme(extensions=[bob, alice(devices=[])]))
    found = desk.office.directory().extension_of("acme", "alice-desk")
    assert found is not None
    assert found.number == "1002"
    kept = desk.store.ha1("acme", "alice-desk", "acme.example", "MD5")
    assert kept == ha1("alice-desk", "acme.example", "desk-secret", "MD5")


def test_a_new_office_over_the_same_journal_knows_the_same(desk: Desk) -> None:
    desk.declare(acme())
    desk.declare(acme(name="Acme plc", extensions=[alice(ring_s=15)]))
    again = desk.again()
    assert again.office.directory() == desk.office.directory()
    assert again.office.export(with_secrets=True) == desk.office.export(with_secrets=True)
    assert set(again.outcomes(acme(name="Acme plc", extensions=[alice(ring_s=15)])).values()) == {"unchanged"}


@pytest.mark.parametrize("domains", [["acme.example"], ["acme.example", "acme.test"]])
def test_an_export_with_secrets_makes_the_same_installation(tmp_path: Path, domains: list[str]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Desk(tmp_path / "one"), Desk(tmp_path / "two")
    one.declare(acme(domains=domains))
    exported = one.office.export(with_secrets=True)
    text = yaml.safe_dump(exported, sort_keys=False)
    two.apply(text)
    assert two.office.export(with_secrets=True) == exported
    assert {row.outcome for row in two.apply(text).rows} == {"unchanged"}
    assert {row.outcome for row in one.apply(text).rows} == {"unchanged"}
    for domain in domains:
        expected = ha1("1001", domain, "alice-secret", "SHA-256")
        assert two.store.ha1("acme", "1001", domain, "SHA-256") == expected


def room(**fields: Any) -> dict[str, Any]:
    return {"number": "7000", "name": "Board", "pin": "1234", "moderator_pin": "9999"} | fields


def test_a_conference_is_declared_and_its_pins_are_sealed(desk: Desk) -> None:
    assert desk.outcomes(acme(conferences=[room()]))["acme/7000"] == "created"
    found = desk.office.directory().room("acme", "7000")
    assert found is not None
    assert (found.name, desk.store.unseal(found.pin), desk.store.unseal(found.moderator_pin)) == (
        "Board", "1234", "9999",
    )  # fmt: skip
    assert not any(pin in desk.journal_text() for pin in ('"1234"', '"9999"'))
    assert desk.outcomes(acme(conferences=[room()]))["acme/7000"] == "unchanged"
    assert desk.outcomes(acme(conferences=[{"number": "7000", "name": "Board"}]))["acme/7000"] == "unchanged"
    assert desk.again().office.directory().rooms == desk.office.directory().rooms


def test_a_mailbox_is_declared_and_its_pin_is_sealed(desk: Desk) -> None:
    box = {"number": "1001", "pin": "4321", "greetings": {"busy": None, "away": "Gone."}, "email": "a@acme.example"}
    assert desk.outcomes(acme(mailboxes=[box], voicemail="*97"))["acme/1001"] in ("created", "changed")
    found = desk.office.directory().box("acme", "1001")
    assert found is not None
    assert (desk.store.unseal(found.pin), found.greetings) == ("4321", {"busy": "", "away": "Gone."})
    assert desk.office.directory().voicemail("acme") == "*97"
    assert '"4321"' not in desk.journal_text()
    assert desk.again().office.directory().boxes == desk.office.directory().boxes
    exported = desk.office.export(with_secrets=True)["tenants"][0]
    assert (exported["mailboxes"][0]["pin"], exported["voicemail"]) == ("4321", "*97")
    (row,) = [row for row in desk.apply(yaml.safe_dump({"tenants": [exported]})).rows if row.kind == "mailbox"]
    assert row.outcome == "unchanged"


def test_an_export_without_secrets_says_that_a_mailbox_has_a_pin(desk: Desk, tmp_path: Path) -> None:
    desk.declare(acme(mailboxes=[{"number": "1001", "pin": "4321"}, {"number": "1500"}]))
    (shown,) = desk.office.export()["tenants"]
    assert [(box.get("has_pin"), box.get("pin")) for box in shown["mailboxes"]] == [(True, None), (None, None)]
    assert set(desk.outcomes(shown).values()) == {"unchanged"}
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    with pytest.raises(Refusal, match="mailbox 1001 shall have the pin that it has") as caught:
        other.declare(shown | {"extensions": []})
    assert caught.value.field == "tenants[0].mailboxes[0]"


def test_a_pin_is_changed_and_taken_away(desk: Desk) -> None:
    desk.declare(acme(conferences=[room()]))
    assert desk.outcomes(acme(conferences=[room(pin="4321")]))["acme/7000"] == "changed"
    assert desk.outcomes(acme(conferences=[room(pin=None)]))["acme/7000"] == "changed"
    found = desk.office.directory().room("acme", "7000")
    assert found is not None
    assert (found.pin, desk.store.unseal(found.moderator_pin)) == ("", "9999")


def test_an_export_has_conferences_and_their_pins_with_the_secrets_only(desk: Desk) -> None:
    desk.declare(acme(conferences=[room(), {"number": "7001", "name": "Open"}]))
    (shown,) = desk.office.export()["tenants"]
    board, opened = {"number": "7000", "name": "Board"}, {"number": "7001", "name": "Open", "announce": "tones"}
    assert shown["conferences"] == [
        board | {"announce": "tones", "has_pin": True, "has_moderator_pin": True}, opened,
    ]  # fmt: skip
    (whole,) = desk.office.export(with_secrets=True)["tenants"]
    assert whole["conferences"] == [room(announce="tones"), opened]
    assert set(desk.outcomes(whole).values()) == {"unchanged"}
    assert set(desk.outcomes(shown).values()) == {"unchanged"}


@pytest.mark.parametrize("pin", ["pin", "moderator_pin"])
def test_an_export_without_pins_makes_no_open_room_elsewhere(desk: Desk, tmp_path: Path, pin: str) -> None:
    desk.declare(acme(conferences=[{"number": "7000", pin: "1234"}]))
    (shown,) = desk.office.export()["tenants"]
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    with pytest.raises(Refusal, match=f"conference 7000 shall have the {pin} that it has") as caught:
        other.declare(shown | {"extensions": []})
    assert caught.value.field == "tenants[0].conferences[0]"
    assert other.events() == []
    (whole,) = desk.office.export(with_secrets=True)["tenants"]
    assert set(other.outcomes(whole).values()) == {"created"}


def test_what_is_spoken_is_the_room_s_language_or_its_tenant_s_or_its_country_s(desk: Desk) -> None:
    def spoken(**fields: Any) -> str:
        room = {"number": "7000"} | ({"language": fields.pop("room")} if "room" in fields else {})
        desk.declare(acme(conferences=[room], **fields))
        return desk.again().office.directory().language("acme", "7000")

    assert spoken(country="GB") == "en"
    assert spoken(country="CH") == "de"
    assert spoken(country="CH", language="fr-CH") == "fr-ch"
    assert spoken(country="CH", language="fr-CH", room="it") == "it"
    assert desk.office.directory().language("acme") == "fr-ch"
    (shown,) = desk.office.export()["tenants"]
    assert (shown["language"], shown["conferences"][0]["language"]) == ("fr-ch", "it")
    desk.declare(
        acme(country="CH", language="fr-CH", mailboxes=[{"number": "1001"}, {"number": "1500", "language": "it"}])
    )
    at_boxes = [desk.again().office.directory().language("acme", number) for number in ("1001", "1500")]
    assert at_boxes == ["fr-ch", "it"]


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        ({}, {"conferences": [{"number": "1002"}]}, "belongs to an extension"),
        ({"conferences": [room()]}, {"extensions": [{"number": "7000", "password": "x"}]}, "belongs to a conference"),
        (
            {"conferences": [room()]},
            {"conferences": [{"number": "7000", "moderator_pin": "1234"}], "extensions": []},
            "another one",
        ),
    ],
)
def test_a_number_is_one_thing_and_a_pin_too(
    desk: Desk, first: dict[str, Any], then: dict[str, Any], words: str
) -> None:
    desk.declare(acme(**first))
    before = desk.events()
    with pytest.raises(Refusal, match=words):
        desk.declare(acme(**{"extensions": [], **then}))
    assert desk.events() == before


def test_where_there_can_be_no_conference_none_is_declared(desk: Desk) -> None:
    office = Office(desk.application, desk.store, Writer("a", lambda: 1), lambda: AT, no_rooms="not in this journal")
    text = yaml.safe_dump({"tenants": [acme(conferences=[room()])]})
    with pytest.raises(Refusal, match="not in this journal") as caught:
        office.apply([Document("a.yaml", text)], "api:test", "c")
    assert caught.value.field == "tenants[0].conferences[0]"
    assert desk.events() == []


def test_the_policy_of_identity_is_declared_shown_and_taken_back(desk: Desk) -> None:
    desk.declare(acme(identity={"diversion": "pass"}))
    assert desk.office.directory().tenants["acme"].identity.diversion == "pass"
    (shown,) = desk.office.export()["tenants"]
    assert shown["identity"] == {"diversion": "pass", "history": "strip"}
    desk.declare(acme())
    assert desk.office.directory().tenants["acme"].identity.diversion == "strip"


def test_an_export_without_secrets_changes_nothing_here_and_is_refused_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Desk(tmp_path / "one"), Desk(tmp_path / "two")
    one.declare(acme())
    text = yaml.safe_dump(one.office.export(), sort_keys=False)
    assert "secret" not in text
    assert "ha1" not in text
    assert {row.outcome for row in one.apply(text).rows} == {"unchanged"}
    with pytest.raises(Refusal, match=r"password: is missing"):
        two.apply(text)


def test_a_new_domain_warns_of_devices_without_a_credential_for_it(desk: Desk) -> None:
    desk.declare(acme())
    applied = desk.declare(acme(domains=["acme.example", "acme.test"], extensions=[alice()]))
    assert applied.warnings == (
        "devices of 1002 cannot register at acme.test until their passwords are declared again",
    )


CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"slug": "globex", "extensions": []}, "tenants[0].domains[0]", "belongs to the tenant acme"),
    (
        {"extensions": [{"number": "1003", "password": "x", "devices": [{"username": "1002", "password": "y"}]}]},
        "tenants[0].extensions[0]",
        "the device 1002 belongs to the extension 1002",
    ),
    ({"extensions": [{"number": "1003"}]}, "tenants[0].extensions[0].password", "is missing"),
]


@pytest.mark.parametrize(("change", "field", "words"), CONTRADICTIONS)
def test_what_contradicts_the_rest_changes_nothing(desk: Desk, change: dict[str, Any], field: str, words: str) -> None:
    desk.declare(acme())
    before, exported = desk.events(), desk.office.export(with_secrets=True)
    with pytest.raises(Refusal) as caught:
        desk.declare(acme(name="never", **change))
    assert (caught.value.kind, caught.value.field) == ("invalid", field)
    assert words in str(caught.value)
    assert caught.value.line > 0
    assert (desk.events(), desk.office.export(with_secrets=True)) == (before, exported)


def test_a_domain_may_move_within_one_file(desk: Desk) -> None:
    desk.declare(acme())
    globex = acme(slug="globex", domains=["acme.example"], extensions=[])
    desk.declare(globex, acme(domains=["acme.test"], extensions=[]))
    assert desk.office.directory().tenant_of("acme.example") == "globex"
    assert desk.office.directory().tenant_of("acme.test") == "acme"


def test_a_crash_before_the_append_is_mended_by_applying_again(desk: Desk) -> None:
    desk.declare(acme())
    changed = acme(extensions=[alice(password="other-secret")])
    desk.journal.claim((64,), "another node")
    with pytest.raises(Refusal) as caught:
        desk.declare(changed)
    assert caught.value.kind == "unavailable"
    again = desk.again()
    known = "alice-secret" if isinstance(desk, ClusterDesk) else "other-secret"
    assert again.store.ha1("acme", "1001", "acme.example", "MD5") == ha1("1001", "acme.example", known, "MD5"), (
        "of a node alone the secret is durable before the event, in a cluster with it"
    )
    assert again.outcomes(changed)["acme/1001"] == "changed"
    assert set(again.outcomes(changed).values()) == {"unchanged"}


def test_a_lost_secret_is_put_back_by_applying_again(desk: Desk) -> None:
    desk.declare(acme())
    desk.store.replace({("acme", "1002"): None})
    assert desk.outcomes(acme())["acme/1002"] == "changed"
    assert desk.store.device("acme", "1002") is not None


def test_a_tenant_admin_declares_its_own_tenant_and_not_its_domains(desk: Desk) -> None:
    desk.declare(acme())
    own = yaml.safe_dump({"tenants": [acme(name="Acme plc")]})
    assert desk.apply(own, only_tenant="acme").rows[0].outcome == "changed"
    for text in (
        yaml.safe_dump({"tenants": [acme(slug="globex", domains=["globex.example"])]}),
        yaml.safe_dump({"tenants": [acme(domains=["globex.example"])]}),
    ):
        with pytest.raises(Refusal) as caught:
            desk.apply(text, only_tenant="acme")
        assert caught.value.kind == "forbidden"


def test_a_key_is_shown_once_and_kept_as_a_hash(desk: Desk) -> None:
    desk.declare(acme())
    made = desk.office.create_key("tenant-admin", "acme", "api:test", "command-2")
    key = made["key"]
    assert key is not None
    principal = desk.store.principal(key)
    assert principal is not None
    assert (principal.id, principal.role, principal.tenant) == (made["id"], "tenant-admin", "acme")
    assert key not in desk.journal_text()
    assert all(key.encode() not in path.read_bytes() for path in desk.folder.iterdir())
    assert desk.store.principal(key + "x") is None
    again = desk.again().store.principal(key)
    assert again == principal


@pytest.mark.parametrize(
    ("role", "tenant", "words"),
    [
        ("king", None, "unknown role"),
        ("tenant-admin", None, "needs a tenant"),
        ("operator", "acme", "leave the tenant out"),
        ("reseller", None, "nothing for the role"),
        ("analyst", "nobody", "no tenant nobody"),
    ],
)
def test_keys_that_make_no_sense_are_refused(desk: Desk, role: str, tenant: str | None, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        desk.office.create_key(role, tenant, "api:test", "command-3")
    assert desk.events() == []
