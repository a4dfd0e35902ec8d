"""The table of docs/torture.md, from the expectations: `python -m tests.torture.page` writes it anew."""

from __future__ import annotations

from pathlib import Path

from tests.torture.case import RFCS, Case, cases

PAGE = Path(__file__).parents[2] / "docs" / "torture.md"
BEGIN, END = "<!-- the table of {} begins: made by tests/torture/page.py -->", "<!-- the table of {} ends -->"


def table(rfc: str) -> str:
    rows = ["| | message | the RFC | Switchlog | why |", "| --- | --- | --- | --- | --- |"]
    for name, case in cases(rfc).items():
        rows.append(f"| {case.section} | `{name}`: {case.title} | {case.rfc} | {_reaction(case)} | {_why(case)} |")
    return "\n".join(row.replace("|  |", "| |") for row in rows)


def _reaction(case: Case) -> str:
    said = case.bare or "dropped"
    if case.known:
        said += f"; {case.known} once authenticated"
    if case.stream is not None and case.stream != case.bare:
        said += f"; on a stream {case.stream or 'waits for the rest'}"
    return said


def _why(case: Case) -> str:
    return " ".join(part for part in (case.difference and f"**Different.** {case.difference}", case.note) if part)


def page() -> str:
    """The page with its tables as they have to be."""
    text = PAGE.read_text()
    for rfc in RFCS:
        begin, end = BEGIN.format(rfc), END.format(rfc)
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}\n\n{table(rfc)}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page())
