"""Rows of the verification table: one computed quantity against its reference each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)

PASS, FAIL = "pass", "fail"
COLUMNS = ["problem", "quantity", "reference", "computed", "error", "tolerance", "order", "verdict"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        problem: what was solved, in words a reader understands.
        quantity: what is compared, with its unit.
        reference, computed: the known value and ours.
        error: relative to `reference`, or to a scale that the quantity names.
        tolerance: largest error that passes.
        order: convergence order where one was measured, else NaN.
        verdict: "pass" or "fail".
    """

    problem: str
    quantity: str
    reference: float
    computed: float
    error: float
    tolerance: float
    order: float
    verdict: str


def check(
    problem: str,
    quantity: str,
    computed: float,
    reference: float,
    tolerance: float,
    scale: float | None = None,
    order: float = np.nan,
) -> Row:
    """Compare a number with its reference; the error is relative to `scale`, by default the reference."""
    unit = abs(reference) if scale is None else abs(scale)
    if unit == 0:
        raise ValueError(f"{problem}, {quantity}: a reference of zero needs a scale")
    error = abs(computed - reference) / unit
    verdict = PASS if error <= tolerance else FAIL  # not a number fails
    return Row(
        problem, quantity, float(reference), float(computed), float(error), tolerance, float(order), verdict
    )


def convergence_order(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """Slope of log(error) over log(size) by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def order_row(
    problem: str, quantity: str, sizes: Sequence[float], errors: Sequence[float], expected: float
) -> Row:
    """Order of convergence over a sequence of sizes: passes if it is at least `expected` less 0.2."""
    found = convergence_order(sizes, errors)
    missing = max(expected - found, 0.0) / expected
    verdict = PASS if found >= expected - 0.2 else FAIL
    return Row(problem, f"{quantity}: order", expected, found, missing, 0.2 / expected, found, verdict)


def run_problems(problems: Mapping[str, Callable[[], Iterable[Row]]]) -> list[Row]:
    """Rows of all problems; one that raises becomes a failing row that says why."""
    rows: list[Row] = []
    for name, problem in problems.items():
        start = time.perf_counter()
        try:
            rows += problem()
        except Exception as error:
            log.exception("%s failed", name)
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            rows.append(Row(name, what, *(np.nan,) * 5, FAIL))
        log.info("%s: %.1f s", name, time.perf_counter() - start)
    return rows


def table(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as the table that `results/verification/verification.csv` holds."""
    return pd.DataFrame([asdict(row) for row in rows], columns=COLUMNS)
