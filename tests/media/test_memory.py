"""A worker's memory stays its own between ticks."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from media import memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if not {keep} or memory.keep():
    legs = 300
    for tick in range(120):
        if tick == 20:
            before = faults()
        samples = np.ones((legs, 160), np.float32)
        louder = samples * 2
        del samples, louder
    print(faults() - before)
"""


def faults(keep: bool) -> int:
    """Pages that the kernel had to hand out in a hundred ticks, or -1 if this C library cannot be told to keep them."""
    said = subprocess.run(
        [sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, text=True, check=True
    ).stdout
    return int(said) if said else -1


def test_what_was_freed_is_not_given_back() -> None:
    found = faults(keep=True)
    if found < 0:
        pytest.skip("not glibc")
    assert found < 100
    assert faults(keep=False) > 10 * 100, "this machine keeps it by itself: nothing is tested here"
