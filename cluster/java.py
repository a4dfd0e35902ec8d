"""How Java runs a program of Kafka here: small, and quick to start.

Only the first of the JVM's two compilers works: a broker of a test lives for seconds, and the second one would take as
much of the processors as the broker itself.
"""

from __future__ import annotations

from cluster.jars import Kafka

_TUNED = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")
_SAYS = tuple(
    f"-Dorg.slf4j.simpleLogger.{name}={value}"
    for name, value in {
        "defaultLogLevel": "warn",
        "showDateTime": "true",
        "dateTimeFormat": "HH:mm:ss.SSS",
        "showThreadName": "false",
    }.items()
)


def java(kafka: Kafka, *words: str) -> list[str]:
    """The command for `words`: options of the JVM if any, a class of Kafka, and what that gets."""
    classpath = ":".join(str(jar) for jar in kafka.jars)
    shared = [f"-XX:SharedArchiveFile={kafka.archive}"] if kafka.archive.exists() else []
    return [kafka.java, *_TUNED, *_SAYS, *shared, "-cp", classpath, *words]
