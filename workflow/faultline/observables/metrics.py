"""The numbers of one case: what every stage came to, flat, for tables and comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from faultline.cracks.statistics import cycle_ends, growth_acceleration
from faultline.inputs import read_stages
from faultline.microstructure import Particle, particle_from_dataset
from faultline.observables.diffraction import Crystal, diffraction_metrics, specimen_from_stages
from faultline.observables.electrochemistry import cycle_table
from faultline.observables.fields import (
    core_area,
    first_charge_frames,
    mean_over,
    share_over,
    weighted_quantile,
)
from faultline.observables.life import life_metrics
from faultline.observables.mechanisms import mechanism_metrics
from faultline.observables.spectroscopy import (
    METRIC_ANGLES,
    charged_in_cycle_one,
    charged_in_life,
    nickel_oxide,
    spectroscopy_metrics,
)
from faultline.textfiles import read_json, write_json

STAGES = ("microstructure", "defects", "exposure", "cycling", "cracks", "interface")
MAX_DRIFT_VOLTAGE = 0.2  # V; beyond it the elastic model carries more stress than the material can
MAX_ELASTIC_STRAIN = 0.02  # beyond it small-strain elasticity is out of its range
PEAK_QUANTILE = 0.99  # peaks are taken as the value that 1 % of the area exceeds: corners are singular


@dataclass(frozen=True)
class Metric:
    """How a number is named and shown: its stored SI (or customary) value times scale, in unit."""

    label: str
    unit: str = ""
    scale: float = 1.0

    @property
    def axis_label(self) -> str:
        """Label with the unit in brackets."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


STAGE_METRICS: dict[str, dict[str, Metric]] = {
    "cycling": {
        "first_charge_capacity": Metric("first charge capacity", "mAh/g"),
        "first_discharge_capacity": Metric("first discharge capacity", "mAh/g"),
        "coulombic_efficiency": Metric("coulombic efficiency, cycle 1", "%", 100),
        "polarisation": Metric("polarisation, cycle 1", "mV", 1e3),
        "capacity_retention": Metric("discharge capacity, last over first cycle", "%", 100),
        "max_voltage": Metric("highest voltage", "V"),
        "min_site_fraction": Metric("lowest mean site fraction"),
        "max_drift_voltage": Metric("largest stress shift of the potential", "mV", 1e3),
        "drift_voltage_exceeded": Metric("stress shift beyond 0.2 V (1 = yes)"),
        "max_mass_balance_error": Metric("largest charge balance error (relative)"),
        "overstrained_area_fraction": Metric("area beyond 2 % elastic strain", "%", 100),
        "peak_tension": Metric("peak first principal stress", "MPa", 1e-6),
        "peak_hydrostatic_tension": Metric("peak hydrostatic tension", "MPa", 1e-6),
        "peak_hydrostatic_compression": Metric("peak hydrostatic compression", "MPa", 1e-6),
        "rock_salt_share": Metric("rock salt after heat", "%", 100),
        "heat_pore_share": Metric("pores after heat", "%", 100),
        "heat_contraction": Metric("volume strain from heat", "%", 100),
    },
    "cracks": {
        "max_failed_fraction": Metric("largest failed fraction", "%", 100),
        "max_failed_fraction_grain_boundary": Metric("largest failed fraction, grain boundaries", "%", 100),
        "max_failed_fraction_basal": Metric("largest failed fraction, basal planes", "%", 100),
        "final_failed_fraction": Metric("failed fraction at the end", "%", 100),
        "first_crack_voltage": Metric("voltage of the first crack", "V"),
        "first_crack_site_fraction": Metric("site fraction of the first crack"),
        "surface_connected_fraction": Metric("cracks connected to the surface", "%", 100),
        "surface_cracked_fraction": Metric("interfaces cracked through to the surface", "%", 100),
        "fragments": Metric("fragments"),
        "crack_porosity": Metric("largest opened area over section area", "%", 100),
        "max_opening": Metric("widest opening", "nm", 1e9),
        "fracture_energy": Metric("fracture energy per depth", "µJ/m", 1e6),
        "viscous_share": Metric("viscous work over fracture energy", "%", 100),
        "damage_acceleration": Metric("late over early growth of mean damage per cycle"),
    },
    "exposure": {
        "layer_thickness": Metric("mean air-formed layer", "nm", 1e9),
        "residual_alkali_wt_percent": Metric("residual alkali", "wt %"),
        "alkali_lost_fraction": Metric("alkali lost to air", "%", 100),
        "alkali_returned_fraction": Metric("lost alkali that drying gives back", "%", 100),
        "binder_adhesion_index": Metric("adhesion of the binder against a clean powder (index)"),
        "mean_proton_fraction": Metric("mean proton fraction", "%", 100),
        "max_proton_fraction": Metric("highest proton fraction", "%", 100),
        "max_mismatch_strain": Metric("largest mismatch strain", "%", 100),
        "mean_strength_factor": Metric("mean strength factor of interfaces after air"),
        "min_strength_factor": Metric("lowest strength factor of interfaces after air"),
    },
    "interface": {
        "wetted_fraction": Metric("interface length wetted by electrolyte", "%", 100),
        "max_corroded_depth": Metric("deepest corrosion on crack faces", "nm", 1e9),
        "surface_layer_thickness": Metric("mean reconstructed layer, outer surface", "nm", 1e9),
        "transition_metal_loss": Metric("transition metal lost", "%", 100),
        "alkali_loss": Metric("alkali lost to electrolyte", "%", 100),
    },
    "activation": {
        "dislocation_density_before": Metric("mean dislocation density before", "1e12/m²", 1e-12),
        "dislocation_density_after": Metric("mean dislocation density after", "1e12/m²", 1e-12),
        "increase_near_interfaces": Metric(
            "new dislocations within an element of boundaries, fronts", "%", 100
        ),
        "area_near_interfaces": Metric("area within an element of boundaries, fronts", "%", 100),
        "stacking_fault_probability_before": Metric("mean stacking-fault probability before", "%", 100),
        "stacking_fault_probability_after": Metric("mean stacking-fault probability after", "%", 100),
        "lattice_change_a": Metric("mean a at the end against the start", "%", 100),
        "lattice_change_c": Metric("mean c at the end against the start", "%", 100),
        "lattice_shift_a": Metric("mean a at the end, away from the start", "%", 100),
        "lattice_shift_c": Metric("mean c at the end, away from the start", "%", 100),
        "lattice_swing_a": Metric("largest change of mean a", "%", 100),
        "lattice_swing_c": Metric("largest change of mean c", "%", 100),
    },
    "life": {
        "life_cycles": Metric("cycles of the life"),
        "life_simulated_cycles": Metric("cycles that were simulated"),
        "life_capacity_retention": Metric("discharge capacity after the life, over cycle 1", "%", 100),
        "life_cycle_to_80": Metric("cycle at which 80 % of the capacity are left"),
        "life_fade_acceleration": Metric("late over early loss of capacity"),
        "life_mean_coulombic_efficiency": Metric("coulombic efficiency, mean over the life", "%", 100),
        "life_polarisation_growth": Metric("growth of the polarisation after cycle 1", "mV", 1e3),
        "life_isolated_share": Metric("share of the particle that no longer takes part", "%", 100),
        "life_failed_fraction": Metric("failed fraction after the life", "%", 100),
        "life_failed_growth": Metric("growth of the failed fraction after cycle 1", "%", 100),
        "life_surface_cracked_fraction": Metric("cracked through to the surface after the life", "%", 100),
        "life_mean_damage": Metric("mean damage after the life", "%", 100),
        "life_damage_growth": Metric("growth of the mean damage after cycle 1", "%", 100),
        "life_wetted_fraction": Metric("interface length wetted after the life", "%", 100),
        "life_surface_layer_thickness": Metric("reconstructed layer, surface, after the life", "nm", 1e9),
        "life_mean_corroded_depth": Metric("reconstructed layer, wet crack faces, after the life", "nm", 1e9),
        "life_transition_metal_loss": Metric("transition metal lost in the life", "%", 100),
        "life_alkali_loss": Metric("alkali lost to electrolyte in the life", "%", 100),
        "life_max_jump_error": Metric("largest error of a jump, over what is allowed"),
        "life_max_mass_balance_error": Metric("largest charge balance error in the life (relative)"),
        "life_max_drift_voltage": Metric("largest stress shift of the potential in the life", "mV", 1e3),
    },
}
STAGE_METRICS["spectroscopy"] = {
    "surface_oxidation_excess_charging": Metric("Ni valence of the rim above the core's, largest on charge"),
    "surface_signal_loss_tey": Metric("layered oxide lost from the electron yield", "%", 100),
    "surface_signal_loss_fy": Metric("layered oxide lost from the fluorescence", "%", 100),
} | {
    f"{name}{suffix}": Metric(f"{label}, {state}")
    for suffix, state in (("", "charged in cycle 1"), ("_aged", "charged in the last cycle"))
    for name, label in {
        "surface_oxidation_excess": "Ni valence of the rim above the core's",
        "surface_peak_ratio": "mean peak ratio of the surface",
        **{
            f"porosity_correlation_{angle}{end}": f"porosity and peak ratio, correlation at {angle}°{what}"
            for angle in METRIC_ANGLES
            for end, what in (("", ""), ("_low", ", lower bound"), ("_high", ", upper bound"))
        },
    }.items()
}
STAGE_METRICS["diffraction"] = {
    name: Metric(label, "°", math.degrees(1))
    for name, label in {
        "xrd_00l_shift": "shift of 00l at the end of the first charge (2θ, Cu Kα1)",
        "xrd_00l_lowest_shift": "largest shift of 00l to lower angles, first charge",
        "xrd_00l_highest_shift": "largest shift of 00l to higher angles, first charge",
        "xrd_00l_centroid_shift": "shift of the centroid of 00l at the end of the first charge",
        "xrd_00l_final_shift": "shift of 00l at the end of the run",
        "xrd_00l_initial_width": "width of 00l at the start (FWHM)",
        "xrd_00l_charged_width": "width of 00l at the end of the first charge (FWHM)",
        "xrd_00l_largest_width": "largest width of 00l (FWHM)",
        "xrd_110_shift": "shift of the centroid of 110 at the end of the first charge",
    }.items()
} | {
    "xrd_00l_strain": Metric("RMS strain of the layers, charged, by Williamson and Hall", "%", 100),
    "xrd_00l_strain_put_in": Metric("RMS strain of the layers, charged, as it is", "%", 100),
}
STAGE_METRICS["bands"] = {
    "slip_localisation": Metric("share of the layers' slip in the most slipped tenth, charged", "%", 100),
    "mean_layer_slip": Metric("mean shear by slip of the layers, charged", "%", 100),
    "band_slip": Metric("mean shear by slip in bands, charged", "%", 100),
    "band_rotation": Metric("mean rotation of the layers in bands, charged", "°", math.degrees(1)),
    "rotation_outside_bands": Metric("mean rotation of the layers elsewhere", "°", math.degrees(1)),
    "band_spacing_change": Metric("strain of the layers' distance in bands, less elsewhere", "%", 100),
    "failed_fraction_bands": Metric("failed fraction of interfaces at bands, charged", "%", 100),
    "failed_fraction_outside_bands": Metric("failed fraction of interfaces elsewhere, charged", "%", 100),
}
STAGE_METRICS["regions"] = {
    "failed_fraction_near_regions": Metric("failed fraction at rims of hard regions, charged", "%", 100),
    "failed_fraction_far_from_regions": Metric("failed fraction away from rims, charged", "%", 100),
    "region_crack_concentration": Metric("failed fraction at rims of hard regions over that away"),
    "interface_share_near_regions": Metric("interface length at rims of hard regions", "%", 100),
    "region_stress_concentration": Metric("stress gradient at rims of hard regions over that away"),
    "region_composition_concentration": Metric("alkali gradient at rims of hard regions over that away"),
    "region_densification": Metric("denser hard regions, charged, beyond the table", "%", 100),
}
METRICS = {name: entry for entries in STAGE_METRICS.values() for name, entry in entries.items()}


def metric(name: str) -> Metric:
    """Return how a metric is shown; one without an entry is shown under its own name."""
    return METRICS.get(name, Metric(name.replace("_", " ")))


def cycling_metrics(cycling: xr.Dataset, particle: Particle) -> dict[str, float]:
    """Return capacities, efficiency, polarisation, peak stresses and the flags of model validity."""
    table = cycle_table(cycling)
    first = table.reindex([1]).iloc[0]
    area = core_area(particle)
    hydrostatic = cycling["hydrostatic_stress"].values
    drift = _largest(cycling["max_drift_voltage"])
    return {
        "first_charge_capacity": float(first["charge_capacity"]),
        "first_discharge_capacity": float(first["discharge_capacity"]),
        "coulombic_efficiency": float(first["coulombic_efficiency"]),
        "polarisation": float(first["polarisation"]),
        "capacity_retention": _retention(table["discharge_capacity"].to_numpy(float)),
        "max_voltage": _largest(cycling["voltage"]),
        "min_site_fraction": -_largest(-cycling["mean_site_fraction"]),
        "max_drift_voltage": drift,
        "drift_voltage_exceeded": float(drift > MAX_DRIFT_VOLTAGE),
        "max_mass_balance_error": _largest(abs(cycling["mass_balance_error"])),
        "overstrained_area_fraction": _overstrained(cycling, particle),
        "peak_tension": _peak(area, cycling["first_principal_stress"].values),
        "peak_hydrostatic_tension": _peak(area, hydrostatic),
        "peak_hydrostatic_compression": _peak(area, -hydrostatic),
        **_heat(cycling, area),
    }


def _heat(cycling: xr.Dataset, area: np.ndarray) -> dict[str, float]:
    """Means over the core where the last heat ends; 0 without heat."""
    fields = {
        "rock_salt_share": "rock_salt",
        "heat_pore_share": "pore_fraction",
        "heat_contraction": "heat_strain",
    }
    if "rock_salt" not in cycling:
        return dict.fromkeys(fields, 0.0)
    turned = cycling["rock_salt"].values
    # it never falls: the first frame with all of it
    last = int(np.argmax((turned == turned[-1]).all(axis=1)))
    return {name: mean_over(area, cycling[field].values[last]) for name, field in fields.items()}


def crack_metrics(cracks: xr.Dataset, particle: Particle) -> dict[str, float]:
    """Return how much failed, where, when, and how far it reaches; NaN for what only a crack has."""
    names = ("failed_length", "surface_connected_length", "fracture_energy", "viscous_work")
    failed, connected, energy, viscous = (float(cracks[name].values[-1]) for name in names)
    length = float(particle.interface_length.sum())
    return {
        "max_failed_fraction": _largest(cracks["failed_fraction"]),
        "max_failed_fraction_grain_boundary": _largest(cracks["failed_fraction_grain_boundary"]),
        "max_failed_fraction_basal": _largest(cracks["failed_fraction_basal"]),
        "final_failed_fraction": float(cracks["failed_fraction"].values[-1]),
        "first_crack_voltage": float(cracks.attrs.get("first_crack_voltage", math.nan)),
        "first_crack_site_fraction": float(cracks.attrs.get("first_crack_site_fraction", math.nan)),
        "surface_connected_fraction": connected / failed if failed > 0 else math.nan,
        "surface_cracked_fraction": connected / length if length > 0 else 0.0,
        "fragments": _largest(cracks["fragments"]),
        "crack_porosity": _largest(cracks["opening_area"]) / particle.area,
        "max_opening": _largest(cracks["opening"]) if particle.n_interfaces else 0.0,
        "fracture_energy": energy,
        "viscous_share": viscous / energy if energy > 0 else math.nan,
        "damage_acceleration": _acceleration(cracks, particle),
    }


def _acceleration(cracks: xr.Dataset, particle: Particle) -> float:
    damaged_length = cracks["damage"].values @ particle.interface_length
    return growth_acceleration(damaged_length[cycle_ends(cracks["frame_mean_site_fraction"].values)])


def exposure_metrics(exposure: xr.Dataset, particle: Particle) -> dict[str, float]:
    """Return what the air did: layer, alkali lost, protons, mismatch strain and weakening."""
    area, length = core_area(particle), particle.interface_length
    strength = exposure["strength_factor"].values
    protons = exposure["proton_fraction"].values
    return {
        "layer_thickness": mean_over(particle.surface_length, exposure["layer_thickness"].values),
        "residual_alkali_wt_percent": float(exposure.attrs.get("residual_alkali_wt_percent", math.nan)),
        **{
            name: float(exposure.attrs.get(name, math.nan))
            for name in ("alkali_lost_fraction", "alkali_returned_fraction", "binder_adhesion_index")
        },
        "mean_proton_fraction": mean_over(area, protons),
        "max_proton_fraction": float(protons.max()),
        "max_mismatch_strain": float(np.abs(exposure["mismatch_strain"].values).max()),
        "mean_strength_factor": mean_over(length, strength),
        "min_strength_factor": float(strength.min()) if strength.size else math.nan,
    }


def interface_metrics(interface: xr.Dataset, particle: Particle) -> dict[str, float]:
    """Return what the electrolyte reached and how deep it corroded."""
    depth = interface["corroded_depth"].values
    return {
        "wetted_fraction": share_over(particle.interface_length, interface["wetted"].values),
        "max_corroded_depth": float(depth.max()) if depth.size else 0.0,
        "surface_layer_thickness": mean_over(
            particle.surface_length, interface["surface_layer_thickness"].values
        ),
        "transition_metal_loss": float(interface.attrs.get("transition_metal_loss", math.nan)),
        "alkali_loss": float(interface.attrs.get("alkali_loss", math.nan)),
    }


def activation_metrics(activation: xr.Dataset, particle: Particle) -> dict[str, float]:
    """Return what the block of cycles did to dislocations, faults and the mean lattice; NaN if left out."""
    found = {name: float(activation.attrs.get(name, math.nan)) for name in STAGE_METRICS["activation"]}
    return found | {f"lattice_shift_{axis}": abs(found[f"lattice_change_{axis}"]) for axis in "ac"}


READERS: dict[str, Callable[[xr.Dataset, Particle], dict[str, float]]] = {
    "exposure": exposure_metrics,
    "cycling": cycling_metrics,
    "cracks": crack_metrics,
    "interface": interface_metrics,
    "activation": activation_metrics,
    "life": life_metrics,
}


def case_metrics(
    microstructure: Path,
    defects: Path,
    exposure: Path,
    cycling: Path,
    cracks: Path,
    interface: Path,
    activation: Path | None = None,
    life: Path | None = None,
    formula: str = "",
    crystal: Crystal | None = None,
) -> dict[str, Any]:
    """Return every number of a case and the status of every stage, for metrics.json.

    A stage that did not end well gives NaN for its numbers, under the same keys as one that did;
    `status` is the first status of the chain that is not "ok", with its message. Without a life there are no
    keys of one, none of spectroscopy unless the formula is that of a lithium nickel oxide, and none of
    diffraction without a `crystal`.

    Raises:
        UserError: a file is missing, damaged or not one of ours, or the files do not belong together.
    """
    paths = dict(zip(STAGES, (microstructure, defects, exposure, cycling, cracks, interface), strict=True))
    paths |= {stage: path for stage, path in (("activation", activation), ("life", life)) if path}
    particle: Particle | None = None
    result: dict[str, Any] = {"status": "ok", "status_message": ""}
    datasets = read_stages(paths)
    for stage, data in datasets.items():
        status, message = stage_status(data)
        if stage == "microstructure" and status == "ok":
            particle = particle_from_dataset(data)
            result |= {"cells": particle.n_cells, "grains": particle.n_grains}
        if status == "ok" and stage in READERS and particle is not None:
            result |= READERS[stage](data, particle)
        elif stage in READERS:
            result |= dict.fromkeys(STAGE_METRICS[stage], math.nan)
        result |= {f"{stage}_status": status, f"{stage}_status_message": message}
        if status != "ok" and result["status"] == "ok":
            result |= {"status": status, "status_message": f"{stage}: {message}" if message else stage}
    result |= _mechanisms(datasets, particle)
    return result | _spectroscopy(datasets, particle, formula) | _diffraction(datasets, particle, crystal)


def _mechanisms(datasets: Mapping[str, xr.Dataset], particle: Particle | None) -> dict[str, float]:
    """What bands of glide and hard regions do, where there are any; none where a stage did not end well."""
    needed = [datasets[stage] for stage in ("defects", "cycling", "cracks")]
    if particle is None or any(stage_status(data)[0] != "ok" for data in needed):
        return {}
    return mechanism_metrics(particle, *needed)


def _diffraction(
    datasets: Mapping[str, xr.Dataset], particle: Particle | None, crystal: Crystal | None
) -> dict[str, float]:
    """What diffraction would see, of a known crystal; NaN where a stage did not end well."""
    if crystal is None:
        return {}
    needed = [datasets[stage] for stage in ("defects", "exposure", "cycling")]
    if particle is None or any(stage_status(data)[0] != "ok" for data in needed):
        return dict.fromkeys(STAGE_METRICS["diffraction"], math.nan)
    return diffraction_metrics(specimen_from_stages(crystal, particle, *needed), needed[-1])


def _spectroscopy(
    datasets: Mapping[str, xr.Dataset], particle: Particle | None, formula: str
) -> dict[str, float]:
    """Model measurements on a lithium nickel oxide, none for others; NaN where a stage did not end well."""
    oxide = nickel_oxide(formula)
    if oxide is None:
        return {}
    fine = {stage for stage, data in datasets.items() if stage_status(data)[0] == "ok"}
    if particle is None or not fine.issuperset(STAGES):
        return dict.fromkeys(STAGE_METRICS["spectroscopy"], math.nan)
    cycling = datasets["cycling"]
    states = charged_in_life(datasets["life"]) if "life" in fine else []
    if len(states) < 2:
        states = [charged_in_cycle_one(cycling, datasets["cracks"], datasets["interface"])]
    charging = cycling["site_fraction"].values[first_charge_frames(cycling)]
    return spectroscopy_metrics(particle, oxide, states, charging)


def stage_status(data: xr.Dataset) -> tuple[str, str]:
    """Return status ("ok", "diverged" or "upstream_failed") and message of a stage file."""
    return str(data.attrs.get("status", "ok")), str(data.attrs.get("status_message", ""))


def write_metrics(metrics: Mapping[str, Any], path: Path) -> None:
    """Write metrics as JSON, whole or not at all; numbers that are not finite become null."""
    write_json({key: _plain(value) for key, value in metrics.items()}, path)


def read_metrics(path: Path) -> dict[str, Any]:
    """Read metrics; null becomes NaN.

    Raises:
        UserError: the file is missing, damaged or not a JSON object.
    """
    return {key: math.nan if value is None else value for key, value in read_json(path).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _largest(values: xr.DataArray) -> float:
    return float(values.max()) if values.size else math.nan


def _retention(discharge: np.ndarray) -> float:
    return float(discharge[-1] / discharge[0]) if len(discharge) > 1 else math.nan


def _peak(area: np.ndarray, frames: np.ndarray) -> float:
    """Largest over frames (n_frames, n_cells) of the value that 99 % of the core's area stays below."""
    return max((weighted_quantile(area, frame, PEAK_QUANTILE) for frame in frames), default=math.nan)


def _overstrained(cycling: xr.Dataset, particle: Particle) -> float:
    """Largest share of area over frames beyond the elastic strain limit; NaN if strain is not stored."""
    if "elastic_strain" not in cycling:
        return math.nan
    area, frames = core_area(particle), np.abs(cycling["elastic_strain"].values)
    return max(share_over(area, frame > MAX_ELASTIC_STRAIN) for frame in frames)
