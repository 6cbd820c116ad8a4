"""Threshold studies as datasets: every run of some seeds, and the joined ramp."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.models import DefectSettings
from faultline.config.stage import StageSettings
from faultline.config.thresholds import RampSettings
from faultline.cracks.evolution import CrackEvolution
from faultline.cracks.threshold import CrackingCurve, cracking_curve, mean_square_strain, rms_strain
from faultline.cycling.setup import crack_evolution, particle_model
from faultline.defects import Defects, defects_dataset, generate_defects
from faultline.exposure import exposure_dataset, unexposed
from faultline.materials import Material, material_from_settings
from faultline.microstructure import Particle, particle_dataset
from faultline.microstructure.build import build_particle
from faultline.progress import Progress
from faultline.provenance import ROOT

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

RUN_FIELDS = {  # name: (unit, description)
    "seed": ("1", "seed of grains, facets and residual strain"),
    "amplitude": ("1", "root mean square of the residual normal strain"),
    "arrangement": ("1", "how the residual strain lies in the particle"),
    "threshold_site_fraction": ("1", "site fraction at which the particle cracks"),
    "threshold_voltage": ("V", "open-circuit voltage at which the particle cracks"),
    "failed_before_charge": ("1", "failed share of the interface length before charge"),
    "cracked_before_charge": ("1", "whether the particle cracked before charge"),
    "run_failed": ("1", "whether no equilibrium was found before the particle cracked"),
}


@dataclass(frozen=True)
class Sample:
    """One seed: its particle, and what synthesis left in it by arrangement of the residual strain."""

    seed: int
    particle: Particle
    defects: dict[str, Defects]

    def residual_strain(self, arrangement: str, amplitude: float) -> Array:
        """(n_cells, 6) residual strain whose root mean square is exactly `amplitude`."""
        strain = self.defects[arrangement].residual_strain
        size = rms_strain(self.particle, strain)
        return strain * (amplitude / size if amplitude else 0.0)


def sample(settings: StageSettings, ramp: RampSettings, seed: int) -> Sample:
    """Particle and defects of one seed; between the arrangements only the residual strain differs."""
    particle = build_particle(settings.microstructure, seed, ROOT)
    made: dict[str, Defects] = {
        arrangement: generate_defects(particle, _arranged(settings.defects, ramp, arrangement), seed)
        for arrangement in ramp.arrangements
    }
    return Sample(seed, particle, made)


def planned_site_fractions(material: Material, ramp: RampSettings) -> Array:
    """(n_steps + 1,) even composition at each step, from the initial one down."""
    return np.linspace(material.initial_site_fraction, ramp.last_site_fraction, ramp.steps + 1)


def threshold_runs(settings: StageSettings, ramp: RampSettings, seeds: Sequence[int]) -> xr.Dataset:
    """Every run of some seeds, and the microstrain of the first of them on its particle."""
    material = material_from_settings(settings.material)
    path = planned_site_fractions(material, ramp)
    rows: list[dict[str, Any]] = []
    curves, failures = [], []
    for seed in seeds:
        one = sample(settings, ramp, seed)
        if seed == seeds[0]:
            result = _particle_with_strain(one, ramp)
        for row, curve in _runs_of(one, settings, ramp, material, path):
            rows.append(row)
            curves.append(curve.sampled(path))
            if curve.message:
                failures.append(f"seed {seed}, {row['amplitude']:g} {row['arrangement']}: {curve.message}")
        log.info("seed %d: %d runs", seed, len(rows))
    for name, (unit, words) in RUN_FIELDS.items():
        values = [row[name] for row in rows]
        attributes: dict[str, Any] = {"units": unit, "long_name": words}
        if name == "arrangement":
            values = [ramp.arrangements.index(value) for value in values]
            indices = list(range(len(ramp.arrangements)))
            attributes |= {"flag_values": indices, "flag_meanings": " ".join(ramp.arrangements)}
        result[name] = ("run", np.array(values), attributes)
    voltage = material.open_circuit_voltage(path)
    words = "failed share of the interface length; NaN beyond the end of a run"
    result["failed_fraction"] = (("run", "ramp"), np.array(curves), {"units": "1", "long_name": words})
    result["site_fraction"] = ("ramp", path, {"units": "1", "long_name": "site fraction"})
    result["voltage"] = ("ramp", voltage, {"units": "V", "long_name": "open-circuit voltage"})
    return result.assign_attrs(
        failures="; ".join(failures), failed_fraction_limit=ramp.failed_fraction, map_seed=seeds[0]
    )


def _arranged(settings: DefectSettings, ramp: RampSettings, arrangement: str) -> DefectSettings:
    """Defects of the case with its microstrain in one arrangement, whose size is set afterwards.

    Dislocations would strain the lattice beyond that, and weaken other facets where they lie in clusters.
    """
    strain = {"amplitude": max(ramp.amplitudes), "arrangement": arrangement, "map": None}
    return settings.model_copy(
        update={
            "microstrain": settings.microstrain.model_copy(update=strain),
            "dislocations": settings.dislocations.model_copy(update={"density": 0.0}),
        }
    )


def _runs_of(
    one: Sample, settings: StageSettings, ramp: RampSettings, material: Material, path: Array
) -> list[tuple[dict[str, Any], CrackingCurve]]:
    """Every arrangement and amplitude of a seed, on the same condensed particle."""
    settings = replace(settings, seed=one.seed)
    gas = exposure_dataset(one.particle, unexposed(one.particle, material.initial_site_fraction))
    base: CrackEvolution | None = None
    found = []
    progress, plan = Progress(log), _plan(ramp)
    for count, (arrangement, amplitude) in enumerate(plan, 1):
        defects = defects_dataset(one.particle, one.defects[arrangement])
        defects["residual_strain"].values = one.residual_strain(arrangement, amplitude)
        inputs = {"defects": defects, "exposure": gas}
        model = particle_model(one.particle, inputs, settings)
        base = base or crack_evolution(model, inputs, settings.cracks)
        evolution = CrackEvolution(base.fracture, base.glide)
        curve = cracking_curve(model, evolution, path, ramp.stop, settings.cracks.failed_damage)
        row = {"seed": one.seed, "amplitude": amplitude, "arrangement": arrangement}
        row |= _outcome(curve, material, ramp)
        found.append((row, curve))
        reached = row["threshold_voltage"]
        progress("seed %d, run %d of %d: cracks at %.3f V", one.seed, count, len(plan), reached)
    return found


def _plan(ramp: RampSettings) -> list[tuple[str, float]]:
    """Arrangement and amplitude of each run; without strain there is nothing to arrange."""
    strained: list[tuple[str, float]] = [
        (way, a) for a in sorted(ramp.amplitudes) if a > 0 for way in ramp.arrangements
    ]
    unstrained: list[tuple[str, float]] = [(ramp.arrangements[0], 0.0)]
    return unstrained * (0.0 in ramp.amplitudes) + strained


def _outcome(curve: CrackingCurve, material: Material, ramp: RampSettings) -> dict[str, Any]:
    x = curve.threshold(ramp.failed_fraction)
    before = float(curve.failed_fraction[0]) if curve.failed_fraction.size else np.nan
    return {
        "threshold_site_fraction": x,
        "threshold_voltage": float(material.open_circuit_voltage(x)) if np.isfinite(x) else np.nan,
        "failed_before_charge": before,
        "cracked_before_charge": bool(before > ramp.failed_fraction),
        "run_failed": bool(curve.message) and not np.isfinite(x),
    }


def _particle_with_strain(one: Sample, ramp: RampSettings) -> xr.Dataset:
    strains = [one.residual_strain(way, max(ramp.amplitudes)) for way in ramp.arrangements]
    maps = np.sqrt([mean_square_strain(strain) for strain in strains])
    words = "residual microstrain at the largest amplitude, root mean square over directions"
    result = particle_dataset(one.particle)
    result["microstrain"] = (("way", "cell"), maps, {"units": "1", "long_name": words})
    return result
