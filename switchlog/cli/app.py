"""The command `switchlog`. Exit codes: 0 done, 1 the answer is no, 2 used wrongly, 3 the server cannot be reached."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from switchlog.cli import call, conference, declare, look, mailbox, media, node, projection, ready, recording
from switchlog.cli.client import MISUSED, NO, CliError
from switchlog.cli.output import Json, note, print_json, print_table
from switchlog.early import FIRST, EarlyChild

app = typer.Typer(
    name="switchlog",
    help="A cloud PBX whose switchboard is a log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(declare.apply)
app.command()(declare.export)
app.add_typer(declare.keys, name="keys")
app.add_typer(call.app, name="calls")
app.add_typer(conference.app, name="conferences")
app.add_typer(recording.app, name="recordings")
app.add_typer(mailbox.app, name="mailboxes")
app.add_typer(node.app, name="nodes")
app.add_typer(media.app, name="media")
app.command()(look.registrations)
app.command()(look.cdr)
app.command()(look.events)
app.add_typer(projection.app, name="projections")
app.command()(ready.ready)

Config = Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder (SWITCHLOG_DATA).")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"switchlog {version('switchlog')}")
        raise typer.Exit


@app.callback()
def switchlog(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A cloud PBX whose switchboard is a log."""


@app.command()
def serve(
    context: typer.Context,
    data: Data = None,
    config: Config = None,
    node: Annotated[str | None, typer.Option("--node", help="This node's name, where there are several.")] = None,
    role: Annotated[list[str] | None, typer.Option("--role", help="Run only this part; may be repeated.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Declare a demo tenant and print its phones.")] = False,
) -> None:
    """Run Switchlog in the foreground; SIGTERM or Ctrl-C stops it cleanly."""
    early: EarlyChild | None = context.obj
    if early is None and (not role or FIRST in role):
        early = EarlyChild(FIRST)
    from switchlog import roles
    from switchlog.log import configure_logging
    from switchlog.role.life import RoleError
    from switchlog.setting.settings import SettingsError, load

    try:
        settings = load(config, data=data, node=node)
        for name in role or ():
            if name not in roles.ROLES:
                raise CliError(MISUSED, f"unknown role {name!r}: use {', '.join(roles.ROLES)}")
        configure_logging("supervisor", settings.log)
        if demo:
            from switchlog.cli.demo import start as start_demo

            start_demo(settings)
        raise typer.Exit(roles.serve(settings, tuple(role or ()), early))
    except SettingsError as error:
        raise CliError(MISUSED, str(error)) from None
    except RoleError as error:
        raise CliError(NO, str(error)) from None
    finally:
        if early is not None and early.returncode is None:
            early.abandon()


@app.command("settings")
def show_settings(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Print every setting with its value; secrets are masked."""
    from switchlog.setting.settings import Settings, SettingsError, load

    try:
        shown = load(config, data=data).shown()
    except SettingsError as error:
        raise CliError(MISUSED, str(error)) from None
    if as_json:
        print_json(shown)
        return
    meanings = {f"SWITCHLOG_{name.upper()}": field.description for name, field in Settings.model_fields.items()}
    print_table(
        ("setting", "value", "meaning"),
        [{"setting": name, "value": value, "meaning": meanings[name]} for name, value in shown.items()],
    )


def main(words: Sequence[str] | None = None, early: EarlyChild | None = None) -> None:
    """The whole command; `words` are the arguments (None = those of the process). Always raises SystemExit.

    `early` is a child that `serve` will want; it is ended if another way was taken.
    """
    try:
        app(args=words, obj=early)
    except CliError as error:
        note(f"switchlog: {error}")
        sys.exit(error.code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(NO)
    finally:
        if early is not None and early.returncode is None:
            early.abandon()
