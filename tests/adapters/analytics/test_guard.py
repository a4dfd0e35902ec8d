"""The guard alone: which rendered statements pass."""

from __future__ import annotations

import pytest

from adapters.analytics.guard import Refused, check, without_format

FUNCTIONS = frozenset({"file", "url", "s3", "numbers", "values", "merge", "remote"})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM cdr",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT 'into outfile file(1)'",
        "SELECT * FROM system.tables",
        "SELECT * FROM numbers(3)",
        "DESCRIBE TABLE cdr",
        "SHOW TABLES FROM switchlog",
        "EXPLAIN SELECT 1",
        "EXISTS TABLE cdr",
        "SELECT url FROM t",
    ],
)
def test_questions_pass(text: str) -> None:
    assert check(text, FUNCTIONS) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
        "SELECT `\\x66ile`('a')",
        "SELECT * FROM url('http://127.0.0.1/')",
        "SELECT * FROM (SELECT * FROM s3('x'))",
        "SELECT * FROM merge('system', '.*')",
        "SELECT * FROM Python(x)",
        "SELECT * FROM system.processes",
        "SELECT * FROM `system`.`query_log`",
        "SELECT * FROM SYSTEM.stack_trace",
        "KILL QUERY WHERE 1 ASYNC",
        "INSERT INTO t SELECT 1",
        "SET readonly = 0",
        "USE system",
        "SHOW PROCESSLIST",
        "SELECT 1; DROP TABLE t",
        "SELECT aiGenerate('x')",
    ],
)
def test_all_else_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        check(text, FUNCTIONS)


def test_the_clients_format_is_dropped() -> None:
    assert without_format("SELECT 1 FORMAT Vertical") == "SELECT 1"
    assert without_format("SELECT ' FORMAT x'") == "SELECT ' FORMAT x'"
