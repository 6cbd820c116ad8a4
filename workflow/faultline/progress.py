"""What a running stage says: everything to its log file, one line to the terminal where it fails."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faultline.errors import UserError
from faultline.running import end_with_run, work

INTERVAL_S = 5.0


def run_script(main: Callable[[Any, Any, Any], None], job: Any) -> None:
    """Run a rule's script as a process of its own.

    `main(input, output, params)` does the work; `job` has `input`, `output`, `params`, `rule` and `log` (a
    list of one path). Messages, prints (those of compiled code too) and tracebacks go to the log. If `main`
    fails, one line goes to the terminal and the process ends with exit code 1. It ends at once where the run
    that started it is killed.
    """
    end_with_run()
    with work(Path(".snakemake")) or contextlib.nullcontext(), log_to(Path(job.log[0])) as terminal:
        try:
            main(job.input, job.output, job.params)
        except UserError as error:
            logging.error("%s", error)
            print(f"\n{job.rule}: {error}\n", file=terminal, flush=True)
            raise SystemExit(1) from None
        except Exception as error:
            logging.exception("%s failed", job.rule)
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"\n{job.rule}: {message} (traceback in {job.log[0]})\n", file=terminal, flush=True)
            raise SystemExit(1) from None


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[Any]:
    """Send logging, stdout and stderr of this process to the file `path`; yields the terminal as it was."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(stream) for stream in (1, 2)]
    with _opened(path) as file, os.fdopen(os.dup(2), "w") as terminal:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root, ours = logging.getLogger(), logging.getLogger("faultline")  # others: warnings only
        level = ours.level
        root.addHandler(handler)
        ours.setLevel(logging.INFO)
        logging.captureWarnings(True)
        try:
            yield terminal
        finally:
            logging.captureWarnings(False)
            root.removeHandler(handler)
            ours.setLevel(level)
            for written in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):  # as in `_opened`
                    written.flush()
            for stream, original in zip((1, 2), saved, strict=True):
                os.dup2(original, stream)
                os.close(original)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The log, open; that a disk is full must not hide what the terminal was told of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        remedy = "see that its folder can be written, and run the same command again"
        print(f"\n{path}: cannot be written ({error.strerror}); {remedy}\n", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


class Progress:
    """Writes a progress line at a steady rate, however often it is called."""

    def __init__(self, logger: logging.Logger, interval: float = INTERVAL_S) -> None:
        self._logger = logger
        self._interval = interval
        self._next = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last line is old enough; saves working out what would not be said."""
        return time.monotonic() >= self._next

    def __call__(self, message: str, *values: object) -> None:
        """Log `message` with `values` if the last line is at least `interval` seconds old."""
        if self.due:
            self._logger.info(message, *values)
            self._next = time.monotonic() + self._interval
