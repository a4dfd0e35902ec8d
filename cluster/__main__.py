"""`python -m cluster`: three Kafka brokers and two Switchlog nodes on this machine until Ctrl-C; see `make cluster`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from cluster import installation
from cluster.broker import BrokerError
from cluster.cluster import Cluster
from cluster.jars import Unavailable
from cluster.topology import NODES, broker_ports, keys, nodes

_LOOK_S = 0.5


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data-cluster"), metavar="DIR", help="default %(default)s")
    parser.add_argument("--shift", type=int, default=0, help="added to every port, default %(default)s")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """The exit status: 0 when it was told to end, 1 when something could not run."""
    given = arguments(argv)
    folder = given.data.resolve()
    end = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: end.set())
    try:
        brokers = installation.brokers(folder, broker_ports(given.shift))
        installation.make_keys(keys(folder), NODES)
        whole = Cluster(brokers, nodes(brokers.bootstrap, folder, given.shift))
        try:
            whole.start()
            while not end.wait(_LOOK_S):
                if not whole.look():
                    return 1
        finally:
            whole.stop()
    except (BrokerError, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
