"""Addresses of brokers: what is taken, what is refused and how, and that a password shows nowhere."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from adapters.journal.kafka.address import Address, parse
from domain.ports import JournalError
from tests.fixtures.authority import Authority


def test_brokers_and_what_goes_without_saying() -> None:
    address = parse("kafka://one:9092,[::1]:9093,three")
    assert address == Address(("one:9092", "[::1]:9093", "three:9092"))
    assert (address.prefix, address.security, str(address)) == (
        "switchlog",
        "plaintext",
        "kafka://one:9092,[::1]:9093,three:9092",
    )


def test_an_address_without_a_port_in_brackets() -> None:
    assert parse("kafka://[fe80::1]").bootstrap == ("[fe80::1]:9092",)


def test_a_prefix_is_for_several_installations_on_one_cluster() -> None:
    assert parse("kafka://h:1?prefix=pbx.blue").prefix == "pbx.blue"


def test_a_user_means_sasl_over_tls_with_the_strongest_mechanism() -> None:
    options = parse("kafka://switch%40log@h:9093", "s3cret").options("a-reader")
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("switch@log", "s3cret")
    assert options["client_id"] == "a-reader"


def test_brokers_must_prove_themselves() -> None:
    options = parse("kafka://h:1?security=ssl").options("x")
    assert options["security_protocol"] == "SSL"
    assert options["ssl_context"].check_hostname
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert not any(name.startswith("sasl") for name in options)
    assert "ssl_context" not in parse("kafka://h:1").options("x")


def test_our_certificate_goes_along(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("node")
    options = parse(f"kafka://h:1?security=ssl&ca={authority.certificate}&cert={cert}&key={key}").options("x")
    assert len(options["ssl_context"].get_ca_certs()) == 1


@pytest.mark.parametrize("part", ["ca=missing.pem", "cert=missing.pem&key=missing.pem"])
def test_a_certificate_that_cannot_be_used_is_named(part: str) -> None:
    address = parse(f"kafka://h:1?security=ssl&{part}")
    with pytest.raises(JournalError, match=r"kafka://h:1: check ca=, cert= and key=: .*No such file"):
        address.options("x")


def test_a_password_shows_nowhere() -> None:
    address = parse("kafka://user@h:9093", "s3cret")
    assert "s3cret" not in f"{address} {address!r}"


def test_a_password_in_the_address_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="SWITCHLOG_KAFKA_PASSWORD") as refused:
        parse("kafka://user:s3cret@h:9093")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://h:1", "kafka://"),
        ("kafka://", "no broker"),
        ("kafka://h:1,", "no broker"),
        ("kafka://h:0", "no broker"),
        ("kafka://h:65536", "no broker"),
        ("kafka://h:port", "no broker"),
        ("kafka://a b:1", "no broker"),
        ("kafka://h:1/topic", "host:port"),
        ("kafka://h:1?color=red", "color is not known: choose of ca, cert"),
        ("kafka://h:1?prefix=a&prefix=b", "twice"),
        ("kafka://h:1?prefix=", "prefix="),
        ("kafka://h:1?prefix=a/b", "prefix=a/b"),
        ("kafka://h:1?security=none", "security=none: choose of plaintext"),
        ("kafka://u@h:1?mechanism=MD5", "mechanism=MD5: choose of SCRAM"),
        ("kafka://u@h:1", "SWITCHLOG_KAFKA_PASSWORD"),
        ("kafka://h:1?security=sasl_ssl", "wants a user"),
        ("kafka://u@h:1?security=ssl", "knows no user"),
        ("kafka://h:1?ca=x", "has no certificates"),
        ("kafka://h:1?security=ssl&cert=x", "go together"),
        ("kafka://[::1:1", "no broker"),
        ("kafka://h:1#x", "host:port"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse(url)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
