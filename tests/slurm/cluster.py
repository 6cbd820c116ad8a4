"""Runs of Snakemake on a Slurm of two nodes, which go on while a test looks at them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, TINY, Project

TOOL = ROOT / "tools/slurm.sh"
LONGEST_S = 900.0
ENDED = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL"}
# What makes waiting shorter than a real cluster could bear; all else is as the profile says.
HASTE = ("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "1")

# On a cluster with accounting, as its users may have to ask.
ASKS_ACCOUNTING = ("--slurm-status-command", "sacct")
# What a site with another scheduler writes into profiles/cluster-generic.
SUBMIT = (
    "sbatch --parsable --comment=rule_{rule}_wildcards_{wildcards.case} --cpus-per-task={threads} "
    "--mem={resources.mem_mb} --time={resources.runtime} --output=/dev/null"
)
STATUS = """\
#!/bin/sh
case $(squeue -h -t all -o %T -j "$1") in
COMPLETED) echo success ;;
PENDING | CONFIGURING | RUNNING | COMPLETING) echo running ;;
*) echo failed ;;
esac
"""


def command(*words: str | Path) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def has_accounting() -> bool:
    """Whether Slurm keeps a database of jobs (`tools/slurm.sh up --accounting`)."""
    return "accounting_storage/slurmdbd" in command("scontrol", "show", "config")


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


def jobs_of(project: Project, after: int = 0) -> list[Job]:
    """Jobs that runs in this folder have submitted since one of them, first to last."""
    rows = command("squeue", "-h", "-t", "all", "-o", "%i|%T|%k|%C|%m|%l|%Z").splitlines()
    found = []
    for row in rows:
        number, state, said, cpus, memory, limit, place = row.split("|")
        minutes = int(limit.split(":")[-2]) + 60 * sum(map(int, limit.split(":")[:-2]))
        if Path(place).resolve() == project.root.resolve() and int(number) > after:
            found.append(Job(int(number), state, said, int(cpus), int(memory.rstrip("M")), minutes))
    return sorted(found, key=lambda job: job.id)


@dataclass(frozen=True)
class Started:
    """Snakemake on its way, all it says in a file, and the last job of Slurm before it."""

    process: subprocess.Popen[str]
    project: Project
    said: Path
    before: int

    @property
    def text(self) -> str:
        return self.said.read_text()

    def jobs(self, comment: str = "") -> list[Job]:
        """Its jobs whose comment, `rule_RULE_wildcards_CASE` or `group_...`, begins like this."""
        return [job for job in jobs_of(self.project, self.before) if job.comment.startswith(comment)]

    def states(self, comment: str = "") -> list[str]:
        """States of the attempts at a job, first to last."""
        return [job.state for job in self.jobs(comment)]

    def ended(self) -> int:
        """Exit code, once there is one."""
        return self.process.wait(LONGEST_S)

    def kill(self) -> None:
        """Snakemake alone: Slurm knows nothing of its end."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """What a failed test leaves behind: Snakemake, and its jobs."""
        self.kill()
        for job in self.jobs():
            if job.state not in ENDED:
                command("scancel", str(job.id))
        wait_until(lambda: set(self.states()) <= ENDED, "jobs end")


def on_slurm(project: Project, home: Path, *arguments: str, study: str = TINY) -> Started:
    """Start Snakemake with the profile for Slurm."""
    asks = ASKS_ACCOUNTING if has_accounting() else ()
    return _started(project, home, study, "--profile", "profiles/slurm", *HASTE, *asks, *arguments)


def by_commands(project: Project, home: Path, *arguments: str) -> Started:
    """Start Snakemake with the profile for other schedulers, with the commands of Slurm for an example."""
    home.mkdir(exist_ok=True)
    status = home / "status.sh"
    status.write_text(STATUS)
    status.chmod(0o755)
    commands = ("--cluster-generic-submit-cmd", SUBMIT, "--cluster-generic-cancel-cmd", "scancel")
    looks = ("--cluster-generic-status-cmd", str(status), "--latency-wait", "5")
    profile = ("--profile", "profiles/cluster-generic")
    return _started(project, home, TINY, *profile, *commands, *looks, *arguments)


def _started(project: Project, home: Path, study: str, *words: str) -> Started:
    kept = {name: value for name, value in os.environ.items() if not re.match("PYTHONPATH|SNAKEMAKE_", name)}
    home.mkdir(exist_ok=True)
    before = max((job.id for job in jobs_of(project)), default=0)
    said = home / f"said-{time.monotonic_ns()}.txt"
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--configfile", study, *words],
        cwd=project.root,
        env=kept | {"HOME": str(home)},
        stdout=said.open("w"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Started(process, project, said, before)
