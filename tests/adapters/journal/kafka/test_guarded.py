"""A real broker that lets nobody in who does not say who he is: by a password over TLS, or by a certificate."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import UserScramCredentialUpsertion  # type: ignore[import-untyped]

from adapters.journal.kafka import setup
from adapters.journal.kafka.address import Address, parse
from adapters.journal.kafka.assignor import EVERY
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.membership import Membership
from adapters.journal.kafka.reader import KafkaReader
from cluster import installation
from cluster.broker import Broker
from cluster.properties import HOST, Ports
from domain.node import Neighbour
from domain.ports import JournalError
from tests.adapters.journal.kafka.company import NODE_S, Ear
from tests.conformance.record import appended, record, stream
from tests.fixtures.authority import Authority
from tests.fixtures.broker import fresh_ports, had, in_memory

USER, PASSWORD = "switchlog", "a password"
_LOGIN = "org.apache.kafka.common.security"


class Guarded(NamedTuple):
    """Where the broker hears passwords, and where certificates; `others` is an authority that it does not know."""

    passwords: str
    certificates: str
    ours: Authority
    others: Authority

    def by_password(
        self, mechanism: str, password: str = PASSWORD, user: str = USER, ca: Path | None = None
    ) -> Address:
        words = f"mechanism={mechanism}&ca={ca or self.ours.certificate}"
        return parse(f"kafka://{user}@{self.passwords}?{words}", password)

    def by_certificate(self, authority: Authority, ca: Path | None = None) -> Address:
        cert, key = authority.issue("node")
        words = f"security=ssl&ca={ca or self.ours.certificate}&cert={cert}&key={key}"
        return parse(f"kafka://{self.certificates}?{words}")


def properties(own: Ports, guarded: Ports, keystore: Path, authority: Authority) -> dict[str, str]:
    """Beside the listener of all tests: one for passwords at `guarded.client`, one for certificates at the other."""
    clients = f"PLAINTEXT://{HOST}:{own.client},SASL_SSL://{HOST}:{guarded.client},SSL://{HOST}:{guarded.controller}"
    users = f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    return {
        "listeners": f"{clients},CONTROLLER://{HOST}:{own.controller}",
        "advertised.listeners": clients,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": users,
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
    }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    ours, others = (Authority(tmp_path_factory.mktemp(name)) for name in ("ours", "others"))
    folder = tmp_path_factory.mktemp("guarded")
    keystore = folder / "broker.pem"
    cert, key = ours.issue("broker")
    keystore.write_bytes(key.read_bytes() + cert.read_bytes())
    own, more = fresh_ports(), fresh_ports()
    with in_memory("guarded") as data:
        told = properties(own, more, keystore, ours)
        broker = had(lambda: Broker(installation.installed(), folder, [own], data=data, more=told))
        try:
            broker.start()
            introduce(broker)
            yield Guarded(f"{HOST}:{more.client}", f"{HOST}:{more.controller}", ours, others)
        finally:
            broker.kill()


def introduce(broker: Broker) -> None:
    """Tell the cluster the user's password for SCRAM, as an operator does with `kafka-configs.sh`."""
    admin: Any = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        new = UserScramCredentialUpsertion(USER, "SCRAM-SHA-512", password=PASSWORD, iterations=4096)
        assert admin.alter_user_scram_credentials([new]) == {USER: None}
    finally:
        admin.close()


WAYS = ["SCRAM-SHA-512", "PLAIN", "certificate"]


@pytest.mark.parametrize("way", WAYS)
def test_who_says_who_he_is_writes_reads_and_is_a_node(guarded: Guarded, way: str) -> None:
    address = guarded.by_certificate(guarded.ours) if way == "certificate" else guarded.by_password(way)
    shard = WAYS.index(way)
    of = stream(way, shard)
    journal = KafkaJournal(address, f"writer-{shard}")
    try:
        epoch = journal.claim((shard,), "a")[shard]
        appended(journal, shard, epoch, [record(of, 1)])
    finally:
        journal.close()
    reader = KafkaReader(address, "reader")
    try:
        assert [stored.record.data for stored in reader.read(of)] == [record(of, 1).data]
    finally:
        reader.close()
    ear = Ear()
    member = Membership(address, Neighbour("a", ""), ear, (NODE_S,))
    try:
        ear.wait(lambda: ear.shards == frozenset(EVERY))
    finally:
        member.close(leave=True)


def refused(address: Address) -> str:
    """Why the journal cannot be used: what does not go away by waiting, and is told at once."""
    with pytest.raises(JournalError) as error:
        setup.prepare(address)
    assert type(error.value) is JournalError, error.value
    line = str(error.value)
    assert PASSWORD not in line and "\n" not in line
    return line


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_or_user_is_named(guarded: Guarded, mechanism: str) -> None:
    line = refused(guarded.by_password(mechanism, "wrong"))
    assert "refuses the user: check its name and SWITCHLOG_KAFKA_PASSWORD" in line
    assert "refuses the user" in refused(guarded.by_password(mechanism, user="nobody"))


def test_a_mechanism_that_the_brokers_do_not_have_is_named(guarded: Guarded) -> None:
    assert "mechanism=" in refused(guarded.by_password("SCRAM-SHA-256"))


def test_a_broker_that_our_authority_does_not_know_is_not_spoken_to(guarded: Guarded) -> None:
    foreign = guarded.others.certificate
    for address in (guarded.by_password("PLAIN", ca=foreign), guarded.by_certificate(guarded.ours, ca=foreign)):
        assert "shows a certificate that is not trusted: check ca=" in refused(address)


def test_a_certificate_that_the_brokers_do_not_know_or_none_is_named(guarded: Guarded) -> None:
    bare = parse(f"kafka://{guarded.certificates}?security=ssl&ca={guarded.ours.certificate}")
    for address in (guarded.by_certificate(guarded.others), bare):
        assert "check security=, and that it takes the certificate of cert= and key=" in refused(address)


def test_a_node_that_is_refused_is_told_by_its_membership(guarded: Guarded) -> None:
    ear = Ear()
    member = Membership(guarded.by_password("PLAIN", "wrong"), Neighbour("a", ""), ear, (NODE_S,))
    try:
        ear.wait(lambda: ear.error is not None)
        assert "refuses the user" in str(ear.error)
    finally:
        member.close(leave=False)


def test_a_server_that_is_refused_ends_and_says_why(guarded: Guarded, tmp_path: Path) -> None:
    address = f"kafka://{USER}@{guarded.passwords}?ca={guarded.ours.certificate}"
    told = {"SWITCHLOG_JOURNAL": address, "SWITCHLOG_KAFKA_PASSWORD": "wrong", "SWITCHLOG_DATA": str(tmp_path / "data")}
    words = [sys.executable, "-m", "switchlog", "serve", "--role", "sessions"]
    run = subprocess.run(words, env=os.environ | told, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1, run.stderr
    assert "refuses the user: check its name and SWITCHLOG_KAFKA_PASSWORD" in run.stderr.splitlines()[-1]
