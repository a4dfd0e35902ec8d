"""Reference pages from the code: a hook of mkdocs that puts what the code declares where a page says `{{ events }}`.

The pages so hold what is true of this version; nothing generated is kept in the repository.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from typer.main import get_command

from adapters.analytics import tables
from api.app import create_app
from domain.base import Context, Event
from domain.catalog import CATEGORIES, EVENTS
from switchlog.setting.settings import PREFIX, Settings

_MARKER = re.compile(r"^\{\{ ([a-z]+) \}\}$", re.MULTILINE)
_BASE_FIELDS = {"originator_id", "originator_version", "timestamp", "context", "originator_topic"}


def kind(annotation: Any) -> str:
    """A type as people read it: `text`, `list of Contact`, `time or nothing`."""
    plain = {str: "text", int: "number", bool: "yes or no", float: "number", type(None): "nothing"}
    if annotation in plain:
        return plain[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (tuple, list, frozenset, set):
        if origin is tuple and Ellipsis not in arguments:
            return f"({', '.join(kind(one) for one in arguments)})"
        return f"list of {kind(arguments[0])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind(one) for one in arguments)
    if origin in (dict, Mapping):
        return f"{kind(arguments[0])} to {kind(arguments[1])}"
    name: str = getattr(annotation, "__name__", str(annotation))
    return {"UUID": "id", "datetime": "time"}.get(name, name)


def values_in(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    """The value objects that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from values_in(argument)


def text(thing: type[Any]) -> str:
    """The docstring as written; dataclass signatures that took its place in a derived class are passed over."""
    for one in thing.__mro__:
        written = one.__dict__.get("__doc__") or ""
        if written and not written.startswith(f"{one.__name__}("):
            return inspect.cleandoc(written)
    return ""


def rows(head: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fields(event: type[Event]) -> dict[str, Any]:
    """The fields of an event's own, with their types."""
    hints = typing.get_type_hints(event)
    names = [field.name for field in dataclasses.fields(event)]
    return {name: hints[name] for name in names if name not in _BASE_FIELDS}


def events() -> str:
    """Every event type of the catalogue by category, then the values that they carry."""
    parts: list[str] = []
    used: dict[str, type[msgspec.Struct]] = {"Context": Context}
    for category in dict.fromkeys(CATEGORIES.values()):
        parts.append(f"## Category `{category}`")
        for name in (name for name in EVENTS if CATEGORIES[name] == category):
            own = fields(EVENTS[name])
            parts += [f"### `{name}`", text(EVENTS[name])]
            if own:
                parts.append(rows(("field", "type"), [(f"`{one}`", kind(its)) for one, its in own.items()]))
            collect(own.values(), used)
    parts.append("## Values")
    for name, value in sorted(used.items()):
        body = [(f"`{one}`", kind(its)) for one, its in typing.get_type_hints(value).items()]
        parts += [f"### {name}", text(value), rows(("field", "type"), body)]
    return "\n\n".join(parts)


def collect(annotations: Iterable[Any], used: dict[str, type[msgspec.Struct]]) -> None:
    """Add to `used` the value objects in `annotations`, and those inside them."""
    for annotation in annotations:
        for value in values_in(annotation):
            if value.__name__ not in used:
                used[value.__name__] = value
                collect(typing.get_type_hints(value).values(), used)


def views() -> str:
    """Every view that analysts read, with its columns."""
    parts: list[str] = []
    for view in tables.VIEWS:
        body = [(f"`{column.name}`", f"`{column.kind}`", column.comment) for column in view.table.shown()]
        parts += [f"## `{view.name}`", f"{view.comment[0].upper()}{view.comment[1:]}."]
        if view.name == "cdr_all":
            parts.append("The columns are those of `cdr`.")
        else:
            parts.append(rows(("column", "type", "meaning"), body))
    return "\n\n".join(parts)


def settings() -> str:
    """Every setting with its default."""
    body = []
    for name, field in Settings.model_fields.items():
        default = "the host's name" if field.default_factory else f"`{field.default}`" if str(field.default) else ""
        body.append((f"`{PREFIX}{name.upper()}`", default, field.description or ""))
    return rows(("variable", "default", "meaning"), body)


def commands() -> str:
    """Every command with its arguments and options."""
    from switchlog.cli.app import app

    return "\n\n".join(_command(get_command(app), "switchlog"))


def _command(command: Any, name: str) -> Iterator[str]:
    if subcommands := getattr(command, "commands", None):
        for its in sorted(subcommands):
            yield from _command(subcommands[its], f"{name} {its}")
        return
    yield f"## `{name}`"
    yield command.help or ""
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    if shown:
        yield rows(("", "meaning"), [(f"`{_written(one)}`", getattr(one, "help", None) or "") for one in shown])


def _written(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    return ", ".join(parameter.opts)


def routes() -> str:
    """Every request that the API answers, in the order of its own description."""
    nothing: Any = None  # the description needs no data
    paths = create_app(nothing, nothing, nothing, nothing, nothing).openapi()["paths"]
    body = []
    for path, methods in paths.items():
        for method, its in methods.items():
            names = ", ".join(f"`{one['name']}`" for one in its.get("parameters", ()) if one["in"] == "query")
            words = " ".join(its.get("description", its["summary"]).split())
            body.append((f"`{method.upper()} {path}`", names, words))
    return rows(("request", "parameters", "answers"), body)


REFERENCES: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "events": events,
    "routes": routes,
    "settings": settings,
    "views": views,
}


def on_config(config: Any) -> Any:
    """Called by mkdocs at the start: list the decisions in the navigation, in their order."""
    found = sorted(Path(config["docs_dir"], "decisions").glob("*.md"))
    config["nav"].append({"Decisions": [f"decisions/{path.name}" for path in found]})
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page. A marker that nothing stands behind raises KeyError."""
    return _MARKER.sub(lambda found: REFERENCES[found[1]](), markdown)
