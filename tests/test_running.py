"""A killed run is told from one that is alive."""

import fcntl
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from faultline.running import hold

HOLDER = """
import sys
from pathlib import Path
from faultline.running import hold
kept = hold(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "main")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder that a killed run left: its list of files, and a file half written."""
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/life.nc\n")
    part = tmp_path / "results/case/.life.nc.17.part"
    part.parent.mkdir(parents=True)
    part.write_text("half")
    (part.parent / "life.nc").write_text("whole")
    (part.parent / ".life.part.nc").write_text("checkpoint")
    return tmp_path


def holder(folder: Path, role: str) -> subprocess.Popen[str]:
    """Another process of a run."""
    arguments = [str(folder / ".snakemake"), str(folder / "results"), role]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT / "workflow",
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def left(folder: Path) -> set[str]:
    names = {path.name for path in (folder / "results/case").iterdir()}
    return names | ({"locks"} if any((folder / ".snakemake").glob("locks/*")) else set())


ALL = {"life.nc", ".life.part.nc", ".life.nc.17.part", "locks"}


def take(folder: Path, main: bool = True) -> None:
    kept = hold(folder / ".snakemake", folder / "results", main)
    assert kept is not None
    kept.close()


def test_what_a_dead_run_left_is_cleared(folder: Path) -> None:
    take(folder)
    assert left(folder) == {"life.nc", ".life.part.nc"}
    assert (folder / ".snakemake/running").read_text() == platform.node()


def test_a_job_clears_nothing(folder: Path) -> None:
    take(folder, main=False)
    assert left(folder) == ALL


@pytest.mark.parametrize("role", ["main", "job"])
def test_nothing_is_cleared_while_a_process_of_a_run_is_alive_but_once_it_is_killed(
    folder: Path, role: str
) -> None:
    alive = holder(folder, role)
    locks = folder / ".snakemake/locks"
    try:
        locks.mkdir(exist_ok=True)
        (locks / "0.output.lock").write_text("results/life.nc\n")
        before = left(folder)
        take(folder)
        assert left(folder) == before and "locks" in before
    finally:
        alive.kill()
        alive.communicate()
    take(folder)
    assert left(folder) == {"life.nc", ".life.part.nc"}


def test_what_a_run_on_another_machine_left_stays_until_it_is_unlocked(folder: Path) -> None:
    (folder / ".snakemake/running").write_text("elsewhere")
    for _ in range(2):
        take(folder)
        assert left(folder) == ALL
    (folder / ".snakemake/locks/0.output.lock").unlink()  # as --unlock does
    take(folder)
    assert (folder / ".snakemake/running").read_text() == platform.node()


def test_a_file_system_without_locks_leaves_all_to_snakemake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert hold(folder / ".snakemake", folder / "results", main=True) is None
    assert left(folder) == ALL
