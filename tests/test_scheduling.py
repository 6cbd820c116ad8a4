"""Snakemake's looks at waiting jobs do not pile up."""

import threading

from snakemake.scheduling.job_scheduler import JobScheduler

from faultline.scheduling import look_once_a_second


def test_looks_that_are_due_are_one():
    class Scheduler:
        def __init__(self):
            self._open_jobs = threading.Semaphore(0)

        def _schedule_reevalutation(self, delay):
            raise AssertionError("replaced")

    look_once_a_second(Scheduler)
    scheduler = Scheduler()
    for _ in range(20):
        scheduler._schedule_reevalutation(0.5)
    assert scheduler._open_jobs.acquire(timeout=5)
    assert not scheduler._open_jobs.acquire(timeout=0.2)
    scheduler._schedule_reevalutation(0.0)
    assert scheduler._open_jobs.acquire(timeout=5)


def test_another_scheduler_is_left_alone():
    class Other:
        pass

    look_once_a_second(Other)
    assert not hasattr(Other, "_schedule_reevalutation")


def test_the_pinned_snakemake_has_what_is_replaced():
    assert callable(JobScheduler._schedule_reevalutation)
