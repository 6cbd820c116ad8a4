"""Rows of the benchmark table, and the clock: two callables in turn, medians of the repeats."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)

REPEATS = 5
PATIENCE_S = 30.0  # what takes longer is measured once
COLUMNS = ["benchmark", "ours_s", "peer_s", "ratio", "goal", "note"]


@dataclass(frozen=True)
class Goal:
    """A bound on the ratio, from below unless `at_most`; `why` says what stands in the way of one not met."""

    bound: float
    at_most: bool = False
    why: str = ""

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.bound:g}"

    def met(self, ratio: float) -> bool:
        """Whether a ratio lies on the right side; not a number does not."""
        return ratio <= self.bound if self.at_most else ratio >= self.bound


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        benchmark: what was run, in words a reader understands.
        ours_s, peer_s: median seconds; NaN where there is nothing to time.
        ratio: what the goal speaks of, by default peer over ours.
        goal: as text, empty for a row that only informs.
        note: what was compared, how often, and by how much a goal was missed.
    """

    benchmark: str
    ours_s: float
    peer_s: float
    ratio: float
    goal: str
    note: str


def row(
    benchmark: str,
    note: str,
    *,
    ours_s: float = np.nan,
    peer_s: float = np.nan,
    ratio: float | None = None,
    goal: Goal | None = None,
) -> Row:
    """Row whose note begins with the verdict where a ratio was measured and misses its goal."""
    found = float(peer_s / ours_s if ratio is None else ratio)
    if goal is not None and np.isfinite(found) and not goal.met(found):
        note = f"goal missed{goal.why and f' ({goal.why})'}. {note}"
    return Row(benchmark, float(ours_s), float(peer_s), found, "" if goal is None else str(goal), note)


@dataclass(frozen=True)
class Timing:
    """Seconds of every repeat and what the last call of either side returned."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]
    our_result: Any
    peer_result: Any

    @property
    def ours_s(self) -> float:
        """Median of our side."""
        return float(np.median(self.ours))

    @property
    def peer_s(self) -> float:
        """Median of the peer."""
        return float(np.median(self.peer))

    @property
    def repeats(self) -> str:
        """How often either side ran, in words."""
        ours, peer = len(self.ours), len(self.peer)
        if ours == peer:
            return f"medians of {ours}" if ours > 1 else "one run each"
        return f"medians of {ours} runs against {peer}"


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Wall seconds of a call and its result, garbage of earlier calls collected before."""
    gc.collect()
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def alternate(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    repeats: int = REPEATS,
    patience: float = PATIENCE_S,
    clock: Callable[[Callable[[], Any]], tuple[float, Any]] = timed,
) -> Timing:
    """Run ours, peer, ours, peer, ...; a side that once takes longer than `patience` seconds is done."""
    sides = {"ours": ours, "peer": peer}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    results: dict[str, Any] = {}
    for _ in range(repeats):
        for name, call in sides.items():
            if max(seconds[name], default=0.0) <= patience:
                taken, results[name] = clock(call)
                seconds[name].append(taken)
    return Timing(tuple(seconds["ours"]), tuple(seconds["peer"]), results["ours"], results["peer"])


def interpolated_time(errors: Iterable[float], seconds: Iterable[float], error: float) -> float:
    """Seconds at which a method reaches an error, linear between meshes in the logarithms.

    Beyond the coarsest mesh the time stays that of the coarsest: coarser meshes cost no less than it in
    overheads. Beyond the finest there is no answer: NaN.
    """
    x, y = np.log(list(errors)), np.log(list(seconds))
    order = np.argsort(x)
    return float(np.exp(np.interp(np.log(error), x[order], y[order], left=np.nan)))


def run_benchmarks(benchmarks: Mapping[str, Callable[[], Iterable[Row]]]) -> list[Row]:
    """Rows of all benchmarks of a group; one that raises becomes a row that says why."""
    rows: list[Row] = []
    for name, benchmark in benchmarks.items():
        start = time.perf_counter()
        try:
            rows += benchmark()
        except Exception as error:
            log.exception("%s failed", name)
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            rows.append(row(name, f"failed: {what}"))
        log.info("%s: %.1f s", name, time.perf_counter() - start)
    return rows


def table(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as the table that `benchmarks/benchmarks.csv` of the results holds."""
    return pd.DataFrame([asdict(line) for line in rows], columns=COLUMNS)
