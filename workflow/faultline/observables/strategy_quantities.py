"""Numbers of a strategy's lives by name, and what a life shows at a cycle.

Two of them are not read off one cycle of one life. `formed_capacity` is that of a particle which cracks
have opened to the electrolyte, as sources quote capacities after formation: the first discharge of a whole
particle at a high rate gives less. `polarisation` compares charge and discharge, of a strategy and of its
control, at equal composition: between means over unequal ranges also lies the open-circuit voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.life.capacity import Line, mean_gap

Floats = NDArray[np.float64]

SAMPLES = 200  # of a cycle's curve, half of them on charge
FRAMES = 60  # of a cycle's lattice, half of them on charge
FORMATION = 5  # first cycles, whose best is what retention counts from, as cells are quoted after formation


@dataclass(frozen=True)
class Quantity:
    """A number of a life: its unit, what it is, and in which direction a strategy is better."""

    unit: str
    words: str
    better: Literal["higher", "lower", ""] = ""


# of the record's first cycle, under the same names
OF_RECORD = {
    "charge_capacity": Quantity("mAh/g", "charge capacity of cycle 1", "higher"),
    "discharge_capacity": Quantity("mAh/g", "discharge capacity of cycle 1", "higher"),
    "coulombic_efficiency": Quantity("1", "discharge over charge capacity, cycle 1", "higher"),
    "mean_discharge_voltage": Quantity("V", "mean voltage of the first discharge", "higher"),
    "failed_fraction": Quantity("1", "failed share of the interfaces after cycle 1", "lower"),
    "surface_cracked_fraction": Quantity("1", "failed and joined to the surface after cycle 1", "lower"),
    "max_drift_voltage": Quantity("V", "largest |Omega : sigma| / F in cycle 1"),
}
OF_FRAMES = {
    "failed_fraction_charged": Quantity("1", "failed share of the interfaces, first charged", "lower"),
    "slab_change": Quantity("1", "largest less smallest mean slab spacing, first charge", "lower"),
    "slab_change_net": Quantity("1", "mean slab spacing at the end of the first charge less at its start"),
    "c_expansion": Quantity("1", "largest mean slab spacing on the first charge over its start, less one"),
    "c_contraction": Quantity("1", "fall of the mean slab spacing from its largest on the first charge"),
    "planar_strain": Quantity("1", "largest less smallest mean in-plane strain, first charge", "lower"),
    "planar_strain_discharge": Quantity("1", "the same of the first discharge", "lower"),
    "volume_change": Quantity("1", "largest |dV/V| in cycle 1", "lower"),
    "two_phase_share": Quantity("1", "material between two phases, mean over the first charge", "lower"),
}
OF_CURVE = {
    "polarisation": Quantity(
        "V",
        "charge less discharge voltage of cycle 1 at equal composition, mean over what both, and both of the "
        "control, pass",
        "lower",
    ),
}
FIRST_CYCLE = OF_RECORD | OF_FRAMES | OF_CURVE
FORMED = {
    "formed_capacity": Quantity(
        "mAh/g", "best discharge capacity of the first five cycles, of cycle 1 without a life", "higher"
    ),
}
# of the cycle at which the life is looked at: series of the record
AT_THE_END = {
    "end_discharge_capacity": "discharge_capacity",
    "end_polarisation": "polarisation",
    "end_failed_fraction": "failed_fraction",
    "end_mean_damage": "mean_damage",
    "end_surface_layer_thickness": "surface_layer_thickness",
    "end_isolated_share": "isolated_share",
    "end_alkali_loss": "alkali_loss",
    "coating_left": "coating_left",
    "coating_cracked": "coating_cracked",
}
OF_LIFE = {
    "retention": Quantity(
        "1", "discharge capacity at the end of the life over the best of the first five cycles", "higher"
    ),
    "end_discharge_capacity": Quantity("mAh/g", "discharge capacity at the end of the life", "higher"),
    "end_polarisation": Quantity(
        "V", "charge less discharge voltage at equal composition, at the end of the life", "lower"
    ),
    "end_failed_fraction": Quantity("1", "failed share of the interfaces at the end of the life", "lower"),
    "end_mean_damage": Quantity("1", "mean damage at the end of the life", "lower"),
    "end_surface_layer_thickness": Quantity("m", "reconstructed layer on the surface, then", "lower"),
    "end_isolated_share": Quantity("1", "share of the active material that takes no part, then", "lower"),
    "end_alkali_loss": Quantity("1", "share of the alkali that layers lost, then", "lower"),
    "coating_left": Quantity("1", "share of the coating that is left, then"),
    "coating_cracked": Quantity("1", "share of the coating that has cracked, then", "lower"),
}
OF_LIVES = FORMED | OF_LIFE
QUANTITIES = FIRST_CYCLE | OF_LIVES


def looked_at(quantity: str, cycles: int | None) -> int | None:
    """Cycle up to which a quantity looks at a life of `cycles`; None where it needs one and has none."""
    if quantity in FIRST_CYCLE:
        return 1
    return min(FORMATION, cycles or 1) if quantity in FORMED else cycles


# ---- of the life


def life_quantities(runs: xr.Dataset, cycle: int | None) -> dict[str, Floats]:
    """Numbers of `OF_LIVES` (n_seeds,) at a simulated cycle, NaN where a life did not get there.

    Args:
        runs: of a strategy.
        cycle: at which the life is looked at; None for none.
    """
    formed = {"formed_capacity": _formed(runs, looked_at("formed_capacity", cycle) or 1)}
    if cycle is None:
        return formed | {name: np.full(runs.sizes["seed"], np.nan) for name in OF_LIFE}
    here = {name: _at(runs, series, cycle) for name, series in AT_THE_END.items()}
    capacity = _at(runs, "discharge_capacity", cycle)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = capacity / _best(runs, FORMATION)
    return {**formed, "retention": kept, **here}


def _formed(runs: xr.Dataset, last: int) -> Floats:
    """(n_seeds,) best discharge of the cycles up to `last`, mAh/g; NaN where a life ended before it."""
    reached = (runs["life_cycle"] >= last).any("simulated").values
    return np.where(reached, _best(runs, last), np.nan)


def _best(runs: xr.Dataset, last: int) -> Floats:
    early = runs["life_discharge_capacity"].where(runs["life_cycle"] <= last)
    return np.asarray(early.max("simulated").values, dtype=float)


def _at(runs: xr.Dataset, series: str, cycle: int) -> Floats:
    """(n_seeds,) value of a series at a simulated cycle."""
    name = f"life_{series}"
    if name not in runs:  # of a coating, which not every strategy has
        return np.full(runs.sizes["seed"], np.nan)
    return np.asarray(runs[name].where(runs["life_cycle"] == cycle).max("simulated").values, dtype=float)


# ---- of the voltage curve


def polarisation(runs: xr.Dataset, twins: xr.Dataset | None = None) -> Floats:
    """(n_seeds,) V, charge less discharge voltage of cycle 1, mean over a range of composition.

    The range of the mean site fraction is the one that charge and discharge of the seed have in common and,
    where the `twins` hold the same seed, theirs too. Overpotentials change with composition, and a mean over
    all that one half-cycle passes holds the open-circuit voltage where the other one never was. NaN where
    there is no such range.

    Args:
        runs: of a strategy, with voltage, mean_site_fraction (seed, sample) and c_rate_sign ([seed,] sample).
        twins: of what it is compared with.
    """
    own, others = half_curves(runs), half_curves(twins) if twins is not None else {}
    return np.array([_gap(pair, others.get(seed, ())) for seed, pair in own.items()])


def half_curves(runs: xr.Dataset) -> dict[int, tuple[Line, Line]]:
    """First charge and first discharge by seed: rising mean site fractions (n,), and V there; NaN without."""
    x, voltage, sign = (runs[name].values for name in ("mean_site_fraction", "voltage", "c_rate_sign"))
    rows = zip(x, voltage, np.broadcast_to(sign, x.shape), strict=True)
    pairs = [(_half_curve(x, v, sign > 0), _half_curve(x, v, sign < 0)) for x, v, sign in rows]
    return {int(seed): pair for seed, pair in zip(runs["seed"].values, pairs, strict=True)}


def _half_curve(site_fraction: Floats, voltage: Floats, chosen: NDArray[np.bool_]) -> Line:
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(site_fraction[rows], kind="stable")]
    return site_fraction[rows], voltage[rows]


def _gap(pair: tuple[Line, Line], others: tuple[Line, ...]) -> float:
    """Gap over the compositions that all of these half-cycles pass; those that did not run do not count."""
    return mean_gap(*pair, also=[x for x, _ in others if np.isfinite(x).all()])
