"""The files of a deployment as data, and what they must agree with: settings, the command line, ports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml
from typer.main import get_command

from switchlog.cli.app import app
from switchlog.setting.address import addresses
from switchlog.setting.settings import Settings, load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\}")


PARTS = frozenset({"journal", "live", "sessions", "projector", "clickhouse"})
"""What `/readyz` and `switchlog_ready` tell apart."""
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises for words that it does not know; typer gives no name to it."""


class Missing(Exception):
    """A variable that has no default is not in the environment."""


class Unknown(Exception):
    """The command line does not know these words."""


def interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?message}` as Compose replaces them in what it read. Raises Missing."""
    if isinstance(value, dict):
        return {name: interpolated(inner, environment) for name, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, environment) for inner in value]
    return _VARIABLE.sub(lambda use: _value(use, environment), value) if isinstance(value, str) else value


def _value(use: re.Match[str], environment: Mapping[str, str]) -> str:
    name, how, word = use["name"], use["how"], use["word"]
    if name is None:
        return "$"
    if environment.get(name):
        return environment[name]
    if how == ":?":
        raise Missing(f"{name}: {word}")
    return word or ""


def variables(text: str) -> set[str]:
    """The names that a Compose file asks its environment for."""
    return {found["name"] for found in _VARIABLE.finditer(text) if found["name"]}


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def settings_of(environment: Mapping[str, str]) -> Settings:
    """What a server makes of them. Raises SettingsError for a name or value that it would refuse."""
    return load(environment=environment)


def ports_of(settings: Settings) -> set[tuple[int, str]]:
    """What it listens on, as (port, protocol)."""
    udp = {(one.port, "UDP") for one in addresses(settings.sip_udp)}
    streams = (settings.sip_tcp, settings.sip_tls, settings.link, settings.http)
    return udp | {(one.port, "TCP") for text in streams for one in addresses(text)}


def command(words: Sequence[str]) -> str:
    """Which subcommand `switchlog WORDS` is, without running it. Raises Unknown for what it would refuse."""
    told: Any = get_command(app)
    try:
        context = told.make_context("switchlog", list(words))
        names = []
        while hasattr(told, "resolve_command"):  # a group
            name, told, rest = told.resolve_command(context, [*context._protected_args, *context.args])
            names.append(str(name))
            context = told.make_context(name, list(rest), parent=context)
    except _UsageError as error:
        raise Unknown(f"switchlog {' '.join(words)}: {error}") from error
    return " ".join(names)


def found(value: Any, key: str) -> Iterator[Any]:
    """Whatever stands under `key` anywhere in nested maps and lists."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from found(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, key)
