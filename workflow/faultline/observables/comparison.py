"""Cases against their controls: does the effect have the expected sign, and is it larger than the spread?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

MIN_SEEDS = 5
HOLDS, DOES_NOT_HOLD, TOO_FEW_SEEDS, FAILED_RUNS = "holds", "does not hold", "too few seeds", "failed runs"


@dataclass(frozen=True)
class Comparison:
    """A statement to be tested: the metric is greater (or less) in the case than in its control."""

    name: str
    case: str
    control: str
    metric: str
    expect: Literal["greater", "less"]
    note: str = ""


def compare_pairs(
    metrics: Mapping[str, Mapping[str, Any]], comparisons: Iterable[Comparison | Mapping[str, Any]]
) -> pd.DataFrame:
    """Test each comparison over seeds.

    Seeds that both sides have are paired, and only these count; `effect` is the mean of case minus
    control over the pairs and `spread` the larger of the two standard deviations over seeds
    (n - 1 in the denominator). A comparison holds when the effect has the expected sign, exceeds the
    spread, and at least 5 pairs have a value on both sides. It is not judged while a run of
    either side has failed, since leaving it out would select among the seeds.

    Args:
        metrics: metrics by case id, `{case}.s{n}` or the case's name where it has one seed.
        comparisons: what to test, as Comparison or as the same keys of the study's configuration.

    Returns:
        One row a comparison: name, metric, case, control, case_mean, control_mean, case_spread,
        control_spread, spread, effect, effect_over_spread, n_seeds, n_failed, expected, verdict, note.
    """
    tests = [c if isinstance(c, Comparison) else Comparison(**c) for c in comparisons]
    return pd.DataFrame([_compare(metrics, test) for test in tests], columns=COLUMNS)


COLUMNS = [
    "name", "metric", "case", "control", "case_mean", "control_mean", "case_spread", "control_spread",
    "spread", "effect", "effect_over_spread", "n_seeds", "n_failed", "expected", "verdict", "note",
]  # fmt: skip


def seed_runs(metrics: Mapping[str, Mapping[str, Any]], case: str) -> dict[int, Mapping[str, Any]]:
    """Return the runs of a case by seed; one without a seed in its id is seed 1."""
    pattern = re.compile(rf"{re.escape(case)}(?:\.s(\d+))?")
    matches = ((pattern.fullmatch(key), run) for key, run in metrics.items())
    return {int(match[1] or 1): run for match, run in matches if match}


def paired_values(metrics: Mapping[str, Mapping[str, Any]], test: Comparison) -> pd.DataFrame:
    """Return the values of `case` and `control` (columns) by shared seed; NaN where a run gave none."""
    case, control = seed_runs(metrics, test.case), seed_runs(metrics, test.control)
    shared = sorted(case.keys() & control.keys())
    columns = {
        "case": [_value(case[seed], test.metric) for seed in shared],
        "control": [_value(control[seed], test.metric) for seed in shared],
    }
    return pd.DataFrame(columns, index=pd.Index(shared, name="seed"), dtype=float)


def _value(run: Mapping[str, Any], metric: str) -> float:
    value = run.get(metric, math.nan)
    return float(value) if run.get("status") == "ok" and value is not None else math.nan


def _compare(metrics: Mapping[str, Mapping[str, Any]], test: Comparison) -> dict[str, Any]:
    pairs = paired_values(metrics, test).dropna()
    runs = [*seed_runs(metrics, test.case).values(), *seed_runs(metrics, test.control).values()]
    failed = sum(run.get("status") != "ok" for run in runs)
    mean, deviation = pairs.mean(), pairs.std(ddof=1)
    effect, spread = mean["case"] - mean["control"], deviation.max()
    return {
        "name": test.name,
        "metric": test.metric,
        "case": test.case,
        "control": test.control,
        "case_mean": mean["case"],
        "control_mean": mean["control"],
        "case_spread": deviation["case"],
        "control_spread": deviation["control"],
        "spread": spread,
        "effect": effect,
        "effect_over_spread": _ratio(effect, spread),
        "n_seeds": len(pairs),
        "n_failed": failed,
        "expected": test.expect,
        "verdict": _verdict(test, effect, spread, len(pairs), failed),
        "note": test.note,
    }


def _ratio(effect: float, spread: float) -> float:
    if spread == 0:
        return math.copysign(math.inf, effect) if effect else math.nan
    return effect / spread


def _verdict(test: Comparison, effect: float, spread: float, n_seeds: int, failed: int) -> str:
    if failed:
        return FAILED_RUNS
    if n_seeds < MIN_SEEDS:
        return TOO_FEW_SEEDS
    signed = effect if test.expect == "greater" else -effect
    return HOLDS if signed > spread else DOES_NOT_HOLD
