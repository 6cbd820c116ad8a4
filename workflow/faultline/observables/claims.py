"""What documents state beside what the study computes: one row a claim, with a verdict.

Pure functions from claims and numbers to rows. Orderings are judged as cases are against their controls
(`observables.comparison`): by sign, with an effect above the spread over at least five samples. Stated
numbers are judged by few classes of tolerance: retention within 10 points, strains and volume changes within
25 %, capacities within 10 %, voltages within 25 %, velocities within the stated spread or else 25 %, times
within 25 %, and yes or no (above zero or not). A number that did not come out, as of an event that never
happened, is a miss.

Strategies of a catalogue are judged together too: by the rank correlation between computed and stated
retention, beside the one that the number of cycles alone gives.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from faultline.config.claims import ClaimSettings, ComputedSettings
from faultline.errors import UserError
from faultline.observables.comparison import (
    DOES_NOT_HOLD,
    HOLDS,
    MIN_SEEDS,
    TOO_FEW_SEEDS,
    WITHIN_SPREAD,
    Comparison,
    effect_of,
    effect_over_spread,
    failed_runs,
    judge,
    near,
    paired_values,
    run_value,
    seed_runs,
)
from faultline.observables.metrics import metric
from faultline.quantities import parse_quantity
from faultline.statistics import Statistic, of_samples

COLUMNS = (
    "id", "source", "kind", "quantity", "unit", "stated", "computed", "low", "high", "tolerance", "verdict",
    "case",
)  # fmt: skip
INPUT, CALIBRATION, POSSIBLE, NOT_MODELLED = "input", "calibration", "possible", "not modelled"
UNCOUNTED = (INPUT, CALIBRATION, POSSIBLE)  # an agreement supports nothing and keeps the name of its kind
NOT_IN_STUDY, FAILED = "not in this study", "failed"
COUNTED = ("prediction", "ordering")  # kinds that rates of success count
MISSES = (DOES_NOT_HOLD, WITHIN_SPREAD, FAILED)
GOAL_RATE = 0.9  # of predictions and orderings that hold
GOAL_RANK = 0.7  # correlation of computed and stated retention, which must also beat the number of cycles

RETENTION_POINTS = 10.0
RELATIVE = {"strain": 0.25, "capacity": 0.1, "voltage": 0.25, "velocity": 0.25, "time": 0.25}
BOOTSTRAPS, BOOTSTRAP_SEED = 10_000, 1
RETENTION = "retention"
_PLAIN = {"": "dimensionless", "1": "dimensionless", "%": "percent", "Å": "angstrom", "°": "degree"}


@dataclass(frozen=True)
class Numbers:
    """What the study found.

    Attributes:
        metrics: metrics.json by case id.
        dislocations, thresholds, gases: statistics by name, by name of the run.
        statements: whether statements hold, by name, by name of the dislocations run.
        failed: dislocations runs that did not end well; what they lack is no mistake of a claim.
        given: numbers put in (value and unit) by claim id.
        strategies: the table of `observables.strategies.strategy_table`.
    """

    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dislocations: Mapping[str, Mapping[str, Statistic]] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, Statistic]] = field(default_factory=dict)
    gases: Mapping[str, Mapping[str, Statistic]] = field(default_factory=dict)
    statements: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    failed: Collection[str] = ()
    given: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    strategies: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its number and verdict; the first twelve fields are the columns of claims.csv.

    `computed` is, in `unit`, the mean over seeds, or the mean difference of a case and its control (of
    percentages in points); `low` and `high` are one standard deviation below and above, or the range that a
    statistic comes with; NaN where there is none. `position`, `position_low` and `position_high` say the same
    on the scale of the tolerance: (computed - stated) / tolerance, in agreement from -1 to 1, or for an
    ordering the effect in the expected direction over its spread, in agreement above 1. `count` is the number
    of samples. `strategy`, `control`, `measure` and `cycles` say which quantity of which strategy it is,
    after how many cycles. `paired` is the effect in the expected direction over the standard deviation of the
    differences between twins, which share grains and seed; verdicts do not depend on it.
    """

    id: str
    source: str
    kind: str
    quantity: str
    unit: str
    stated: float
    computed: float
    low: float
    high: float
    tolerance: str
    verdict: str
    case: str
    tolerance_class: str = ""
    position: float = math.nan
    position_low: float = math.nan
    position_high: float = math.nan
    count: int = 0
    statement: str = ""
    why: str = ""
    miss: str = ""
    group: str = ""
    strategy: str = ""
    control: str = ""
    measure: str = ""
    cycles: float = math.nan
    paired: float = math.nan


def claim_rows(claims: Sequence[ClaimSettings], numbers: Numbers) -> list[ClaimRow]:
    """Judge every claim.

    Raises:
        UserError: claims name metrics or statistics that the study's files do not hold, or units that their
            numbers cannot be converted to; one line each.
    """
    rows, wrong = [], []
    for claim in claims:
        try:
            rows.append(_row(claim, numbers))
        except _Unusable as mistake:
            wrong.append(f"  {claim.id}: {mistake}")
    if wrong:
        raise UserError("\n".join([f"{len(wrong)} of {len(claims)} claims cannot be read:", *wrong]))
    return rows


def claim_table(rows: Iterable[ClaimRow]) -> pd.DataFrame:
    """Return the columns of claims.csv, one row a claim."""
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


@dataclass(frozen=True)
class Rate:
    """How many claims of a kind hold, of those that were judged; a failed run counts as a miss."""

    hold: int
    judged: int
    not_judged: int


def success_rates(verdicts: pd.DataFrame) -> dict[str, Rate]:
    """Return the rates of predictions and orderings, from columns `kind` and `verdict`."""
    return {kind: _rate(verdicts.loc[verdicts["kind"] == kind, "verdict"]) for kind in COUNTED}


def missed_claims(rows: pd.DataFrame) -> pd.DataFrame:
    """Claims that do not hold, of any kind: those that rates of success count first."""
    missed = rows[rows["verdict"].isin(MISSES)]
    rank = {kind: place for place, kind in enumerate(COUNTED)}
    return missed.sort_values("kind", key=lambda kinds: kinds.map(rank).fillna(len(rank)), kind="stable")


def _rate(verdicts: pd.Series) -> Rate:
    hold, missed = int((verdicts == HOLDS).sum()), int(verdicts.isin(MISSES).sum())
    return Rate(hold, hold + missed, len(verdicts) - hold - missed)


# ---- retention over the catalogue


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of `n` pairs, with a bootstrap interval; NaN where there is none."""

    rho: float
    low: float
    high: float
    n: int


def rank_correlation(
    x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series, level: float = 0.95
) -> RankCorrelation:
    """Spearman's rank correlation with a percentile interval from resampled pairs (Efron 1979).

    Pairs that lack a value are left out. Fewer than three pairs, or a side without two different values, have
    none; resamples that have none are left out too.
    """
    pairs = pd.DataFrame({"x": list(x), "y": list(y)}, dtype=float).dropna().to_numpy()
    if len(pairs) < 3 or any(len(np.unique(side)) < 2 for side in pairs.T):
        return RankCorrelation(math.nan, math.nan, math.nan, len(pairs))
    chosen = np.random.default_rng(BOOTSTRAP_SEED).integers(len(pairs), size=(BOOTSTRAPS, len(pairs)))
    resampled = _spearman(pairs[chosen, 0], pairs[chosen, 1])
    tail = (1 - level) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return RankCorrelation(float(_spearman(*pairs.T[:, None])[0]), float(low), float(high), len(pairs))


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's coefficient of each row of two tables (n, pairs); NaN where a row does not vary."""
    from scipy import stats  # takes half a second to import, and few callers rank anything

    ranks = [stats.rankdata(side, axis=1) for side in (x, y)]
    a, b = (side - side.mean(axis=1, keepdims=True) for side in ranks)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    product = (a * b).sum(axis=1)
    return np.divide(product, scale, out=np.full(len(scale), np.nan), where=scale > 0)


def retention_claims(rows: pd.DataFrame) -> pd.DataFrame:
    """Claims on the retention of one strategy or control, with a stated and a computed number."""
    on_retention = rows["measure"].eq(RETENTION) & rows["tolerance_class"].eq("retention")
    return rows[on_retention & rows["stated"].notna() & rows["computed"].notna()]


def retention_ranks(rows: pd.DataFrame) -> dict[str, RankCorrelation]:
    """How well stated retentions are ordered, over predictions alone.

    By the computed ones, and by the number of cycles alone: more cycles, less retention.
    """
    found = retention_claims(rows)
    found = found[found["kind"] == "prediction"]
    return {
        "computed retention": rank_correlation(found["computed"], found["stated"]),
        "fewer cycles": rank_correlation(-found["cycles"], found["stated"]),
    }


def controlled_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Claims on a strategy against its control, those first that are counted (column `held_out`)."""
    pairs = rows[rows["control"] != ""]
    pairs = pairs.assign(held_out=pairs["kind"].isin(COUNTED))
    return pairs.sort_values(["held_out", "group", "strategy"], ascending=[False, True, True], kind="stable")


def judged_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Of `controlled_pairs` those that are counted and were judged."""
    pairs = controlled_pairs(rows)
    return pairs[pairs["held_out"] & ~pairs["verdict"].isin([NOT_IN_STUDY, TOO_FEW_SEEDS])]


# ---- one claim


class _Unusable(Exception):
    """A claim that names what is not there."""


@dataclass(frozen=True)
class _Found:
    """A number in the claim's unit; for an ordering with the effect to be judged and its spread."""

    value: Statistic
    effect: float = math.nan
    spread: float = math.nan
    failed: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the row that say which strategy it is of."""


def _row(claim: ClaimSettings, numbers: Numbers) -> ClaimRow:
    row = ClaimRow(
        id=claim.id,
        source=claim.source,
        kind=claim.kind,
        quantity=claim.quantity,
        unit=_shown_unit(claim),
        stated=math.nan if claim.stated is None else claim.stated,
        computed=math.nan,
        low=math.nan,
        high=math.nan,
        tolerance=tolerance_words(claim),
        verdict=NOT_MODELLED,
        case="",
        tolerance_class=claim.tolerance or "",
        statement=claim.statement,
        why=claim.why,
        miss=claim.miss,
    )
    computed = claim.computed
    if computed is None:
        return row
    found = _found(claim, computed, numbers)
    row = replace(row, case=computed.shown, verdict=NOT_IN_STUDY)
    if found is None:
        return row
    value = found.value
    row = replace(row, computed=value.value, low=value.low, high=value.high, count=value.count, **found.about)
    at, low, high = _positions(claim, computed, found)
    verdict = _verdict(claim, computed, found)
    return replace(row, verdict=verdict, position=at, position_low=low, position_high=high)


def _shown_unit(claim: ClaimSettings) -> str:
    """The claim's unit; of a difference between percentages, points."""
    of = claim.computed
    difference = of is not None and (of.control is not None or of.against is not None)
    return "points" if difference and claim.unit == "%" else claim.unit


def tolerance_words(claim: ClaimSettings) -> str:
    """Return the class of tolerance with what it allows."""
    match claim.tolerance:
        case None:
            return ""
        case "retention":
            return f"retention: ±{RETENTION_POINTS:g} points"
        case "ordering":
            sense, bound = (claim.computed.sense, claim.computed.bound) if claim.computed else ("", None)
            if bound is None:
                return f"ordering: {sense}"
            words = bound.replace("_", " ") if isinstance(bound, str) else f"{bound:g} {claim.unit}".rstrip()
            return f"ordering: {sense} than {'0' if bound == 0 else words}"
        case "exists":
            return "exists: yes or no"
        case "velocity" if claim.spread is not None:
            return f"velocity: ±{claim.spread:g} {claim.unit} as stated".replace("  ", " ")
        case relative:
            return f"{relative}: ±{RELATIVE[relative]:.0%}"


def _verdict(claim: ClaimSettings, computed: ComputedSettings, found: _Found) -> str:
    if found.failed:
        return FAILED
    if claim.kind in UNCOUNTED:
        return claim.kind if _points_there(claim, computed, found) else DOES_NOT_HOLD
    if computed.sense is not None:
        if math.isnan(found.effect):
            return DOES_NOT_HOLD
        if math.isnan(found.spread) and not computed.deterministic:
            return TOO_FEW_SEEDS
        spread = 0.0 if math.isnan(found.spread) else found.spread
        least = 1 if computed.deterministic else MIN_SEEDS
        return judge(found.effect, spread, computed.sense, found.value.count, least=least)
    return HOLDS if agrees(claim, found.value.value) else DOES_NOT_HOLD


def _points_there(claim: ClaimSettings, computed: ComputedSettings, found: _Found) -> bool:
    """Whether a number that supports nothing agrees at least: an ordering by its sign alone."""
    if computed.sense is None:
        return agrees(claim, found.value.value)
    return found.effect > 0 if computed.sense == "greater" else found.effect < 0


def agrees(claim: ClaimSettings, computed: float) -> bool:
    """Whether a number is as near to the stated one as the class of tolerance asks; NaN is not."""
    if claim.tolerance == "exists":
        return not math.isnan(computed) and (computed > 0) == bool(claim.stated)
    return abs(deviation(claim, computed)) <= 1


def deviation(claim: ClaimSettings, computed: float) -> float:
    """Return (computed - stated) / tolerance: 1 is the edge of the class; NaN where it has no width."""
    if claim.stated is None:
        return math.nan
    match claim.tolerance:
        case "retention":
            width = RETENTION_POINTS
        case "velocity" if claim.spread is not None:
            width = claim.spread
        case relative if relative in RELATIVE:
            width = RELATIVE[relative] * abs(claim.stated)
        case _:
            return math.nan
    difference = computed - claim.stated
    return difference / width if width else math.copysign(math.inf, difference) if difference else 0.0


def _positions(claim: ClaimSettings, computed: ComputedSettings, found: _Found) -> tuple[float, float, float]:
    """Number, low and high end on the scale of the tolerance (see ClaimRow)."""
    value = found.value
    if computed.sense is None:
        at, low, high = (deviation(claim, number) for number in (value.value, value.low, value.high))
        return at, low, high
    signed = found.effect if computed.sense == "greater" else -found.effect
    spread = 0.0 if math.isnan(found.spread) else found.spread
    return effect_over_spread(signed, spread) if signed else 0.0, math.nan, math.nan


# ---- its number


def _found(claim: ClaimSettings, computed: ComputedSettings, numbers: Numbers) -> _Found | None:
    """The number of a claim, None where the study does not hold what it names."""
    if computed.parameter is not None:
        given = numbers.given.get(claim.id)
        if given is None:
            return None
        value = _converted(Statistic(*given), claim.unit)
        bound = computed.bound
        return _Found(value, value.value - bound) if isinstance(bound, float) else _Found(value)
    if computed.case is not None:
        return _of_case(claim, computed, numbers.metrics)
    if computed.strategy is not None:
        return _of_strategy(claim, computed, numbers.strategies)
    kind, name = computed.run
    runs: Mapping[str, Mapping[str, Statistic]] = getattr(numbers, kind)
    if name not in runs:
        return None
    run = runs[name]
    if computed.dislocations:
        held = numbers.statements.get(name, {})
        run = {**run, **{key: Statistic(float(value), "") for key, value in held.items()}}
        if name in numbers.failed and (computed.statistic or computed.statement) not in run:
            return _Found(Statistic(math.nan, claim.unit, count=0), failed=1)
    return _of_run(claim, computed, run)


def _of_case(
    claim: ClaimSettings, computed: ComputedSettings, metrics: Mapping[str, Mapping[str, Any]]
) -> _Found | None:
    case, control = str(computed.case), computed.control or str(computed.case)
    if not seed_runs(metrics, case) or not seed_runs(metrics, control):
        return None
    failed = failed_runs(metrics, *{case, control})
    pairs = _pairs(claim, computed, metrics)
    effect = effect_of(pairs)
    if computed.control is not None:
        low, high = effect.size - effect.spread, effect.size + effect.spread
        value = Statistic(effect.size, claim.unit, low, high, effect.n)
    else:
        value = of_samples(pairs["case"].tolist(), claim.unit)
        value = replace(value, count=effect.n if computed.sense else value.count)
    return _Found(value, effect.size, effect.spread, failed)


def _pairs(
    claim: ClaimSettings, computed: ComputedSettings, metrics: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Values by seed in the claim's unit: column `case`, and in `control` what they are compared with."""
    case, name = str(computed.case), str(computed.metric)
    scale = _scale_of(metrics, case, name, claim.unit)
    if computed.control is not None:
        test = Comparison(claim.id, case, computed.control, name, computed.sense or "greater")
        return paired_values(metrics, test) * scale
    runs = seed_runs(metrics, case)
    pairs = pd.DataFrame({"case": {seed: run_value(run, name) * scale for seed, run in runs.items()}})
    bound = computed.bound
    if isinstance(bound, str):
        other = _scale_of(metrics, case, bound, claim.unit)
        pairs["control"] = pd.Series({seed: run_value(run, bound) * other for seed, run in runs.items()})
    else:
        pairs["control"] = 0.0 if bound is None else float(bound)
    return pairs


def _scale_of(metrics: Mapping[str, Mapping[str, Any]], case: str, name: str, unit: str) -> float:
    """Factor from a metric as stored to the claim's unit."""
    present = {key for run in seed_runs(metrics, case).values() for key in run}
    if name not in present:
        raise _Unusable(f"case {case} has no metric '{name}'{near(name, present)}")
    shown = metric(name)
    return shown.scale * _factor(shown.unit, unit, name)


def _of_strategy(claim: ClaimSettings, computed: ComputedSettings, table: pd.DataFrame) -> _Found | None:
    """A quantity of a strategy, or strategy less control in the cycle at which the strategy is looked at."""
    rows = table[table["strategy"] == computed.strategy] if len(table) else table
    if rows.empty:
        return None
    name, known = str(computed.quantity), set(table["quantity"])
    if name not in known:
        raise _Unusable(f"the catalogue has no quantity '{name}'{near(name, known)}")
    rows = rows[rows["quantity"] == name]
    if rows.empty:  # no seed has it: it did not come out
        return _Found(Statistic(math.nan, claim.unit, count=0))
    row = rows.iloc[0]
    if computed.cycles not in (None, int(row["cycles"])):
        return None  # the catalogue stops short of what is stated
    about = {
        "group": row["group"],
        "strategy": row["strategy"],
        "control": row["control"] if computed.against else "",
        "measure": name,
        "cycles": float(row["cycles"]),
    }
    unit, failed = str(row["unit"]), int(row["n_failed"])
    if computed.against is None:  # of which the control's runs say nothing
        own = Statistic(row["mean"], unit, row["low"], row["high"], int(row["n"]))
        value = _converted(own, claim.unit, name)
        bound = 0.0 if computed.bound is None else _bound_of(computed)
        return _Found(value, value.value - bound, _half_range(value), failed, about)
    if not row["control"]:
        raise _Unusable(f"{computed.strategy} has no control to be held against")
    failed += int(row["control_n_failed"])
    if computed.sense is not None:
        signed = row["effect"] if computed.sense == "greater" else -row["effect"]
        about["paired"] = effect_over_spread(signed, row["effect_sd"]) if signed else 0.0
    low, high = row["effect"] - row["spread"], row["effect"] + row["spread"]
    value = _converted(Statistic(row["effect"], unit, low, high, int(row["n_pairs"])), claim.unit, name)
    return _Found(value, value.value, _half_range(value), failed, about)


def _bound_of(computed: ComputedSettings) -> float:
    if isinstance(computed.bound, str):
        raise _Unusable(f"'{computed.bound}': a quantity of a strategy is held against a number")
    return float(computed.bound or 0)


def _of_run(claim: ClaimSettings, computed: ComputedSettings, run: Mapping[str, Statistic]) -> _Found:
    """A statistic or statement of a run, against its bound; not judged while some of its runs failed."""
    failed = int(run["runs_failed"].value) if "runs_failed" in run else 0
    value = _named(run, computed, str(computed.statistic or computed.statement), claim.unit)
    if computed.sense is None:
        return _Found(value, failed=failed)
    bound = computed.bound
    if isinstance(bound, str):
        other = _named(run, computed, bound, claim.unit)
        other_value, other_spread = other.value, _half_range(other)
        value = replace(value, count=min(value.count, other.count))
    else:
        other_value, other_spread = float(bound or 0), 0.0
    spread = _half_range(value)
    spread = spread if math.isnan(spread) else float(np.fmax(spread, other_spread))
    return _Found(value, value.value - other_value, spread, failed)


def _named(run: Mapping[str, Statistic], computed: ComputedSettings, name: str, unit: str) -> Statistic:
    if name not in run:
        raise _Unusable(f"{computed.shown} has no number or statement '{name}'{near(name, run)}")
    return _converted(run[name], unit, name)


def _half_range(value: Statistic) -> float:
    return (value.high - value.low) / 2


def _converted(value: Statistic, unit: str, name: str = "the number") -> Statistic:
    factor = _factor(value.unit, unit, name)
    low, high = value.low * factor, value.high * factor
    return replace(value, value=value.value * factor, low=low, high=high, unit=unit)


def _factor(given: str, wanted: str, name: str) -> float:
    if given == wanted:
        return 1.0
    try:
        return parse_quantity(f"1 {_PLAIN.get(given, given)}", _PLAIN.get(wanted, wanted))
    except Exception as error:  # pint raises many kinds for a target unit that it cannot read
        raise _Unusable(f"{name} is in '{given}', which cannot be converted to '{wanted}'") from error
