"""A job that somebody has cancelled is not taken for one that runs where Snakemake asks `sacct`."""

import asyncio
import inspect
import logging
from types import SimpleNamespace

import pytest

from faultline.slurm import see_cancelled

COMMAND = "printf '%s\\n' '7|CANCELLED by 1000' '8|CANCELLED' '9|OUT_OF_MEMORY' '10|RUNNING'"


def test_the_pinned_executor_sees_it() -> None:
    executor = pytest.importorskip("snakemake_executor_plugin_slurm")
    assert "await query_job_status(" in inspect.getsource(executor)
    copy = SimpleNamespace(query_job_status=executor.query_job_status)
    see_cancelled(copy)
    states, seconds = asyncio.run(copy.query_job_status(COMMAND, logging.getLogger()))
    assert states == {"7": "CANCELLED", "8": "CANCELLED", "9": "OUT_OF_MEMORY", "10": "RUNNING"}
    assert seconds < 60


@pytest.mark.parametrize("answer", [(None, None), ({}, 0.1)])
def test_no_answer_stays_none(answer: tuple[dict[str, str] | None, float | None]) -> None:
    async def ask(command: str, logger: object) -> tuple[dict[str, str] | None, float | None]:
        return answer

    executor = SimpleNamespace(query_job_status=ask)
    see_cancelled(executor)
    assert asyncio.run(executor.query_job_status(COMMAND, None)) == answer


def test_what_is_not_the_executor_is_left_alone() -> None:
    other = SimpleNamespace()
    see_cancelled(None)
    see_cancelled(other)
    assert vars(other) == {}
