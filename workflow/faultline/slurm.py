"""What Snakemake does not see of Slurm: jobs that a killed run has left, and that a job was cancelled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultline.errors import UserError

LONGEST_S = 60.0  # for an answer of Slurm, and for jobs that are ending
# Snakemake gives the jobs of a run one name, which ends with a number of the run.
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_FIELDS = "%A|%T|%j|%Z"  # number, state, name, working folder


@dataclass(frozen=True)
class Job:
    """A job in the queue."""

    number: str
    state: str


def refuse_leftovers(folder: Path, submits: bool) -> None:
    """See that no job of an earlier run in a working folder is in the queue.

    The folder is that of this run alone (`faultline.running`), and it has not submitted anything yet, so what
    is in the queue is of a run that was killed.

    Args:
        folder: working folder.
        submits: whether this run is to use Slurm. Another looks only where an earlier one has.

    Raises:
        UserError: there are such jobs, or Slurm does not say.
    """
    if not submits and not ((folder / ".snakemake/slurm_logs").is_dir() and shutil.which("squeue")):
        return
    jobs = _settled(folder)
    if jobs:
        numbers = " ".join(job.number for job in jobs)
        states = ", ".join(f"{job.number} {job.state.lower()}" for job in jobs)
        raise UserError(
            f"A run in {folder} was killed, but jobs of it are still with Slurm ({states}). They write what "
            "this run would. Wait until they have ended, which keeps what they compute, or cancel them:\n"
            f"  scancel {numbers}\n"
            "Then give the same command again."
        )


def see_cancelled(executor: Any) -> None:
    """Let the executor for Slurm see that a job was cancelled, where it asks `sacct`.

    `sacct` then says `CANCELLED by 1000`, with the number of the user. The executor (2.8) knows the first
    word alone, takes the job for one that runs, and waits for it without end.

    Args:
        executor: the module `snakemake_executor_plugin_slurm`; None or one of another make is left as it is.
    """
    ask = getattr(executor, "query_job_status", None)
    if ask is None:
        return

    async def ask_for_words(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await ask(command, logger)
        return states and {job: state.partition(" by ")[0] for job, state in states.items()}, seconds

    executor.query_job_status = ask_for_words


def _settled(folder: Path) -> list[Job]:
    """Jobs of the folder, after those have gone that are just ending."""
    last = time.monotonic() + LONGEST_S
    while True:
        jobs = _jobs(folder)
        if any(job.state != "COMPLETING" for job in jobs) or not jobs or time.monotonic() > last:
            return jobs
        time.sleep(1)


def _jobs(folder: Path) -> list[Job]:
    """Jobs of this user that a run in this folder has submitted and that have not ended."""
    command = ["squeue", "--noheader", f"--user={os.getuid()}", f"--format={_FIELDS}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise UserError(
            f"Slurm does not say whether an earlier run in {folder} has left jobs ({said}). Try "
            "`squeue --me`; if none is left, remove .snakemake/slurm_logs there to run without Slurm."
        ) from None
    rows = [line.split("|", 3) for line in done.stdout.splitlines()]
    found = [
        Job(number, state)
        for number, state, name, place in rows
        if NAME.search(name) and Path(place).resolve() == folder.resolve()
    ]
    return list(dict.fromkeys(found))
