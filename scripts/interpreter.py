"""Whether an interpreter was built with profile-guided optimisation: `PYTHON scripts/interpreter.py` exits with 0.

No third-party module and nothing of ours may be imported here: `scripts/setup.sh` asks interpreters that have neither.
"""

import sys
import sysconfig


def optimised() -> bool:
    """Of this interpreter. What a distribution installs below /usr is, though its configuration does not say so."""
    return sys.base_prefix == "/usr" or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


if __name__ == "__main__":
    sys.exit(not optimised())
