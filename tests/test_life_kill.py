"""A life whose whole run is killed, again and again, ends with the numbers of one that was left alone."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from numpy.testing import assert_array_equal

from conftest import TINY, Project
from faultline.dataset import read_dataset
from small_life import small_study

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.xdist_group("life-kill")]

CASE, STUDY = "o3-nfm-life-one-way", "config/small.yaml"
RESULTS = f"results/small/{CASE}"
TARGET = f"{RESULTS}/life.nc"
FIRST, SECOND = f"{RESULTS}/block-1-4", f"{RESULTS}/block-5-8"
CHECKPOINT = ".life.part.nc"
LONGEST_S = 240.0

# Read by the Python of every script as it starts; the first that touches a certain file ends the whole run.
STRIKE = """
import os, re, signal, sys

seen = 0


def strike(event, arguments):
    global seen
    if event == {event!r} and re.search({file!r}, str(arguments[0])):
        seen += 1
        if seen == {time!r}:
            if event == "os.rename":  # it is written whole: leave half of it
                os.truncate(arguments[0], os.path.getsize(arguments[0]) // 2)
            os.killpg(os.getsid(0), signal.SIGKILL)


sys.addaudithook(strike)
"""


@dataclass(frozen=True)
class Moment:
    """The moment when a process of the run touches a file while it writes it, so and so often."""

    event: str
    file: str
    time: int = 1

    def hook(self) -> str:
        partial = rf"{re.escape(self.file)}\.\d+\.part$"
        return STRIKE.format(event=self.event, file=partial, time=self.time)


def begins(file: str, time: int = 1) -> Moment:
    return Moment("open", file, time)


def half_written(file: str) -> Moment:
    return Moment("os.rename", file)


@pytest.fixture(scope="module")
def fresh(clean_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a small life, nothing computed."""
    project = clean_project.copy(tmp_path_factory.mktemp("kill") / "faultline")
    content = small_study(CASE, {}, cycles=8, block=4, jump={"largest": 2})
    (project / STUDY).write_text(yaml.safe_dump(content))
    return project


@pytest.fixture(scope="module")
def undisturbed(fresh: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = fresh.copy(tmp_path_factory.mktemp("undisturbed") / "faultline")
    run = project.snakemake("--cores", "1", "--", TARGET, study=STUDY)
    assert run.code == 0, run.text
    return project


def started(project: Project, home: Path, moment: Moment | None = None) -> subprocess.Popen[str]:
    """The same command every time, as the leader of a process group of its own."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")
    }
    home.mkdir(exist_ok=True)
    hook = project / "workflow/sitecustomize.py"  # on the import path of scripts
    hook.write_text(moment.hook() if moment else "")
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--configfile", STUDY, "--cores", "1", "--", TARGET],
        cwd=project.root,
        env=kept | {"HOME": str(home)},
        stdout=(home / "said.txt").open("a"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_at(moment: Moment, project: Project, home: Path) -> bool:
    """Start the run and kill all its processes at a moment; whether that moment came."""
    process = started(project, home, moment)
    try:
        code = process.wait(LONGEST_S)
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
    wait_for_the_last(project)
    return code == -signal.SIGKILL


def wait_for_the_last(project: Project) -> None:
    """Wait until the system has taken the last process of the run away, as a user does without noticing."""
    with (project / ".snakemake/running").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def locked(project: Project) -> bool:
    return any((project / ".snakemake").glob("locks/*.lock"))


def test_a_run_killed_five_times_gives_the_same_life(
    fresh: Project, undisturbed: Project, tmp_path: Path
) -> None:
    project = fresh.copy(tmp_path / "faultline")
    moments = {
        "an early stage": half_written(f"{RESULTS}/.exposure.nc"),
        "between two checkpoints": begins(f"{FIRST}/.{CHECKPOINT}", 2),
        "writing a checkpoint": half_written(f"{FIRST}/.{CHECKPOINT}"),
        "between the two files of a block": begins(f"{FIRST}/.life.nc"),
        "the second block": begins(f"{SECOND}/.{CHECKPOINT}", 2),
    }
    missed = [name for name, moment in moments.items() if not kill_at(moment, project, tmp_path / "home")]
    assert missed == []
    assert locked(project)  # the last one left its lock; the same command goes on all the same
    process = started(project, tmp_path / "home")
    assert process.wait(LONGEST_S) == 0, (tmp_path / "home/said.txt").read_text()

    log = (project / f"results/small/logs/{CASE}/block-5-8/life.log").read_text()
    assert int(re.findall(r"going on after cycle (\d+)", log)[0]) > 4  # not from the beginning of the block
    for name in (TARGET, f"{FIRST}/life.nc", f"{FIRST}/state.nc", f"{SECOND}/life.nc", f"{SECOND}/state.nc"):
        found, expected = (read_dataset(one / name) for one in (project, undisturbed))
        assert set(found.variables) == set(expected.variables)
        for variable in expected.variables:
            assert_array_equal(
                found[variable].values, expected[variable].values, err_msg=f"{name}: {variable}"
            )
    left = [path for path in (project / "results").rglob(".*") if ".part" in path.name]
    assert left == []
    assert not locked(project)


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_is_alive(
    fresh: Project, tmp_path: Path
) -> None:
    project = fresh.copy(tmp_path / "faultline")
    first = started(project, tmp_path / "home")
    try:
        begin = time.monotonic()
        while not locked(project):
            assert first.poll() is None and time.monotonic() - begin < LONGEST_S
            time.sleep(0.01)
        os.killpg(first.pid, signal.SIGSTOP)  # it is alive for as long as this takes
        other = "results/tiny/p2-nnm/defects.nc"  # of another study: no file in common
        for target, study in ((TARGET, STUDY), (other, TINY)):
            second = project.snakemake("--cores", "1", "--", target, study=study)
            assert second.code == 1
            assert f"A run is going on in {project.root}:\n  process {first.pid} on " in second.text
            assert "Traceback" not in second.text
            assert locked(project)
        assert project.snakemake("-n", "--", other, study=TINY).code == 0
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
