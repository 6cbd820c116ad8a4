"""A Slurm of one node for tests, and runs of Snakemake on it that go on while a test looks at them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, TINY, Project

TOOL = ROOT / "tools/slurm.sh"
LONGEST_S = 300.0
# What makes waiting shorter than a real cluster could bear; all else is as the profile says.
HASTE = ("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "1")


def command(*words: str | Path) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_until(reached: Callable[[], object], what: str) -> None:
    begin = time.monotonic()
    while not reached():
        assert time.monotonic() - begin < LONGEST_S, f"waited in vain: {what}"
        time.sleep(0.2)


@dataclass(frozen=True)
class Job:
    """A job as Slurm sees it; memory in MB, limit of its time in minutes."""

    id: int
    state: str
    comment: str
    cpus: int
    memory: int
    minutes: int


def jobs(comment: str, after: int = 0) -> list[Job]:
    """Jobs since one of them whose comment, `rule_RULE_wildcards_CASE` or `group_...`, begins like this."""
    rows = command("squeue", "-h", "-t", "all", "-o", "%i|%T|%k|%C|%m|%l").splitlines()
    found = []
    for row in rows:
        number, state, said, cpus, memory, limit = row.split("|")
        minutes = int(limit.split(":")[-2]) + 60 * sum(map(int, limit.split(":")[:-2]))
        if said.startswith(comment) and int(number) > after:
            found.append(Job(int(number), state, said, int(cpus), int(memory.rstrip("M")), minutes))
    return sorted(found, key=lambda job: job.id)


def last_job() -> int:
    return max((job.id for job in jobs("")), default=0)


def states(comment: str, after: int) -> list[str]:
    """States of the attempts at a job, first to last."""
    return [job.state for job in jobs(comment, after)]


@dataclass(frozen=True)
class Started:
    """Snakemake on its way, all it says in a file, and the last job of Slurm before it."""

    process: subprocess.Popen[str]
    said: Path
    before: int

    @property
    def text(self) -> str:
        return self.said.read_text()

    def ended(self) -> int:
        """Exit code, once there is one."""
        return self.process.wait(LONGEST_S)

    def stop(self) -> None:
        """What a failed test leaves behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def on_slurm(project: Project, home: Path, *arguments: str) -> Started:
    """Start Snakemake with the profile for Slurm, on the tiny study."""
    kept = {name: value for name, value in os.environ.items() if not re.match("PYTHONPATH|SNAKEMAKE_", name)}
    home.mkdir(exist_ok=True)
    said, before = home / f"said-{time.monotonic_ns()}.txt", last_job()
    words = ["snakemake", "--configfile", TINY, "--profile", "profiles/slurm", *HASTE, *arguments]
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=project.root,
        env=kept | {"HOME": str(home)},
        stdout=said.open("w"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Started(process, said, before)


def processes(word: str) -> list[str]:
    """Command lines of living processes that hold a word; those that only wait to be buried have none."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended just now
            lines.append(file.read_text(errors="replace").replace("\0", " "))
    return [line for line in lines if word in line]
