"""`make fuzz`: each target under atheris (coverage-guided) for FUZZ_S seconds; what fails is kept in the corpus.

One process a target, as atheris wants it: `python -m tests.torture.fuzz` starts them one after the other, and
`python -m tests.torture.fuzz TARGET` is one. Exit code 1 if anything was found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_S", "60"))
MAX_BYTES = 8_192


def one(name: str) -> None:
    """Fuzz one target; never returns."""
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["adapters.media", "adapters.sip", "media"]):
        from tests.torture.target import CORPUS, TARGETS
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as found:
        arguments = [
            sys.argv[0], f"-max_total_time={SECONDS}", f"-max_len={MAX_BYTES}", f"-artifact_prefix={kept}/found-",
            "-timeout=10", "-rss_limit_mb=2000", "-verbosity=0", "-print_final_stats=1", found, str(kept),
            *_seeds(name),
        ]  # fmt: skip
        atheris.Setup(arguments, TARGETS[name])
        atheris.Fuzz()


def _seeds(name: str) -> list[str]:
    folders = {"message": ("rfc4475", "rfc5118"), "framer": ("rfc4475", "rfc5118")}.get(name, ())
    return [str(Path(__file__).parent / folder) for folder in folders]


def main() -> int:
    from tests.torture.target import TARGETS

    broken = [
        name
        for name in TARGETS
        if subprocess.run([sys.executable, "-m", "tests.torture.fuzz", name], check=False).returncode
    ]
    print(f"found in: {', '.join(broken)}; see tests/torture/corpus" if broken else "nothing found")
    return 1 if broken else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(sys.argv.pop(1))
    sys.exit(main())
