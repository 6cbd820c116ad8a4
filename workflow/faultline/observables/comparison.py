"""Cases against their controls: does the effect have the expected sign, and is it larger than the spread?"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from faultline.errors import UserError

MIN_SEEDS = 5
HOLDS, DOES_NOT_HOLD, WITHIN_SPREAD = "holds", "does not hold", "within spread"
TOO_FEW_SEEDS, FAILED_RUNS = "too few seeds", "failed runs"
Sense = Literal["greater", "less"]


@dataclass(frozen=True)
class Comparison:
    """A statement to be tested: the metric is greater (or less) in the case than in its control."""

    name: str
    case: str
    control: str
    metric: str
    expect: Sense
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

    Raises:
        UserError: comparisons name metrics that the finished runs of their cases do not have.
    """
    tests = [c if isinstance(c, Comparison) else Comparison(**c) for c in comparisons]
    unknown = [words for test in tests for words in _unknown_metrics(metrics, test)]
    if unknown:
        raise UserError("\n".join(["`comparisons` of the study name metrics that are not there:", *unknown]))
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
        "case": [run_value(case[seed], test.metric) for seed in shared],
        "control": [run_value(control[seed], test.metric) for seed in shared],
    }
    return pd.DataFrame(columns, index=pd.Index(shared, name="seed"), dtype=float)


def run_value(run: Mapping[str, Any], metric: str) -> float:
    """Return a metric of a run; NaN where the run failed or gave none."""
    value = run.get(metric, math.nan)
    return float(value) if run.get("status") == "ok" and value is not None else math.nan


@dataclass(frozen=True)
class Effect:
    """Case minus control over paired samples; means and standard deviations (n - 1) are NaN without any."""

    case_mean: float
    control_mean: float
    case_spread: float
    control_spread: float
    n: int

    @property
    def size(self) -> float:
        """Mean of case minus control."""
        return self.case_mean - self.control_mean

    @property
    def spread(self) -> float:
        """The larger of the two standard deviations."""
        return float(np.fmax(self.case_spread, self.control_spread))


def effect_of(pairs: pd.DataFrame) -> Effect:
    """Return the effect of pairs, columns `case` and `control`; a pair that lacks a value is left out."""
    known = pairs.dropna()
    mean, deviation = known.mean(), known.std(ddof=1)
    return Effect(mean["case"], mean["control"], deviation["case"], deviation["control"], len(known))


def judge(
    effect: float, spread: float, expect: Sense, n: int, failed: int = 0, least: int = MIN_SEEDS
) -> str:
    """Return whether an effect has the expected sign and exceeds the spread of the samples.

    Args:
        effect: what is expected to be greater (or less) than zero.
        spread: standard deviation of the samples, in the unit of the effect.
        expect: expected sign.
        n: number of samples; fewer than `least` are not judged.
        failed: number of runs that ended without a value; one is enough to withhold the verdict, since
            leaving it out would select among the seeds.
        least: how many samples it takes.

    Returns:
        HOLDS, WITHIN_SPREAD (either sign, not larger than the spread), DOES_NOT_HOLD (the other sign),
        TOO_FEW_SEEDS or FAILED_RUNS.
    """
    if failed:
        return FAILED_RUNS
    if n < least or math.isnan(effect):
        return TOO_FEW_SEEDS
    signed = effect if expect == "greater" else -effect
    if abs(signed) <= spread:
        return WITHIN_SPREAD
    return HOLDS if signed > 0 else DOES_NOT_HOLD


def failed_runs(metrics: Mapping[str, Mapping[str, Any]], *cases: str) -> int:
    """Return how many runs of these cases ended badly."""
    runs = [run for case in cases for run in seed_runs(metrics, case).values()]
    return sum(run.get("status") != "ok" for run in runs)


def near(name: str, names: Iterable[str]) -> str:
    """The ending of a message that names what may have been meant; empty where nothing comes close."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _unknown_metrics(metrics: Mapping[str, Mapping[str, Any]], test: Comparison) -> Iterator[str]:
    """What is wrong where no finished run of a case has the metric, by case."""
    for case in dict.fromkeys((test.case, test.control)):
        good = [run for run in seed_runs(metrics, case).values() if run.get("status") == "ok"]
        present = {key for run in good for key in run}
        if good and test.metric not in present:
            yield f"{test.name}: case {case} has no metric '{test.metric}'{near(test.metric, present)}"


def _compare(metrics: Mapping[str, Mapping[str, Any]], test: Comparison) -> dict[str, Any]:
    found = effect_of(paired_values(metrics, test))
    failed = failed_runs(metrics, test.case, test.control)
    verdict = judge(found.size, found.spread, test.expect, found.n, failed)
    return {
        "name": test.name,
        "metric": test.metric,
        "case": test.case,
        "control": test.control,
        "case_mean": found.case_mean,
        "control_mean": found.control_mean,
        "case_spread": found.case_spread,
        "control_spread": found.control_spread,
        "spread": found.spread,
        "effect": found.size,
        "effect_over_spread": effect_over_spread(found.size, found.spread),
        "n_seeds": found.n,
        "n_failed": failed,
        "expected": test.expect,
        "verdict": DOES_NOT_HOLD if verdict == WITHIN_SPREAD else verdict,
        "note": test.note,
    }


def effect_over_spread(effect: float, spread: float) -> float:
    """Return effect / spread; infinite where samples do not differ, NaN where nothing does."""
    if spread == 0:
        return math.copysign(math.inf, effect) if effect else math.nan
    return effect / spread
