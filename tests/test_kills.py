"""The tiny study, killed twenty times at random moments, ends with the numbers of a run that was left alone.

Either the whole process group is killed, or Snakemake alone, whose jobs then end by themselves. What was
finished is kept: the same command goes on from there, with no flag. A study that is finished early begins
anew.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import TINY, Project
from same_results import assert_same, numbers_of

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.xdist_group("kills")]

RESULTS = "results/tiny"
TARGETS = [f"{RESULTS}/study/comparisons.csv", f"{RESULTS}/study/gate.txt"]
KILLS, SEED = 20, 7
# Seconds from the moment when the jobs are known: starting takes most of the time of a run that is killed.
EARLY, LATE = -0.5, 4.0
LONGEST_S = 300.0
ORPHANS_S = 20.0


@pytest.fixture(scope="module")
def undisturbed(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = clean_project.copy(tmp_path_factory.mktemp("undisturbed") / "faultline")
    run = project.snakemake("--cores", "2", "--", *TARGETS)
    assert run.code == 0, run.text
    return project


def started(project: Project, home: Path) -> subprocess.Popen[bytes]:
    """The same command every time, in a session and process group of its own."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}
    home.mkdir(exist_ok=True)
    with (home / "said.txt").open("a") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--configfile", TINY, "--cores", "2", "--", *TARGETS],
            cwd=project.root,
            env=kept | {"HOME": str(home)},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def ended_before(process: subprocess.Popen[bytes], project: Project, delay: float) -> bool:
    """Wait until so long after the run has listed its files; with a delay below 0 only until it has begun."""
    begin, lists = time.monotonic(), project / ".snakemake/locks/0.output.lock"
    old = written(lists)
    while written(lists) in (None, old):
        if process.poll() is not None:
            return True
        if delay < 0 and time.monotonic() - begin > 1.0:
            return False
        assert time.monotonic() - begin < LONGEST_S
        time.sleep(0.005)
    try:
        process.wait(max(delay, 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True


def written(path: Path) -> int | None:
    """When the file was written (ns); None where there is none, as it may be gone at any moment."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def workers(session: int) -> list[str]:
    """Processes of a session that do something; those that wait to be buried do not."""
    done = subprocess.run(["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in done.stdout.splitlines()]
    return [row[-1] for row in rows if row[0] == str(session) and not row[1].startswith("Z")]


def assert_ends(session: int) -> None:
    begin = time.monotonic()
    while left := workers(session):
        assert time.monotonic() - begin < ORPHANS_S, f"went on alone: {left}"
        time.sleep(0.05)


def assert_same_results(project: Project, expected: Project) -> None:
    assert numbers_of(project, RESULTS) == numbers_of(expected, RESULTS)
    for name in numbers_of(expected, RESULTS):
        assert_same(project / str(name), expected / str(name))
    assert [path for path in (project / RESULTS).rglob(".*") if ".part" in path.name] == []


def test_a_study_killed_twenty_times_gives_the_same_results(
    clean_project: Project, undisturbed: Project, tmp_path: Path
) -> None:
    project, home = clean_project.copy(tmp_path / "faultline"), tmp_path / "home"
    random = np.random.default_rng(SEED)
    killed = {"group": 0, "alone": 0}
    while sum(killed.values()) < KILLS:
        how = "alone" if killed["alone"] < killed["group"] else "group"
        process = started(project, home)
        if ended_before(process, project, random.uniform(EARLY, LATE)):
            assert process.returncode == 0, (home / "said.txt").read_text()
            assert_same_results(project, undisturbed)
            shutil.rmtree(project / RESULTS)
            continue
        if how == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed[how] += 1
        # Sometimes the next one starts at once, and has to wait for the jobs that were left.
        if random.random() < 0.5:
            assert_ends(process.pid)
    assert killed == {"group": 10, "alone": 10}
    last = started(project, home)
    assert last.wait(LONGEST_S) == 0, (home / "said.txt").read_text()
    assert_same_results(project, undisturbed)
    assert workers(last.pid) == []
