"""What an observer says of a life: how far it faded, what it left, and the share of the feedback in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.life.capacity import fade_acceleration, first_cycle_below, retention
from faultline.microstructure import Particle
from faultline.observables.comparison import Comparison, effect_of, failed_runs, judge, paired_values

Floats = NDArray[np.float64]

FADED = 0.8  # retention at which a cell counts as worn out by custom

# metric: series of life.nc of which it is the value after the last cycle
AT_THE_END = {
    "life_failed_fraction": "failed_fraction",
    "life_surface_cracked_fraction": "surface_cracked_fraction",
    "life_mean_damage": "mean_damage",
    "life_wetted_fraction": "wetted_fraction",
    "life_surface_layer_thickness": "surface_layer_thickness",
    "life_mean_corroded_depth": "mean_corroded_depth",
    "life_transition_metal_loss": "transition_metal_loss",
    "life_alkali_loss": "alkali_loss",
    "life_isolated_share": "isolated_share",
}
# metric: series of which it is the change since cycle 1
SINCE_THE_FIRST = {
    "life_failed_growth": "failed_fraction",
    "life_damage_growth": "mean_damage",
    "life_polarisation_growth": "polarisation",
}
# metric: series of which it is the largest size
LARGEST = {
    "life_max_jump_error": "jump_error",
    "life_max_mass_balance_error": "mass_balance_error",
    "life_max_drift_voltage": "max_drift_voltage",
}


def life_metrics(life: xr.Dataset, particle: Particle) -> dict[str, float]:
    """Return how a life faded and what it left; NaN for what it did not show.

    Cycle 1 is always simulated, and so is the last one: "since the first" is what cycles 2 onwards added.
    """
    cycle = life["cycle"].values.astype(float)
    capacity = life["discharge_capacity"].values.astype(float)
    kept = retention(capacity)
    known = np.isfinite(capacity)
    return {
        "life_cycles": float(cycle[-1]),
        "life_simulated_cycles": float(len(cycle)),
        "life_capacity_retention": float(kept[-1]) if len(cycle) > 1 else math.nan,
        "life_cycle_to_80": first_cycle_below(cycle, kept, FADED),
        "life_fade_acceleration": fade_acceleration(cycle[known], capacity[known]),
        "life_mean_coulombic_efficiency": mean_over_cycles(cycle, life["coulombic_efficiency"].values),
        **{name: float(life[series].values[-1]) for name, series in AT_THE_END.items()},
        **{name: _change(life[series].values) for name, series in SINCE_THE_FIRST.items()},
        **{name: _largest(life[series].values) for name, series in LARGEST.items()},
    }


def mean_over_cycles(cycle: Floats, values: Floats) -> float:
    """Return the mean over every cycle of a life, those between two simulated ones (n,) taken as linear."""
    known = np.isfinite(values)
    if not known.any():
        return math.nan
    every = np.arange(cycle[0], cycle[-1] + 1)
    return float(np.interp(every, cycle[known], values[known]).mean())


def _change(values: Floats) -> float:
    return float(values[-1] - values[0])


def _largest(values: Floats) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else math.nan


@dataclass(frozen=True)
class FeedbackShare:
    """How much of the growth of damage over a life comes from corrosion, over seeds that share their grains.

    The share of a seed is (growth with the feedback - growth without) / growth with; standard deviations have
    n - 1 in the denominator and are NaN for one seed.

    Attributes:
        with_mean, without_mean: growth of the mean damage after cycle 1.
        with_spread, without_spread: their standard deviations over seeds.
        share, share_spread: mean and standard deviation of the shares; NaN where no damage grew.
        spread: largest standard deviation of growth with, growth without and their difference.
        n: paired seeds.
        more: those of them in which damage grew more with the feedback.
        failed: runs of either side that ended without a value.
        verdict: of `judge`, for "damage grows more with the feedback".
    """

    with_mean: float
    without_mean: float
    with_spread: float
    without_spread: float
    share: float
    share_spread: float
    spread: float
    n: int
    more: int
    failed: int
    verdict: str


def feedback_share(
    metrics: Mapping[str, Mapping[str, Any]], case: str, control: str, growth: str = "life_damage_growth"
) -> FeedbackShare:
    """Return the share of the feedback in the growth of damage, and whether it exceeds the spread over seeds.

    Stricter than a comparison: the paired difference has to exceed its own spread as well as that of both
    sides, so that a share is never claimed whose own spread is larger than it.

    Args:
        metrics: metrics by run id.
        case: with the feedback.
        control: without it, the same otherwise.
        growth: metric that the share is one of.
    """
    pairs = paired_values(metrics, Comparison("feedback", case, control, growth, "greater"))
    effect, known = effect_of(pairs), pairs.dropna()
    difference = known["case"] - known["control"]
    shares = (difference / known["case"])[known["case"] > 0]
    spread = float(np.fmax(effect.spread, difference.std(ddof=1)))
    failed = failed_runs(metrics, case, control)
    return FeedbackShare(
        with_mean=effect.case_mean,
        without_mean=effect.control_mean,
        with_spread=effect.case_spread,
        without_spread=effect.control_spread,
        share=float(shares.mean()),
        share_spread=float(shares.std(ddof=1)),
        spread=spread,
        n=effect.n,
        more=int((difference > 0).sum()),
        failed=failed,
        verdict=judge(effect.size, spread, "greater", effect.n, failed),
    )
