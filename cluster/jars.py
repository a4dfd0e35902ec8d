"""The jars of Apache Kafka, fetched once by Maven, and the Java that runs them.

They lie in `build/kafka` of the checkout and not in a cache of the user's: `make clean` takes them away, nobody else's
files are touched, and Maven keeps what it fetched in its own cache, so the next checkout copies them from there.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

KAFKA = "4.3.1"
_SCALA = "2.13"
_SLF4J = "1.7.36"
"""The version that this Kafka has of slf4j; without its `simple` a broker says nothing at all, not even why it ends."""
_PLUGIN = "3.8.1"
_FETCH_TIMEOUT_S = 300.0
HERE = Path(__file__).parents[1] / "build" / "kafka"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>switchlog</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{_SCALA}</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>{_SLF4J}</version>
    </dependency>
  </dependencies>
  <build>
    <pluginManagement>
      <plugins>
        <plugin>
          <groupId>org.apache.maven.plugins</groupId>
          <artifactId>maven-dependency-plugin</artifactId>
          <version>{_PLUGIN}</version>
        </plugin>
      </plugins>
    </pluginManagement>
  </build>
</project>
"""


class Unavailable(Exception):
    """There is no Kafka to be had here; the text says what is missing and what to do."""


class Kafka(NamedTuple):
    """What it takes to run a broker: a Java and the jars, in the folder `home`."""

    java: str
    home: Path

    @property
    def jars(self) -> Sequence[Path]:
        """In one order always: the archive of classes depends on it."""
        return sorted((self.home / "jars").glob("*.jar"))

    @property
    def archive(self) -> Path:
        """Where the classes of a started broker are kept for this Java (`cluster.archive`); it may be missing."""
        real = Path(self.java).resolve()
        which = hashlib.sha256(f"{real} {real.stat().st_mtime_ns}".encode()).hexdigest()[:12]
        return self.home / f"classes-{which}.jsa"


def fetch(folder: Path = HERE) -> Kafka:
    """The jars below `folder`, fetched if they are not there. Raises Unavailable."""
    java = shutil.which("java")
    if java is None:
        raise Unavailable("there is no Java (Debian: default-jre-headless); install it and run this again")
    home = folder / KAFKA
    if not home.is_dir():
        _fetch(home)
    return Kafka(java, home)


def _fetch(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("there is no Maven to fetch Kafka with (Debian: maven); install it and run this again")
    print(f"fetching Kafka {KAFKA} into {home}", file=sys.stderr)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as place:
        folder = Path(place)
        (folder / "pom.xml").write_text(_POM)
        command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        command += [f"-DoutputDirectory={folder / 'new' / 'jars'}"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"Maven did not fetch Kafka {KAFKA} within {_FETCH_TIMEOUT_S:.0f} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-600:]
            raise Unavailable(f"Maven cannot fetch Kafka {KAFKA}: {said}")
        _put(folder / "new", home)


def _put(new: Path, home: Path) -> None:
    """Whole or not at all, also where two fetch at once: the first one's stays."""
    try:
        new.rename(home)
    except OSError:
        if not home.is_dir():
            raise
