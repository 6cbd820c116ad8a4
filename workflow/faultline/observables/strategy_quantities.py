"""Numbers of a strategy's lives by name, and what a life shows at a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

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
    "polarisation": Quantity("V", "mean charge less mean discharge voltage, cycle 1", "lower"),
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
FIRST_CYCLE = OF_RECORD | OF_FRAMES
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
    "end_polarisation": Quantity("V", "polarisation at the end of the life", "lower"),
    "end_failed_fraction": Quantity("1", "failed share of the interfaces at the end of the life", "lower"),
    "end_mean_damage": Quantity("1", "mean damage at the end of the life", "lower"),
    "end_surface_layer_thickness": Quantity("m", "reconstructed layer on the surface, then", "lower"),
    "end_isolated_share": Quantity("1", "share of the active material that takes no part, then", "lower"),
    "end_alkali_loss": Quantity("1", "share of the alkali that layers lost, then", "lower"),
    "coating_left": Quantity("1", "share of the coating that is left, then"),
    "coating_cracked": Quantity("1", "share of the coating that has cracked, then", "lower"),
}
QUANTITIES = FIRST_CYCLE | OF_LIFE


def life_quantities(runs: xr.Dataset, cycle: int | None) -> dict[str, Floats]:
    """Numbers of `OF_LIFE` (n_seeds,) at a simulated cycle, NaN where a life did not get there.

    Args:
        runs: of a strategy.
        cycle: at which the life is looked at; None for none.
    """
    if cycle is None:
        return {name: np.full(runs.sizes["seed"], np.nan) for name in OF_LIFE}
    here = {name: _at(runs, series, cycle) for name, series in AT_THE_END.items()}
    capacity = _at(runs, "discharge_capacity", cycle)
    early = runs["life_discharge_capacity"].where(runs["life_cycle"] <= FORMATION)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = capacity / early.max("simulated").values
    return {"retention": kept, **here}


def _at(runs: xr.Dataset, series: str, cycle: int) -> Floats:
    """(n_seeds,) value of a series at a simulated cycle."""
    name = f"life_{series}"
    if name not in runs:  # of a coating, which not every strategy has
        return np.full(runs.sizes["seed"], np.nan)
    return np.asarray(runs[name].where(runs["life_cycle"] == cycle).max("simulated").values, dtype=float)
