"""The brokers and the nodes of `make cluster` as one thing: started in order, kept running, ended in order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cluster.broker import Brokers
from cluster.process import Process
from cluster.topology import Node

NODE_STOP_S = 30.0
AWAY_S = 10.0
"""A node that has ended is started again so much later: long enough to see that the other one has its calls."""
Say = Callable[[str], None]


class Cluster:
    """Brokers first, then nodes, whose words come to the terminal. Used by the main thread alone."""

    def __init__(self, brokers: Brokers, nodes: Sequence[Node], say: Say = print, away_s: float = AWAY_S) -> None:
        self._brokers, self._say, self._away_s = brokers, say, away_s
        self._nodes = {node.name: node for node in nodes}
        self._running: dict[str, Process] = {}
        self._due: dict[str, float] = {}
        """when a node that has ended is started again"""

    def start(self) -> None:
        """Until the brokers answer; the nodes say themselves when they are ready. Raises BrokerError."""
        self._brokers.start()
        self._say(f"Kafka answers at {self._brokers.bootstrap}")
        for name in self._nodes:
            self._begin(name)

    def look(self) -> bool:
        """Start again who was ended, brokers at once. False once a node says that it cannot run: end all then."""
        for broker in self._brokers.nodes:
            if not broker.running:
                self._say(f"broker {broker.node} has ended and is started again")
                broker.stop()
                broker.spawn()
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            self._begin(name)
        ended = [name for name, process in self._running.items() if not process.running]
        return all(self._may_come_back(name, now) for name in ended)

    def stop(self) -> None:
        """Those first that write, then what they write to; each of these at once: nobody takes over for nothing."""
        for keeps in (False, True):
            ending = [process for name, process in self._running.items() if self._nodes[name].keeps is keeps]
            for process in ending:
                process.ask_to_end()
            for process in ending:
                process.ended(NODE_STOP_S)
        self._brokers.stop()

    @property
    def pids(self) -> Mapping[str, int]:
        """Of the nodes that run, by name."""
        return {name: process.pid for name, process in self._running.items()}

    # --- inside

    def _begin(self, name: str) -> None:
        node = self._nodes[name]
        Path(node.settings["SWITCHLOG_DATA"]).mkdir(parents=True, exist_ok=True)
        self._running[name] = Process(node.command, None, {**os.environ, **node.settings})

    def _may_come_back(self, name: str, now: float) -> bool:
        """A node that has ended: unless it was told or killed, it would end again for the same reason."""
        status = self._running.pop(name).wait(0)
        if status > 0:
            self._say(f"node {name} has ended")
            return False
        self._say(f"node {name} has ended and is started again in {self._away_s:.0f} s")
        self._due[name] = now + self._away_s
        return True
