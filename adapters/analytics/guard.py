"""What a reader may ask. Text in, verdict out; no engine, no I/O.

The engine's own `readonly` refuses writes, definitions and changes of settings. What it lets through and a reader must
not do is refused here: files, hosts, other programs, other people's queries. The text judged is never the client's but
the engine's own rendering of what it parsed (`formatQuerySingleLine`), and that rendering is what runs: no comment,
escape or unusual quote can show one statement here and another one to the engine.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

STATEMENTS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN"})
SHOWN = frozenset(
    {
        "TABLES",
        "DATABASES",
        "COLUMNS",
        "CREATE",
        "TABLE",
        "FULL",
        "FUNCTIONS",
        "SETTINGS",
        "INDEX",
    }
)
TABLE_FUNCTIONS = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "values", "view", "null", "format"}
    | {"generate_series", "generateseries", "primes"}
)
"""The only ones a reader may call: they compute, and reach nothing outside the query."""

FORBIDDEN_WORDS = frozenset(
    {
        "outfile",
        "infile",
        "file",
        "python",
        "eval",
        "hascolumnintable",
        "generateserialid",
        "transactionid",
    }
    | {
        "getserversetting",
        "getclienthttpheader",
        "catboostevaluate",
        "input",
        "remote",
        "remotesecure",
    }
)
"""As a function, a column or anything else: `APPLY file` calls a function without a parenthesis."""
FORBIDDEN_PREFIXES = (
    "airedact",
    "aisimilarity",
    "aifilter",
    "aiclassify",
    "aiembed",
    "aiextract",
) + (
    "aigenerate",
    "aitranslate",
    "dictget",
    "joinget",
)
SYSTEM_TABLES = frozenset(
    {
        "tables",
        "columns",
        "databases",
        "functions",
        "one",
        "numbers",
        "numbers_mt",
        "settings",
        "formats",
    }
    | {
        "data_type_families",
        "time_zones",
        "keywords",
        "completions",
        "aggregate_function_combinators",
    }
    | {
        "table_functions",
        "table_engines",
        "collations",
        "contributors",
        "build_options",
        "parts",
    }
)
"""What clients need to find their way about; not who else asks what."""

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.|'')*')|(?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_$]*)|(?P<number>[0-9][A-Za-z0-9_.]*)|(?P<space>\s+)|(?P<sign>.)""",
    re.DOTALL,
)


class Refused(Exception):
    """A reader asked for what readers may not do; the text says what."""


def tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token of a rendered statement, without spaces. Kinds: string, quoted, word, number, sign."""
    found = ((match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text))
    return [(kind, part) for kind, part in found if kind != "space"]


def check(rendered: str, table_functions: AbstractSet[str]) -> str:
    """Raise Refused unless a reader may run `rendered`; returns it without a trailing `FORMAT name`.

    `table_functions` are the engine's, in lower case.
    """
    parts = tokens(rendered)
    _check_statement(parts)
    names = [_name(kind, part) for kind, part in parts]
    for at, name in enumerate(names):
        if name is None:
            continue
        _check_word(name)
        following = parts[at + 1][1] if at + 1 < len(parts) else ""
        if following == "(" and name in table_functions and name not in TABLE_FUNCTIONS:
            raise Refused(f"the table function {name} is not for readers")
        if name == "system" and following == ".":
            table = names[at + 2] if at + 2 < len(names) else None
            if table not in SYSTEM_TABLES:
                raise Refused(f"system.{table} is not for readers")
    return without_format(rendered)


def without_format(text: str) -> str:
    """Drop a closing `FORMAT name`: over this protocol the client does the formatting."""
    return re.sub(r"\s+FORMAT\s+[A-Za-z0-9_]+\s*;?\s*$", "", text, flags=re.IGNORECASE)


def _check_statement(parts: list[tuple[str, str]]) -> None:
    opening = [part.upper() for kind, part in parts if part != "("][:2]
    if not opening or opening[0] not in STATEMENTS:
        raise Refused(f"{opening[0] if opening else 'an empty statement'} is not for readers, who may only SELECT")
    if opening[0] == "SHOW" and (len(opening) < 2 or opening[1] not in SHOWN):
        raise Refused(f"SHOW {' '.join(opening[1:])} is not for readers")
    if any(part == ";" for kind, part in parts if kind == "sign"):
        raise Refused("one statement at a time")


def _check_word(name: str) -> None:
    if name in FORBIDDEN_WORDS or name.startswith(FORBIDDEN_PREFIXES):
        raise Refused(f"{name} is not for readers")


def _name(kind: str, part: str) -> str | None:
    """The lower-case name that a word or a quoted identifier stands for."""
    if kind == "word":
        return part.lower()
    if kind != "quoted":
        return None
    if "\\" in part:
        raise Refused("an identifier with escapes is not for readers")
    return part[1:-1].replace("``", "`").replace('""', '"').lower()
