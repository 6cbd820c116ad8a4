"""One run at a time in a working folder, and after a killed one the same command goes on.

Snakemake lists the files of a run below `.snakemake/locks` and refuses a second run that needs one of them.
A killed run cannot take its list away, and runs that need different files are let through. So there are two
locks of the operating system besides, which end with the process that has them: `running` belongs to the one
run of the folder, `jobs` to all processes that work for it. Who gets both is alone here, and any list is of
the dead.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import platform
import select
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO, Any

from faultline.errors import UserError

if sys.platform != "win32":  # there, a list that was left has to be cleared by hand
    import fcntl

log = logging.getLogger(__name__)

OWNER = "FAULTLINE_RUN"  # environment variable by which jobs know the process that started them
GLANCE_S = 1.0  # for so long another command may look at the lock without being taken for a run
ENDING_S = 20.0  # jobs of a killed run notice at once; what they compute just then may take longer
LOOK_S = 0.2
STUDIES = "studies"  # in `.snakemake`: study files that were run, one a line


@dataclass(frozen=True)
class Run:
    """A run as it introduces itself in `.snakemake/running`."""

    machine: str
    process: str = ""
    since: str = ""
    command: str = ""

    @classmethod
    def this(cls) -> Run:
        """The run of this process."""
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        return cls(platform.node(), str(os.getpid()), time.strftime("%Y-%m-%d %H:%M:%S"), command)

    @classmethod
    def of(cls, file: IO[str]) -> Run:
        """The run that wrote a file; without a machine where none did."""
        file.seek(0)
        return cls(*[*file.read().splitlines(), ""][:4])

    def write(self, file: IO[str]) -> None:
        """Introduce itself."""
        file.truncate(0)
        file.write("\n".join(astuple(self)))
        file.flush()

    def __str__(self) -> str:
        return f"process {self.process} on {self.machine}, since {self.since}: {self.command}"


def take(folder: Path, results: Path, before: Callable[[], None] = lambda: None) -> contextlib.ExitStack:
    """Take a working folder for this run, and clear away what a killed one left.

    What it left are its list of files and, below `results`, files that it had begun to write.

    Args:
        folder: `.snakemake` of the working folder.
        results: where its runs write.
        before: called once it is clear that no other run is alive, before anything is cleared away.

    Returns:
        What holds the folder until it is closed. Nothing is held on a system without locks for files.

    Raises:
        UserError: another run is alive here, or may be.
    """
    with contextlib.ExitStack() as held:
        file = _opened(folder / "running")
        if file is None:  # Snakemake's list has to do: its files are of a living run until they are unlocked
            if not _listed(folder / "locks"):
                before()
            return contextlib.ExitStack()
        held.enter_context(file)
        if not _locked(file, GLANCE_S):
            raise UserError(_alive(folder, Run.of(file)))
        last, listed = Run.of(file), _listed(folder / "locks")
        if listed and last.machine not in ("", platform.node()):
            raise UserError(_elsewhere(folder, last))
        Run.this().write(file)
        before()
        _wait_for_jobs(folder)
        if listed:
            _clear(folder / "locks", results)
        return held.pop_all()


def note_study(own: Path, name: str) -> None:
    """Remember in `.snakemake` (`own`) that this project has run a study file, wherever that lies."""
    noted = own / STUDIES
    known = noted.read_text(encoding="utf-8").splitlines() if noted.is_file() else []
    if name not in known:
        own.mkdir(parents=True, exist_ok=True)
        noted.write_text("".join(f"{line}\n" for line in [*known, name]), encoding="utf-8")


def work(folder: Path) -> IO[str] | None:
    """Take part in a run as one of its jobs, as long as the returned file is open.

    Args:
        folder: `.snakemake` of the working folder.
    """
    file = _opened(folder / "jobs")
    if file is not None:
        fcntl.flock(file, fcntl.LOCK_SH)
    return file


def guard(persistence: type, taken: Callable[[], contextlib.ExitStack]) -> None:
    """Let Snakemake take the folder where it locks its files: neither in a dry run, nor with `--nolock`.

    Args:
        persistence: the class `snakemake.persistence.PersistenceBase`.
        taken: `take` with its arguments.
    """
    own: Any = getattr(persistence.lock, "own", persistence.lock)  # type: ignore[attr-defined]

    @contextlib.contextmanager
    def lock(self: Any) -> Iterator[None]:
        with taken(), own(self):
            yield

    lock.own = own  # type: ignore[attr-defined]
    persistence.lock = lock  # type: ignore[attr-defined]
    # A dry run would take the list of a killed run for a living one, and say so.
    persistence.lock_warn_only = lambda self: contextlib.nullcontext()  # type: ignore[attr-defined]


def _opened(path: Path) -> IO[str] | None:
    """A file to lock; None where the system or the file system has no locks."""
    if sys.platform == "win32":
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
    except BlockingIOError:
        pass
    except OSError as error:
        log.debug("%s: not locked (%s)", path, error)
        file.close()
        return None
    return file


def _locked(file: IO[str], patience: float) -> bool:
    """Whether this process has a file alone, within so many seconds."""
    last = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > last:
                return False
            time.sleep(LOOK_S)
        else:
            return True


def _wait_for_jobs(folder: Path) -> None:
    """Wait for the jobs of a killed run, which end by themselves."""
    file = _opened(folder / "jobs")
    if file is None:
        return
    with file:
        if not _locked(file, ENDING_S):
            raise UserError(
                f"Jobs of a run that was killed still work in {folder.parent}. Give the same command again "
                "when they have ended; on a cluster, cancel them."
            )


def _clear(locks: Path, results: Path) -> None:
    for partial in list(results.rglob(".*.part")):
        if partial.is_dir() and not partial.is_symlink():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)
    for file in locks.iterdir():
        file.unlink()


def _listed(locks: Path) -> bool:
    return locks.is_dir() and any(locks.iterdir())


def _alive(folder: Path, run: Run) -> str:
    return (
        f"A run is going on in {folder.parent}:\n  {run}\n"
        f"Wait until it has ended, or end it (Ctrl-C where it runs, or `kill -INT {run.process}` on "
        f"{run.machine}); then give the same command again. Two runs at a time need two copies of the "
        "project."
    )


def _elsewhere(folder: Path, run: Run) -> str:
    return (
        f"The last run in {folder.parent} did not end in good order, and whether it is alive cannot be seen "
        f"from here:\n  {run}\n"
        f"If it is not (`ps -p {run.process}` on {run.machine}), `make unlock`, then give the same command "
        "again."
    )


# ---- jobs end with the run that started them


def announce() -> None:
    """Tell jobs which process started them."""
    os.environ[OWNER] = f"{os.getpid()} {_place()}"


def end_with_run() -> None:
    """From now on this process ends when the one ends that announced itself; one elsewhere cannot be seen.

    Python's thread switches must come to it: a call of compiled code ends first.
    """
    number, _, place = os.environ.get(OWNER, "").partition(" ")
    if not number.isdecimal() or place != _place():
        return
    process = int(number)
    if _ends(process, patience=0.0):
        _end_here(process)

    def watch() -> None:
        if _ends(process):
            _end_here(process)

    threading.Thread(target=watch, daemon=True).start()


def _place() -> str:
    """Where a number means the same process: the machine, and the space of its numbers on Linux."""
    space = Path("/proc/self/ns/pid")
    return f"{platform.node()} {space.readlink() if space.is_symlink() else ''}"


def _end_here(process: int) -> None:
    log.error("Snakemake, process %d, is gone: this job ends here", process)
    os.kill(os.getpid(), signal.SIGKILL)


def _ends(process: int, patience: float | None = None) -> bool:
    """Whether a process ends within so many seconds, or at all; one that waits to be buried has ended."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):  # not Linux, or a container that does not let it
        return _ends_by_looking(process, math.inf if patience is None else patience)
    try:
        return bool(select.select([handle], [], [], patience)[0])
    finally:
        os.close(handle)


def _ends_by_looking(process: int, patience: float) -> bool:
    last = time.monotonic() + patience
    try:
        while True:
            with contextlib.suppress(PermissionError):
                os.kill(process, 0)
            if time.monotonic() >= last:
                return False
            time.sleep(LOOK_S)
    except ProcessLookupError:
        return True
