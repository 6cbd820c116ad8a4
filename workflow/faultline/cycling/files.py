"""Cycling and cracks as stage files: from the files of earlier stages to the dataset of this one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.models import CrackSettings
from faultline.config.stage import StageSettings
from faultline.cracks import BasalGlide, CohesiveProperties, Fatigue, FractureModel, first_crack
from faultline.cracks.evolution import CrackEvolution
from faultline.cycling.history import History
from faultline.cycling.mechanics import BondedMechanics, CrackingMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.dataset import ugrid
from faultline.errors import NotConverged
from faultline.materials import material_from_settings
from faultline.materials.particle_model import ParticleModel, PassiveLayer
from faultline.mechanics.condensation import condense
from faultline.mechanics.storage import condensed_dataset, condensed_from_dataset
from faultline.microstructure.particle import INTERFACE_KINDS, Particle
from faultline.progress import Progress
from faultline.transport.surface import outer_surface

Array = NDArray[np.float64]
Inputs = Mapping[str, xr.Dataset]
log = logging.getLogger(__name__)

MATERIAL_KIND = {"grain_boundary": "grain_boundary", "basal_plane": "basal", "shell_bond": "shell"}
SERIES = {  # name: (unit, description)
    "voltage": ("V", "particle voltage"),
    "c_rate": ("1/h", "C-rate, positive on charge"),
    "mean_site_fraction": ("1", "mean site fraction"),
    "specific_capacity": ("mAh/g", "charge extracted since the start"),
    "step_index": ("1", "step of the protocol"),
    "cycle": ("1", "cycle"),
    "max_drift_voltage": ("V", "largest |Omega : sigma| / F"),
    "mass_balance_error": ("1", "alkali lost less charge passed, relative to the nominal amount"),
}
FRAMES = {
    "frame_time": ("s", "time of the frame"),
    "frame_voltage": ("V", "voltage of the frame"),
    "frame_capacity": ("mAh/g", "charge extracted since the start"),
    "frame_c_rate": ("1/h", "C-rate of the frame"),
    "axial_strain": ("1", "strain out of the section"),
}
CRACK_FIELDS = {
    "damage": ("1", "damage, 0 intact, 1 separated"),
    "opening": ("m", "opening"),
    "slip": ("m", "slip"),
}
CRACK_SERIES = {
    "failed_fraction": ("1", "failed share of the interfaces"),
    "failed_fraction_grain_boundary": ("1", "failed share of the grain boundaries"),
    "failed_fraction_basal": ("1", "failed share of the basal planes"),
    "failed_fraction_shell": ("1", "failed share of the bond to the shell"),
    "failed_length": ("m", "failed length"),
    "opening_area": ("m2", "area of the open cracks in the section"),
    "surface_connected_length": ("m", "failed length joined to the surface"),
    "fragments": ("1", "separate pieces"),
    "elastic_energy": ("J/m", "elastic energy of the bulk"),
    "cohesive_energy": ("J/m", "energy stored in the interfaces"),
    "fracture_energy": ("J/m", "energy spent on cracks"),
    "viscous_work": ("J/m", "work of the viscous regularisation"),
    "fatigue_work": ("J/m", "stored energy that fatigue took from the interfaces"),
    "plastic_work": ("J/m", "work of basal glide"),
}


def cycle(particle: Particle, inputs: Inputs, settings: StageSettings) -> xr.Dataset:
    """Run the protocol of a case; with `two_way` coupling the result holds the cracks as well.

    Needs the datasets `defects` and `exposure`. A run that stops short has status `diverged` and its frames
    so far.
    """
    numerics = settings.cycling
    width = numerics.front_width if numerics.front == "phase_field" else None
    model = particle_model(particle, inputs, settings, width)
    start = inputs["exposure"]["initial_site_fraction"] + inputs["defects"]["site_fraction_shift"]
    mechanics: BondedMechanics | CrackingMechanics = BondedMechanics(model)
    if numerics.coupling == "two_way":
        evolution = crack_evolution(model, inputs, settings.cracks)
        mechanics = CrackingMechanics(model, evolution, settings.cracks.failed_damage)
    cycler = Cycler(
        model,
        outer_surface(particle, inputs["exposure"]["film_resistance"].values + model.film_resistance),
        mechanics,
        Settings(numerics.tolerance, numerics.largest_step, numerics.frames, numerics.stress_drift),
    )
    history = cycler.run(start.values, settings.steps, settings.cycles)
    result = _cycling_dataset(model, history)
    if numerics.coupling == "two_way":
        result = _with_cracks(result, history.frames, settings.cracks.failed_damage)
    if history.status != "ok":
        result.attrs |= {"status": history.status, "status_message": history.message}
    return result


def crack(particle: Particle, inputs: Inputs, settings: StageSettings) -> xr.Dataset:
    """Cracks of a case: along its cycling history (`one_way`), or taken out of it (`two_way`).

    Needs the datasets `defects`, `exposure` and `cycling`.

    Raises:
        NotConverged: carries the dataset of the frames before.
    """
    cycling = inputs["cycling"]
    frames = [name for name in ("frame_time", "frame_voltage", "frame_mean_site_fraction") if name in cycling]
    result = ugrid(particle).assign({name: cycling[name] for name in frames})
    if settings.cycling.coupling == "two_way":
        names = [name for name in (*CRACK_FIELDS, *CRACK_SERIES) if name in cycling]
        attributes = {key: cycling.attrs[key] for key in CRACK_ATTRIBUTES}
        return result.assign({name: cycling[name] for name in names}).assign_attrs(attributes)
    model = particle_model(particle, inputs, settings)
    evolution = crack_evolution(model, inputs, settings.cracks)
    records: dict[str, list[Any]] = {}
    progress = Progress(log)
    passed = half_cycles_passed(cycling)
    for frame, part in enumerate(np.diff(passed, prepend=passed[0] - 1.0)):
        try:
            evolution.follow(model.eigenstrain(cycling["site_fraction"].values[frame]), float(part))
        except NotConverged as failure:
            found = _with_cracks(result.isel(frame=slice(frame)), records, settings.cracks.failed_damage)
            raise NotConverged(
                str(failure), float(cycling["frame_time"][frame]), frame, failure.residual, found
            ) from failure
        for name, value in evolution.record(settings.cracks.failed_damage).items():
            records.setdefault(name, []).append(value)
        progress("frame %d of %d, failed %.3f", frame + 1, len(passed), records["failed_fraction"][-1])
    return _with_cracks(result, records, settings.cracks.failed_damage)


def condensed(particle: Particle, inputs: Inputs, settings: StageSettings) -> xr.Dataset:
    """Condensed blocks of a particle, which depend on its mesh and elasticity alone."""
    shell = PassiveLayer.from_settings(settings.shell, settings.shell_thickness) if settings.shell else None
    material = material_from_settings(settings.material)
    model = ParticleModel(particle, material, settings.temperature, np.zeros((particle.n_cells, 6)), shell)
    return condensed_dataset(condense(particle, model.stiffness, film=model.film_stiffness))


def particle_model(
    particle: Particle, inputs: Inputs, settings: StageSettings, front_width: float | None = None
) -> ParticleModel:
    """Laws of the particle, with the strain that defects and exposure left in it."""
    rest = inputs["defects"]["residual_strain"] + inputs["exposure"]["mismatch_strain"]
    shell = PassiveLayer.from_settings(settings.shell, settings.shell_thickness) if settings.shell else None
    material = material_from_settings(settings.material, front_width)
    return ParticleModel(particle, material, settings.temperature, rest.values, shell)


def crack_evolution(model: ParticleModel, inputs: Inputs, settings: CrackSettings) -> CrackEvolution:
    """The particle ready to crack: interfaces as strong as material, defects and exposure leave them.

    Takes the condensed blocks from the dataset `condensed` where there is one.
    """
    factors = [inputs[stage] for stage in ("defects", "exposure")]
    strength = np.prod([data["strength_factor"].values for data in factors], axis=0)
    toughness = np.prod([data["toughness_factor"].values for data in factors], axis=0)
    worn = settings.fatigue
    fatigue = None if worn is None else Fatigue(worn.length_factor, worn.endurance)
    cohesive = CohesiveProperties(
        normal_strength=strength * _by_kind(model, "tensile_strength"),
        shear_strength=strength * _by_kind(model, "shear_strength"),
        toughness_normal=toughness * _by_kind(model, "toughness_normal"),
        toughness_shear=toughness * _by_kind(model, "toughness_shear"),
        mixed_mode_exponent=settings.mixed_mode_exponent,
        penalty_stiffness=settings.penalty_stiffness,
        viscosity=settings.viscosity,
        fatigue=fatigue,
    )
    blocks = condensed_from_dataset(inputs["condensed"]) if "condensed" in inputs else None
    fracture = FractureModel(model.particle, model.stiffness, cohesive, blocks, film=model.film_stiffness)
    if not settings.glide:
        return CrackEvolution(fracture)
    particle, shear_modulus = model.particle, float(model.material.stiffness[3, 3])
    critical = np.where(model.in_core, model.material.critical_resolved_shear_stress, np.inf)
    glide = BasalGlide(particle.cell_orientation, shear_modulus, critical, particle.cell_area)
    return CrackEvolution(fracture, glide)


def half_cycles_passed(cycling: xr.Dataset) -> Array:
    """Charge passed in either direction up to each frame, (n_frames,), in units of a nominal half-cycle."""
    time, rate = cycling["time"].values, np.abs(cycling["c_rate"].values)
    passed = np.concatenate([[0.0], np.cumsum(rate[1:] * np.diff(time))]) / 3600.0  # backward Euler steps
    return np.interp(cycling["frame_time"].values, time, passed)


def _by_kind(model: ParticleModel, name: str) -> Array:
    """(n_interfaces,) cohesive property of each interface's kind."""
    kinds, particle = model.material.interfaces, model.particle
    present = np.unique(particle.interface_kind)
    table = np.full(len(INTERFACE_KINDS), np.nan)
    table[present] = [getattr(kinds[MATERIAL_KIND[INTERFACE_KINDS[kind]]], name) for kind in present]
    return table[particle.interface_kind]


def _cycling_dataset(model: ParticleModel, history: History) -> xr.Dataset:
    stress, x = history.field("stress"), history.field("site_fraction")
    mean = np.average(x[:, model.in_core], axis=1, weights=model.particle.cell_area[model.in_core])
    fields = {
        "site_fraction": (x, "1", "site fraction"),
        "phase": (model.material.phase(x), "1", "phase"),
        "hydrostatic_stress": (stress[..., :3].mean(axis=-1), "Pa", "hydrostatic stress, tension positive"),
        "first_principal_stress": (_principal(stress).max(axis=-1), "Pa", "first principal stress"),
        "elastic_strain": (_elastic_strain(model, stress), "1", "largest principal elastic strain by size"),
    }
    result = ugrid(model.particle).assign_coords(
        time=("time", history.column("time"), _attributes("s", "time"))
    )
    for name, (unit, words) in SERIES.items():
        result[name] = ("time", history.column(name), _attributes(unit, words))
    for name, (unit, words) in FRAMES.items():
        result[name] = ("frame", history.field(name), _attributes(unit, words))
    result["frame_mean_site_fraction"] = ("frame", mean, _attributes("1", "mean site fraction"))
    for name, (values, unit, words) in fields.items():
        result[name] = (("frame", "cell"), values, _attributes(unit, words))
    phases = model.material.phase_names
    result["phase"].attrs |= {"flag_values": list(range(len(phases))), "flag_meanings": " ".join(phases)}
    return result


CRACK_ATTRIBUTES = (
    "failed_damage",
    "first_crack_voltage",
    "first_crack_site_fraction",
    "max_failed_fraction",
)


def _with_cracks(result: xr.Dataset, records: Mapping[str, Any], failed_damage: float) -> xr.Dataset:
    """Dataset with the recorded cracks, one record a frame, and when the first face failed."""
    if not records:
        return result
    for dims, table in ((("frame", "interface"), CRACK_FIELDS), (("frame",), CRACK_SERIES)):
        for name, (unit, words) in table.items():
            if name in records:
                result[name] = (dims, np.stack(records[name]), _attributes(unit, words))
    first = first_crack(result["failed_fraction"].values)
    when = {"voltage": "frame_voltage", "site_fraction": "frame_mean_site_fraction"}
    found = {
        f"first_crack_{name}": float("nan") if first is None else float(result[source][first])
        for name, source in when.items()
    }
    most = float(result["failed_fraction"].max())
    return result.assign_attrs(failed_damage=failed_damage, max_failed_fraction=most, **found)


def _attributes(unit: str, words: str) -> dict[str, str]:
    return {"units": unit, "long_name": words}


def _principal(voigt: Array, shear: float = 1.0) -> Array:
    """Principal values (..., 3) of Voigt vectors; `shear` is 1 for stress, 1/2 for engineering strain."""
    full = np.empty((*voigt.shape[:-1], 3, 3))
    for k in range(3):
        full[..., k, k] = voigt[..., k]
    for k, (i, j) in enumerate(((1, 2), (0, 2), (0, 1)), start=3):
        full[..., i, j] = full[..., j, i] = shear * voigt[..., k]
    return np.linalg.eigvalsh(full)


def _elastic_strain(model: ParticleModel, stress: Array) -> Array:
    """(n_frames, n_cells) principal elastic strain of the largest size."""
    compliance = np.linalg.inv(model.stiffness)
    principal = _principal(np.einsum("nij,fnj->fni", compliance, stress), shear=0.5)
    largest = np.abs(principal).argmax(axis=-1)
    return np.take_along_axis(principal, largest[..., None], axis=-1)[..., 0]
