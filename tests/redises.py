"""Several Redis servers: one that Sentinels watch with a replica, and a Cluster."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.processes import free_port
from tfmshop.platform.embedded.redis import _program


class Node:
    """One server, or one Sentinel."""

    def __init__(self, folder: Path, *, sentinel: str = "", **settings: object) -> None:
        self.port = free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        file = self.folder / "redis.conf"
        told = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": '""', **settings}
        lines = [f"{name.replace('_', '-')} {value}" for name, value in told.items()]
        file.write_text("\n".join([*lines, sentinel, ""]))
        self._command = [str(_program()), str(file), *(["--sentinel"] if sentinel else [])]
        self.start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(lambda: self.ask("PING").startswith("+PONG"))

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        self.process.wait()

    def ask(self, *words: object) -> str:
        """What it answers to a command, as it is on the wire; empty when it is not there."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.sendall((" ".join(map(str, words)) + "\r\n").encode())
            return connection.recv(65536).decode()
        return ""


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)


@contextmanager
def _nodes() -> Iterator[tuple[Path, list[Node]]]:
    folder, nodes = Path(tempfile.mkdtemp(prefix="tfmshop-own-")), []
    try:
        yield folder, nodes
    finally:
        for node in nodes:
            node.kill()
        shutil.rmtree(folder)


@contextmanager
def watched_by_sentinels() -> Iterator[tuple[str, Node, Node, list[Node]]]:
    """The address that names three Sentinels, the master, its replica, and the Sentinels."""
    with _nodes() as (folder, nodes):
        master = Node(folder)
        replica = Node(folder, replicaof=f"127.0.0.1 {master.port}")
        nodes += [master, replica]
        until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"))
        watch = f"sentinel monitor shop 127.0.0.1 {master.port} 2\nsentinel down-after-milliseconds shop 500\n"
        sentinels = [Node(folder, sentinel=watch + "sentinel failover-timeout shop 3000") for _ in range(3)]
        nodes += sentinels
        for one in sentinels:
            one.ask("SENTINEL", "DEBUG", "info-period", 100, "publish-period", 100)
        until(lambda: all("slaves=1,sentinels=3" in one.ask("INFO", "sentinel") for one in sentinels))
        yield f"redis+sentinel://{','.join(one.place for one in sentinels)}/shop", master, replica, sentinels


@contextmanager
def cluster() -> Iterator[tuple[str, list[Node]]]:
    """The address of a Cluster, and its servers: three masters, and a replica for each."""
    with _nodes() as (folder, nodes):
        for _ in range(6):
            nodes.append(Node(folder, cluster_enabled="yes", cluster_port=free_port(), cluster_node_timeout=1000))
        masters = nodes[:3]
        for node, (first, last) in zip(masters, ((0, 5460), (5461, 10922), (10923, 16383)), strict=True):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in nodes[1:]:
            bus = next(line.split()[1] for line in (node.folder / "redis.conf").read_text().splitlines()
                       if line.startswith("cluster-port"))  # fmt: skip
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        until(lambda: all("cluster_known_nodes:6" in node.ask("CLUSTER", "INFO") for node in nodes))
        for replica, master in zip(nodes[3:], masters, strict=True):
            wanted = ("CLUSTER", "REPLICATE", master.ask("CLUSTER", "MYID").splitlines()[1])
            until(lambda replica=replica, wanted=wanted: replica.ask(*wanted).startswith("+OK"))
        until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in nodes))
        until(lambda: all("master_link_status:up" in node.ask("INFO", "replication") for node in nodes[3:]))
        yield f"redis+cluster://{','.join(node.place for node in masters)}", nodes
