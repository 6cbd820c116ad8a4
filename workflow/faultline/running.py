"""Tells a run that is alive from one that was killed, so that the same command goes on after either.

Snakemake lists the files of a run below `.snakemake/locks` and refuses a second run that needs them. A killed
run cannot take its list away. So every process of a run also holds a shared lock of the operating system,
which ends with the process: who can have it alone is alone here, and any list is of the dead.
"""

from __future__ import annotations

import logging
import platform
import shutil
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: a list that was left has to be cleared by hand
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)


def hold(folder: Path, results: Path, main: bool) -> IO[str] | None:
    """Hold a working folder as long as the returned file is open; None where the system has no such locks.

    The first of a run's processes clears away what a killed run left: its list of files and, below `results`,
    files that it had begun to write. It does so only if no process of any run is alive in this folder. What a
    run on another machine left is the user's to judge (`snakemake --unlock`): its processes cannot be seen
    from here on every file system.

    Args:
        folder: `.snakemake` of the working folder.
        results: where its runs write.
        main: whether this process starts the run, rather than being one of its jobs.
    """
    if fcntl is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "running").open("a+", encoding="utf-8")
    try:
        if main and _alone(file):
            if _same_machine(file):
                _clear(folder / "locks", results)
            if not _listed(folder / "locks"):
                file.truncate(0)
                file.write(platform.node())
                file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError as error:  # a file system without locks
        log.debug("%s: not locked (%s)", file.name, error)
        file.close()
        return None
    return file


def _alone(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_machine(file: IO[str]) -> bool:
    file.seek(0)
    return file.read() in ("", platform.node())


def _clear(locks: Path, results: Path) -> None:
    """Clear away what a killed run left, if one was."""
    if not _listed(locks):
        return
    shutil.rmtree(locks)
    for partial in results.rglob(".*.part"):
        partial.unlink(missing_ok=True)


def _listed(locks: Path) -> bool:
    return locks.is_dir() and any(locks.iterdir())
