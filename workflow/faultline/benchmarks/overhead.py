"""What a finished study spent on other things than solving: starts, imports, Snakemake, files.

Snakemake measures every job (`benchmarks/**.tsv`) and every stage file says how long its solve took. The rest
of a job went into starting an interpreter, importing, reading and writing. What Snakemake itself adds to a
job, from taking it up to seeing it finished, follows from the log of the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from faultline.benchmarks.rows import Goal, Row, row
from faultline.dataset import read_dataset

OWN = "benchmarks"  # folder of our own jobs among the timings, which belong to no study
GOAL = Goal(0.15, at_most=True, why="a process a stage and case, about a second of imports each")
NAME = "overhead of a study"
MOST_UNKNOWN = 0.1  # of a run's jobs may lack a timing, of those made again since


@dataclass(frozen=True)
class Job:
    """A job's name, seconds of its process, seconds of these spent on work, and when it ended."""

    name: str
    process_s: float
    work_s: float
    ended: datetime


@dataclass(frozen=True)
class Run:
    """Begin and end of a run of Snakemake, seconds before its first job, and those of each job."""

    began: datetime
    ended: datetime
    start_s: float
    job_s: tuple[float, ...]


def overhead(results: Path, logs: Path) -> Row:
    """Share of core time that did not go into work, of the study in `results`; `logs` are Snakemake's."""
    jobs = read_jobs(results)
    if not jobs:
        return row(NAME, f"skipped: no timed jobs in {results}")
    process, work = (sum(getattr(job, what) for job in jobs) for what in ("process_s", "work_s"))
    own = snakemake_seconds(jobs, [read_run(log) for log in sorted(logs.glob("*.snakemake.log"))])
    total = process + (own or 0.0)
    spent = process - work
    note = (
        f"{results}: share of {total:.0f} s of core time in {len(jobs)} jobs; solves and cells of reports "
        f"{work:.0f} s, starts, imports and files {spent:.0f} s ({spent / len(jobs):.1f} s a job), "
        f"Snakemake {'not known' if own is None else f'{own:.0f} s'}"
    )
    return row(NAME, note, ours_s=total - work, ratio=1 - work / total, goal=GOAL)


def read_jobs(results: Path) -> list[Job]:
    """All timed jobs of a study whose results are still there."""
    folder = results / "benchmarks"
    jobs = []
    for timing in sorted(folder.rglob("*.tsv")):
        name = timing.relative_to(folder).with_suffix("")
        if name.parts[0] == OWN or not (results / name).parent.is_dir():
            continue
        seconds = float(pd.read_csv(timing, sep="\t")["s"].iloc[-1])
        ended = datetime.fromtimestamp(timing.stat().st_mtime)
        jobs.append(Job(name.as_posix(), seconds, min(work_seconds(results, name), seconds), ended))
    return jobs


def work_seconds(results: Path, name: Path) -> float:
    """Seconds that a job worked: the solve of its stage file, a notebook's cells, a group's problems."""
    for stage_file in (results / f"{name}.nc", results / name / "microstructure.nc"):
        if stage_file.is_file():
            # files that do not say count as overhead whole: rather too much of it than too little
            return float(read_dataset(stage_file).attrs.get("wall_time_s", 0.0))
    stem = name.parent.name if name.name == "notebook" else name.name  # verification's has its folder's name
    notebook = results / name.parent / f"{stem}.ipynb"
    if notebook.is_file():
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        durations = (cell["metadata"].get("papermill", {}).get("duration") for cell in cells)
        return sum(float(duration or 0.0) for duration in durations)
    log = results / "logs" / f"{name}.log"
    if name.parts[0] == "verification" and log.is_file():
        told = re.findall(r"faultline\.verification\.rows: .*: ([\d.]+) s$", log.read_text(), re.MULTILINE)
        return sum(map(float, told))
    return 0.0


def snakemake_seconds(jobs: Sequence[Job], runs: Sequence[Run | None]) -> float | None:
    """Snakemake's own seconds for all jobs, from the run that made most of them; None without one."""
    made = {run: [job for job in jobs if run.began <= job.ended <= run.ended] for run in runs if run}
    run = max(made, key=lambda run: len(made[run]), default=None)
    if run is None or len(made[run]) < (1 - MOST_UNKNOWN) * len(run.job_s):
        return None
    per_job = (sum(run.job_s) - sum(job.process_s for job in made[run])) / len(made[run])
    return run.start_s + max(per_job, 0.0) * len(jobs)


def read_run(log: Path) -> Run | None:
    """Times of a run from its log; None if no job of it ended."""
    began = datetime.strptime(log.name.removesuffix(".snakemake.log"), "%Y-%m-%dT%H%M%S.%f")
    now, first = began, None
    taken_up: dict[str, datetime] = {}
    seconds = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if stamp := re.fullmatch(r"\[(\w{3} \w{3} +\d+ [\d:]{8} \d{4})\]", line):
            now = datetime.strptime(stamp[1], "%a %b %d %H:%M:%S %Y")
        elif job := re.match(r"Job (\d+): ", line):
            first = first or now
            taken_up[job[1]] = now
        elif (job := re.match(r"Finished jobid: (\d+)", line)) and job[1] in taken_up:
            seconds.append((now - taken_up[job[1]]).total_seconds())
    if first is None or not seconds:
        return None
    # stamps are whole seconds, files have finer times
    start_s = max((first - began).total_seconds(), 0.0)
    return Run(began, now.replace(microsecond=999_999), float(np.round(start_s, 1)), tuple(seconds))
