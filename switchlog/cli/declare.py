"""The commands that declare: apply, export, keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from switchlog.cli.client import MISUSED, Client, CliError
from switchlog.cli.output import Json, note, print_json, print_table

keys = typer.Typer(help="API keys.", no_args_is_help=True)


def apply(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON; - reads standard input.")],
    as_json: Json = False,
) -> None:
    """Declare tenants and extensions: all files together or nothing.

    Things that no file names stay as they are; a password that is left out stays.
    """
    documents = [_document(name) for name in files]
    with Client.found() as client:
        answer = client.post("/v1/apply", json={"documents": documents})
    for warning in answer["warnings"]:
        note(f"warning: {warning}")
    if as_json:
        print_json(answer)
    else:
        print_table(("outcome", "kind", "tenant", "name"), answer["rows"])


def _document(name: str) -> dict[str, str]:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return {"source": "standard input" if name == "-" else name, "text": raw.decode("utf-8-sig")}
    except OSError as error:
        raise CliError(MISUSED, f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CliError(MISUSED, f"{name} is not UTF-8 text") from None


def export(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="With credentials, as HA1 values.")] = False,
    as_json: Json = False,
) -> None:
    """Print what is declared, in the format that apply takes."""
    with Client.found() as client:
        answer = client.get("/v1/export", tenant=tenant, secrets=secrets or None)
    if as_json:
        print_json(answer)
    else:
        sys.stdout.write(yaml.safe_dump(answer, sort_keys=False, allow_unicode=True))


@keys.command("create")
def create_key(
    role: Annotated[str, typer.Option(help="operator, tenant-admin, supervisor, analyst or auditor.")],
    tenant: Annotated[str | None, typer.Option(help="Its tenant; tenant-admin and supervisor need one.")] = None,
    as_json: Json = False,
) -> None:
    """Make an API key and print it: it is shown this once."""
    with Client.found() as client:
        answer = client.post("/v1/keys", json={"role": role, "tenant": tenant})
    if as_json:
        print_json(answer)
        return
    note(f"key {answer['id']}: role {answer['role']}, tenant {answer['tenant'] or 'all'}; it is not shown again")
    sys.stdout.write(f"{answer['key']}\n")
