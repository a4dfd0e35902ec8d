"""A bucket at a real S3 server: the conformance suite, and what the operator is told when it cannot be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.storage.s3 import S3Storage
from domain.storage import MissingFileError, Storage, StorageError
from tests.conformance.storage import StorageConformance, kept
from tests.conformance.storage import given_file as given_file
from tests.fixtures.ports import free_ports
from tests.fixtures.s3 import S3Server, s3_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def storage(server: S3Server, given_file: Path) -> Storage:
    made = S3Storage(server.bucket())
    made.put("first", given_file)  # makes the bucket, which nobody could list before
    made.delete("first")
    return made


class TestS3(StorageConformance):
    pass


def test_two_places_in_a_bucket_do_not_see_each_other(server: S3Server, given_file: Path) -> None:
    bucket = server.bucket()
    prefixes = [f"{bucket.prefix}/{name}" for name in ("one", "other")]
    one, other = (S3Storage(dataclasses.replace(bucket, prefix=prefix)) for prefix in prefixes)
    one.put("acme/a", given_file)
    other.put("acme/b", given_file)
    assert [found.name for found in one.list()] == ["acme/a"]
    with pytest.raises(MissingFileError):
        one.size("acme/b")
    assert kept(S3Storage(bucket), "one/acme/a") == given_file.read_bytes()


def test_a_wrong_secret_is_told_and_never_shown(server: S3Server, given_file: Path) -> None:
    storage = S3Storage(server.bucket("another secret"))
    with pytest.raises(StorageError, match="refuses us acme/a: check SWITCHLOG_STORAGE and _SECRET") as refused:
        storage.put("acme/a", given_file)
    assert "another secret" not in str(refused.value)


def test_a_bucket_that_is_not_there_is_told(server: S3Server) -> None:
    bucket = dataclasses.replace(server.bucket(), name="another-bucket")
    with pytest.raises(MissingFileError, match="no file acme/a, or no bucket another-bucket"):
        S3Storage(bucket).size("acme/a")


def test_a_service_that_is_not_there_is_told(given_file: Path) -> None:
    (port,) = free_ports(1)
    bucket = dataclasses.replace(S3Server(f"http://127.0.0.1:{port}").bucket(), prefix="")
    with pytest.raises(StorageError, match=f"the bucket {bucket.name} cannot be used for acme/a: "):
        S3Storage(bucket).put("acme/a", given_file)
