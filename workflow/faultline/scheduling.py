"""Keeps Snakemake's own process idle while jobs run.

Whenever a job ends, Snakemake 9 looks through all jobs that wait, and asks for one more look a second later.
That look asks for the next, and so on without end: after n jobs, n looks a second, each of which reads the
sizes of every input. With hundreds of short jobs it takes the time of a core. One look that is due is enough.
"""

from __future__ import annotations

import threading
from typing import Any


def look_once_a_second(scheduler: type) -> None:
    """Let a scheduler of Snakemake have one look due at a time; one of another make is left as it is.

    Args:
        scheduler: the class `snakemake.scheduling.job_scheduler.JobScheduler`.
    """
    if not hasattr(scheduler, "_schedule_reevalutation"):  # the spelling is Snakemake's
        return

    def look_later(self: Any, delay: float) -> None:
        if getattr(self, "look_is_due", False):
            return
        self.look_is_due = True

        def look() -> None:
            self.look_is_due = False
            self._open_jobs.release()

        timer = threading.Timer(delay, look)
        timer.daemon = True
        timer.start()

    scheduler._schedule_reevalutation = look_later
