"""Programs that run in the background: started, found again, and ended by the process id that was written down."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from settings import LOCAL, ROOT
from steps import StepFailed, tail

START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(frozen=True)
class Service:
    """One program, its port on 127.0.0.1, and a path that answers 200 once it is ready."""

    name: str
    port: int
    health_path: str
    port_variable: str

    @property
    def log(self) -> Path:
        return LOCAL / f"{self.name}.log"

    @property
    def record(self) -> Path:
        return LOCAL / f"{self.name}.pid.json"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Starts the program in a process group of its own, and waits until it is ready."""
        if port_is_taken(self.port):
            raise StepFailed(f"port {self.port}, for {self.name}, is taken by another program. Stop that one, or choose a port: {self.port_variable}=… make up")
        LOCAL.mkdir(exist_ok=True)
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=LOCAL,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = {"pid": process.pid, "started": started_at(process.pid), "port": self.port, "environment": dict(environment)}
        self.record.write_text(json.dumps(record), encoding="utf-8")
        deadline = time.monotonic() + START_SECONDS
        while not self.is_healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StepFailed(f"{self.name} did not start. The end of {self.log.relative_to(ROOT)}:\n{tail(self.log, 20)}")
            time.sleep(0.05)

    def is_healthy(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(self.url + self.health_path, timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def process_id(self) -> int | None:
        """The process that was started here, if it still runs."""
        record = self.read_record()
        if record is None or started_at(record["pid"]) != record["started"]:
            return None
        return int(record["pid"])

    def is_ours_and_healthy(self) -> bool:
        """Whether the program that was started here, on this very port, answers."""
        record = self.read_record()
        return record is not None and record.get("port") == self.port and self.process_id() is not None and self.is_healthy()

    def runs_in(self, environment: Mapping[str, str]) -> bool:
        """Whether it answers, and was started with just these variables."""
        record = self.read_record()
        return record is not None and record.get("environment") == dict(environment) and self.is_ours_and_healthy()

    def stop(self) -> bool:
        """Ends the program and what it started (the functions are in its process group); tells whether there was any."""
        record = self.read_record()
        if record is None:
            return False
        group = int(record["pid"])
        leader = started_at(group)
        if leader is not None and leader != record["started"]:
            # The id belongs to somebody else by now.
            self.record.unlink()
            return False
        was_running = end_group(group)
        self.record.unlink(missing_ok=True)
        return was_running

    def read_record(self) -> dict | None:
        try:
            return json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def end_group(group: int) -> bool:
    """Asks the process group to end, then makes it end; tells whether there was one."""
    was_running = False
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return was_running
        was_running = True
        deadline = time.monotonic() + STOP_SECONDS
        while group_runs(group) and time.monotonic() < deadline:
            time.sleep(0.05)
    return was_running


def group_runs(group: int) -> bool:
    """Whether any process of the group is left, not counting those that ended and wait for their parent to notice."""
    return any(fields[0] != "Z" and int(fields[2]) == group for fields in map(stat_fields, process_ids()) if fields)


def process_ids() -> list[int]:
    """Every process of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def stat_fields(process_id: int) -> list[str]:
    """What the kernel tells of a process, from its state on; nothing if there is no such process."""
    try:
        # The second field is the program's name in parentheses, which may hold anything.
        return Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def started_at(process_id: int) -> str | None:
    """When a process was started: with the id, it tells one process from a later one of the same id."""
    fields = stat_fields(process_id)
    return None if not fields or fields[0] == "Z" else fields[19]


def port_is_taken(port: int) -> bool:
    """Whether anything listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
