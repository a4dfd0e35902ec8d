"""What a setting says of a storage."""

from __future__ import annotations

import pytest

from adapters.storage.address import Bucket, is_bucket, parse


def test_an_address_says_all_but_the_secret() -> None:
    found = parse("s3://AKIA%2F1@recordings/site/a?endpoint=https://s3.example:9000/&region=eu-central-1", "hush")
    assert found == Bucket("recordings", "site/a", "https://s3.example:9000", "eu-central-1", "AKIA/1", "hush")
    assert "hush" not in repr(found)


def test_what_is_left_out_is_as_at_amazon() -> None:
    assert parse("s3://recordings") == Bucket("recordings", "", "", "us-east-1", "", "")
    assert is_bucket("s3://recordings") and not is_bucket("/var/lib/s3")


@pytest.mark.parametrize(
    ("url", "secret", "reason"),
    [
        ("s3:recordings", "", "must be s3://"),
        ("s3://", "", "must be s3://"),
        ("s3://Recordings", "", "must be s3://"),
        ("s3://k:secret@recordings", "", "must name the key only"),
        ("s3://k@recordings", "", "go together"),
        ("s3://recordings", "hush", "go together"),
        ("s3://recordings/../other", "", "no name of a file"),
        ("s3://recordings?enpoint=https://x", "", "enpoint is not known"),
        ("s3://recordings?endpoint=ftp://x", "", "write https://host:port"),
        ("s3://recordings?endpoint=https://x/path", "", "write https://host:port"),
        ("s3://recordings?region=a b", "", "region=a b is none"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, secret: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse(url, secret)
    assert "secret@" not in str(refused.value) and "hush" not in str(refused.value)
