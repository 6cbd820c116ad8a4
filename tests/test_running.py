"""One run at a time in a folder; a killed run is told from one that is alive; jobs end with their run."""

import fcntl
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from conftest import ROOT
from faultline import running
from faultline.errors import UserError
from faultline.running import OWNER, Run, announce, guard, take, work

HOLDER = """
import sys
from pathlib import Path
from faultline.running import take, work
folder = Path(sys.argv[1])
kept = take(folder, folder.parent / "results") if sys.argv[2] == "run" else work(folder)
print("held", flush=True)
sys.stdin.read()
"""
JOB = """
import os, subprocess, sys
from faultline.running import announce, end_with_run
if len(sys.argv) == 1:  # Snakemake: a shell, and in it the job
    announce()
    process = subprocess.Popen(["bash", "-c", f"{sys.executable} {__file__} job; true"], stdout=1)
    process.wait()
else:
    end_with_run()
    print(os.getpid(), flush=True)
    while True:  # busy, and never looks up
        pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder that a killed run left: its list of files, and a file half written."""
    listed(tmp_path)
    part = tmp_path / "results/case/.life.nc.17.part"
    part.parent.mkdir(parents=True)
    part.write_text("half")
    (part.parent / "life.nc").write_text("whole")
    (part.parent / ".life.part.nc").write_text("checkpoint")
    return tmp_path


def listed(folder: Path) -> None:
    """As Snakemake does when it begins."""
    locks = folder / ".snakemake/locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/life.nc\n")


@contextmanager
def another(folder: Path, role: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, the run or a job of one, until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder / ".snakemake"), role],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT / "workflow",
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def left(folder: Path) -> set[str]:
    names = {path.name for path in (folder / "results/case").iterdir()}
    return names | ({"locks"} if any((folder / ".snakemake").glob("locks/*")) else set())


ALL = {"life.nc", ".life.part.nc", ".life.nc.17.part", "locks"}
CLEARED = {"life.nc", ".life.part.nc"}


def taken(folder: Path) -> ExitStack:
    return take(folder / ".snakemake", folder / "results")


def test_what_a_dead_run_left_is_cleared_and_the_next_one_introduces_itself(folder: Path) -> None:
    with taken(folder):
        assert left(folder) == CLEARED
        with (folder / ".snakemake/running").open() as file:
            run = Run.of(file)
    assert (run.machine, run.process) == (platform.node(), str(os.getpid()))
    assert "pytest" in run.command or "execnet" in run.command or run.command.startswith("-c")


def test_a_job_clears_nothing(folder: Path) -> None:
    file = work(folder / ".snakemake")
    assert file is not None
    assert left(folder) == ALL
    file.close()


def test_a_second_run_is_refused_and_told_who_runs(folder: Path) -> None:
    with another(folder, "run") as first:
        listed(folder)
        with pytest.raises(UserError, match=f"process {first.pid} on {platform.node()}, since 20") as refused:
            taken(folder)
        assert str(folder) in str(refused.value) and f"kill -INT {first.pid}" in str(refused.value)
        assert "locks" in left(folder)
    with taken(folder):  # once it is killed
        assert left(folder) == CLEARED


def test_a_glance_at_the_lock_is_not_taken_for_a_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "GLANCE_S", 20.0)  # however slow this machine is just now
    with (folder / ".snakemake/running").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        release = subprocess.Popen(["sleep", "0.3"], pass_fds=[file.fileno()])  # shares the lock
    with taken(folder):
        assert release.wait(10) == 0


def test_jobs_of_a_killed_run_are_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with another(folder, "job") as job:
        monkeypatch.setattr(running, "ENDING_S", 0.2)
        with pytest.raises(UserError, match="Jobs of a run that was killed still work"):
            taken(folder)
        assert left(folder) == ALL
        monkeypatch.setattr(running, "ENDING_S", 60.0)
        stop = subprocess.Popen(["bash", "-c", f"sleep 0.3; kill -9 {job.pid}"])
        with taken(folder):
            assert left(folder) == CLEARED
        assert stop.wait(10) == 0


def test_what_must_be_clear_before_is_asked_before_anything_is_cleared(folder: Path) -> None:
    def refuse() -> None:
        raise UserError("jobs in the queue")

    with pytest.raises(UserError, match="jobs in the queue"):
        take(folder / ".snakemake", folder / "results", refuse)
    assert left(folder) == ALL
    with taken(folder):  # the refusal has let go of the folder
        assert left(folder) == CLEARED


def test_what_a_run_on_another_machine_left_stays_until_it_is_unlocked(folder: Path) -> None:
    (folder / ".snakemake/running").write_text("elsewhere\n17\n2026-01-01 00:00:00\nsnakemake --cores 1")
    for _ in range(2):
        with pytest.raises(UserError, match=r"process 17 on elsewhere(.|\n)*make unlock"):
            taken(folder)
        assert left(folder) == ALL
    (folder / ".snakemake/locks/0.output.lock").unlink()  # as --unlock does
    with taken(folder), (folder / ".snakemake/running").open() as file:
        assert Run.of(file).machine == platform.node()


def test_a_file_system_without_locks_leaves_all_to_snakemake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks here")

    def look() -> None:
        asked.append("jobs in the queue?")

    asked: list[str] = []
    monkeypatch.setattr(fcntl, "flock", refuse)
    with take(folder / ".snakemake", folder / "results", look):
        assert left(folder) == ALL
    assert work(folder / ".snakemake") is None
    assert asked == []  # they may be of a run that is alive
    (folder / ".snakemake/locks/0.output.lock").unlink()  # as --unlock does
    with take(folder / ".snakemake", folder / "results", look):
        assert asked == ["jobs in the queue?"]


def test_the_folder_is_taken_around_snakemakes_own_lock_however_often_it_is_guarded() -> None:
    said: list[str] = []

    @contextmanager
    def holds(name: str) -> Iterator[None]:
        said.append(f"{name} taken")
        yield
        said.append(f"{name} left")

    class Persistence:
        @contextmanager
        def lock(self) -> Iterator[None]:
            with holds("files"):
                yield

    def folder_taken() -> ExitStack:
        stack = ExitStack()
        stack.enter_context(holds("folder"))
        return stack

    for _ in range(2):
        guard(Persistence, folder_taken)
    with Persistence().lock():
        said.append("runs")
    assert said == ["folder taken", "files taken", "runs", "files left", "folder left"]


@pytest.mark.parametrize("how", ["at once", "by looking"])
def test_a_job_ends_when_the_run_that_started_it_is_killed(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "at once" and not hasattr(os, "pidfd_open"):
        pytest.skip("this system does not tell of ends")
    script = tmp_path / "job.py"
    script.write_text(("import os; del os.pidfd_open\n" if how == "by looking" else "") + JOB)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow"))
    run = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    job = int(run.stdout.readline())
    assert alive(job)
    run.kill()
    run.wait()
    begin = time.monotonic()
    while alive(job):
        if time.monotonic() - begin > 10:
            os.kill(job, signal.SIGKILL)
            pytest.fail("the job went on alone")
        time.sleep(0.01)
    run.stdout.close()


def alive(process: int) -> bool:
    """Whether a process works; one that waits to be buried does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True)
    return done.stdout.strip()[:1] not in ("", "Z")


def test_a_job_whose_run_cannot_be_seen_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWNER, "x")
    announce()
    process, place = os.environ[OWNER].split(" ", 1)
    assert int(process) == os.getpid()
    code = "import time; from faultline.running import end_with_run; end_with_run(); time.sleep(0.5)"
    gone = subprocess.Popen(["true"])
    gone.wait()
    for owner, ends in (("", 0), (f"{gone.pid} elsewhere", 0), (f"{gone.pid} {place}", -signal.SIGKILL)):
        monkeypatch.setenv(OWNER, owner)
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "workflow", check=False)
        assert done.returncode == ends, owner
