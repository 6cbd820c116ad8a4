"""What is kept of a life: numbers of every simulated cycle, and maps of a few."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.cracks import statistics
from faultline.dataset import ugrid
from faultline.interface import wetted_sides
from faultline.life.capacity import trapped_alkali
from faultline.life.connectivity import active_cells, isolated_share
from faultline.life.cycle import LifeCycle
from faultline.life.jumping import Milestone
from faultline.life.state import LifeState
from faultline.microstructure.particle import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND, Particle

Floats = NDArray[np.float64]

SERIES = {  # name: (unit, description)
    "cycle": ("1", "cycle"),
    "jumped": ("1", "cycles passed over since the last simulated one"),
    "jump_error": ("1", "error estimate of the jump, over what is allowed"),
    "charge_capacity": ("mAh/g", "charge capacity"),
    "discharge_capacity": ("mAh/g", "discharge capacity"),
    "mean_charge_voltage": ("V", "mean voltage of the charge"),
    "mean_discharge_voltage": ("V", "mean voltage of the discharge"),
    "coulombic_efficiency": ("1", "discharge over charge capacity"),
    "polarisation": ("V", "charge less discharge voltage at equal composition, mean over what both pass"),
    "failed_fraction": ("1", "failed share of the interfaces"),
    "failed_fraction_grain_boundary": ("1", "failed share of the grain boundaries"),
    "failed_fraction_basal": ("1", "failed share of the basal planes"),
    "failed_fraction_shell": ("1", "failed share of the bond to the shell"),
    "surface_cracked_fraction": ("1", "share of the interfaces that failed and joins the surface"),
    "mean_damage": ("1", "mean damage of the interfaces"),
    "wetted_fraction": ("1", "share of the interfaces that electrolyte fills"),
    "reaction_length": ("m", "outer surface and both sides of wet cracks"),
    "mean_corroded_depth": ("m", "reconstructed layer on either side of wet cracks, mean over their length"),
    "surface_layer_thickness": ("m", "reconstructed layer on the outer surface, mean over its length"),
    "coating_left": ("1", "thickness of the coating over that as deposited, mean; NaN without one"),
    "coating_cracked": ("1", "share of the surface on which the coating cracked; NaN without one"),
    "transition_metal_loss": ("1", "share of the transition metal that dissolved"),
    "alkali_loss": ("1", "share of the alkali that the layers lost"),
    "isolated_share": ("1", "share of the active material that takes no part"),
    "trapped_alkali": ("1", "alkali in material that takes no part, as mean site fraction"),
    "alkali_ceiling": ("1", "mean site fraction that no discharge can exceed; NaN where it is unlimited"),
    "rock_salt_share": ("1", "share of the active material that heat turned to rock salt"),
    "pore_share": ("1", "share of the active material's volume that oxygen left as pores"),
    "mass_balance_error": ("1", "largest charge balance error in the cycle"),
    "max_drift_voltage": ("V", "largest |Omega : sigma| / F in the cycle"),
}
MAPS: dict[str, tuple[tuple[str, ...], str, str]] = {  # name: dimensions, unit, description
    "map_damage": (("interface",), "1", "damage, worse end"),
    "map_opening": (("interface",), "m", "widest opening in the cycle"),
    "map_wetted": (("interface",), "1", "filled with electrolyte"),
    "map_corroded_depth": (
        ("interface",),
        "m",
        "reconstructed layer on each side of the face, mean over its length",
    ),
    "map_active": (("cell",), "1", "takes part"),
    "map_site_fraction": (("cell",), "1", "site fraction at the end of the cycle"),
    "map_charged_site_fraction": (("cell",), "1", "site fraction when the least alkali was left"),
    "map_rock_salt": (("cell",), "1", "share of rock salt"),
    "map_surface_layer_thickness": (("surface",), "m", "reconstructed layer on the surface"),
}


@dataclass
class Record:
    """Rows of `SERIES` by simulated cycle, and maps with the cycle each is of."""

    rows: list[dict[str, float]] = field(default_factory=list)
    map_cycles: list[int] = field(default_factory=list)
    maps: list[dict[str, Floats]] = field(default_factory=list)

    def add(self, cycle: LifeCycle, milestone: Milestone[LifeState], with_map: bool) -> None:
        """Keep a simulated cycle."""
        self.rows.append(observed(cycle, milestone))
        if with_map:
            self.map_cycles.append(milestone.cycle)
            self.maps.append(_map(cycle, milestone.state))

    def dataset(self, particle: Particle) -> xr.Dataset:
        """The record on the particle's topology."""
        result = ugrid(particle)
        for name, (unit, words) in SERIES.items():
            values = np.array([row[name] for row in self.rows], dtype=float)
            result[name] = ("simulated", values, {"units": unit, "long_name": words})
        of_map = {"units": "1", "long_name": "cycle of the map"}
        result["map_cycle"] = ("map", np.array(self.map_cycles, dtype=float), of_map)
        for name, (dims, unit, words) in MAPS.items():
            shape = (0, *(result.sizes[dim] for dim in dims))
            values = np.array([one[name] for one in self.maps]) if self.maps else np.zeros(shape)
            result[name] = (("map", *dims), values, {"units": unit, "long_name": words})
        return result

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> Record:
        """The record in a dataset."""
        rows = [
            {name: float(ds[name].values[k]) for name in SERIES} for k in range(ds.sizes.get("simulated", 0))
        ]
        cycles = [int(number) for number in ds["map_cycle"].values]
        maps = [{name: ds[name].values[k] for name in MAPS} for k in range(len(cycles))]
        return cls(rows, cycles, maps)


def observed(cycle: LifeCycle, milestone: Milestone[LifeState]) -> dict[str, float]:
    """Numbers of `SERIES` of a simulated cycle."""
    state, particle = milestone.state, cycle.particle
    found, outcome, ledger = cycle.connectivity(state), state.outcome, state.ledger
    return {
        "cycle": milestone.cycle,
        "jumped": milestone.jumped,
        "jump_error": milestone.error,
        "charge_capacity": outcome.charge_capacity,
        "discharge_capacity": outcome.discharge_capacity,
        "mean_charge_voltage": outcome.mean_charge_voltage,
        "mean_discharge_voltage": outcome.mean_discharge_voltage,
        "coulombic_efficiency": outcome.coulombic_efficiency,
        "polarisation": outcome.polarisation,
        **_cracked(particle, state, cycle.failed_damage),
        **_corroded(particle, state),
        **_coating(cycle, state),
        "transition_metal_loss": cycle.transition_metal_loss(state),
        "alkali_loss": cycle.alkali_loss(state),
        "isolated_share": isolated_share(particle, found.active),
        "trapped_alkali": trapped_alkali(
            cycle.held(state), cycle.active_weight, active_cells(particle, found.active)
        ),
        "alkali_ceiling": np.nan if ledger.unlimited else ledger.ceiling,
        "rock_salt_share": float(cycle.active_weight @ state.heat.rock_salt),
        "pore_share": cycle.pore_share(state),
        "mass_balance_error": outcome.mass_balance_error,
        "max_drift_voltage": outcome.max_drift_voltage,
    }


def _cracked(particle: Particle, state: LifeState, failed: float) -> dict[str, float]:
    length, damage = float(particle.interface_length.sum()), state.damage

    def fraction(kind: int | None = None) -> float:
        return statistics.failed_fraction(particle, damage, kind, failed)

    connected = statistics.surface_connected_length(particle, damage, failed)
    return {
        "failed_fraction": fraction(),
        "failed_fraction_grain_boundary": fraction(GRAIN_BOUNDARY),
        "failed_fraction_basal": fraction(BASAL_PLANE),
        "failed_fraction_shell": fraction(SHELL_BOND),
        "surface_cracked_fraction": connected / length if length else 0.0,
        "mean_damage": _mean(damage.mean(axis=1), particle.interface_length),
    }


def _corroded(particle: Particle, state: LifeState) -> dict[str, float]:
    layers, length = state.layers, particle.interface_length
    sides = wetted_sides(particle, layers.wetted).sum(axis=1)
    return {
        "wetted_fraction": _mean(layers.wetted.astype(float), length),
        "reaction_length": float(particle.surface_length.sum() + length @ sides),
        "mean_corroded_depth": _mean(layers.corroded_depth, length * layers.wetted),
        "surface_layer_thickness": _mean(layers.surface_layer_thickness, particle.surface_length),
    }


def _coating(cycle: LifeCycle, state: LifeState) -> dict[str, float]:
    coating, film, length = cycle.coating, state.film, cycle.particle.surface_length
    if coating is None:
        return {"coating_left": np.nan, "coating_cracked": np.nan}
    return {
        "coating_left": _mean(coating.left(film) / coating.thickness, length),
        "coating_cracked": _mean(film.cracked.astype(float), length),
    }


def _mean(values: Floats, weight: Floats) -> float:
    """Weighted mean, 0 where nothing weighs."""
    total = float(weight.sum())
    return float(values @ weight) / total if total > 0 else 0.0


def _map(cycle: LifeCycle, state: LifeState) -> dict[str, Floats]:
    particle, layers = cycle.particle, state.layers
    active = active_cells(particle, cycle.connectivity(state).active)
    return {
        "map_damage": state.damage.max(axis=1, initial=0.0),
        "map_opening": state.widest,
        "map_wetted": layers.wetted.astype(float),
        "map_corroded_depth": layers.corroded_depth,
        "map_active": active.astype(float),
        "map_site_fraction": state.site_fraction,
        "map_charged_site_fraction": state.charged_site_fraction,
        "map_rock_salt": state.heat.rock_salt,
        "map_surface_layer_thickness": layers.surface_layer_thickness,
    }
