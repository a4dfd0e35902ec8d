"""The pages of the docs that are made from the code."""

from datetime import datetime

import pytest

from domain.catalog import EVENTS
from domain.values import Cause
from scripts import reference


@pytest.fixture(scope="module")
def events() -> str:
    return reference.events()


def test_every_event_type_is_shown_with_what_it_means(events: str) -> None:
    for name, event in EVENTS.items():
        assert f"### `{name}`\n\n{reference.text(event)}" in events
        assert reference.text(event), f"{name} has no docstring"


def test_values_are_shown_once_also_those_inside_others(events: str) -> None:
    assert events.count("\n### Flow\n") == 1
    assert "| `flow` | Flow |" in events


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (tuple[Cause, ...], "list of Cause"),
        (datetime | None, "time or nothing"),
        (dict[str, int], "text to number"),
        (tuple[str, int], "(text, number)"),
    ],
)
def test_types_read_as_words(annotation: object, words: str) -> None:
    assert reference.kind(annotation) == words


def test_a_page_has_what_its_marker_asks_for() -> None:
    page = reference.on_page_markdown("# Tables\n\n{{ views }}\n")
    assert "## `cdr`" in page
    assert "{{" not in page
    with pytest.raises(KeyError):
        reference.on_page_markdown("{{ nothing }}")
