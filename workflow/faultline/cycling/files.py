"""Cycling as a stage file: from the files of earlier stages to the dataset of this one."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.stage import StageSettings
from faultline.crystal import strain_bond
from faultline.cycling.cracking import attributes, with_cracks
from faultline.cycling.history import History
from faultline.cycling.mechanics import BondedMechanics, CrackingMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.cycling.setup import Inputs, crack_evolution, particle_model
from faultline.dataset import ugrid
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure.particle import Particle
from faultline.transport.surface import outer_surface

Array = NDArray[np.float64]

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
        result = with_cracks(result, history.frames, settings.cracks.failed_damage)
    if history.status != "ok":
        result.attrs |= {"status": history.status, "status_message": history.message}
    return result


def _cycling_dataset(model: ParticleModel, history: History) -> xr.Dataset:
    stress, x = history.field("stress"), history.field("site_fraction")
    hot = history.models(model)
    held = np.stack([frame.held(row) for frame, row in zip(hot, x, strict=True)])
    mean = np.average(held, axis=1, weights=model.particle.cell_area)
    in_crystal = _crystal_strain(model, stress)
    fields = {
        "site_fraction": (x, "1", "site fraction"),
        "phase": (model.material.phase(x), "1", "phase"),
        "hydrostatic_stress": (stress[..., :3].mean(axis=-1), "Pa", "hydrostatic stress, tension positive"),
        "first_principal_stress": (_principal(stress).max(axis=-1), "Pa", "first principal stress"),
        "elastic_strain": (_elastic_strain(model, stress), "1", "largest principal elastic strain by size"),
        "elastic_strain_ab": (in_crystal[..., :2].mean(axis=-1), "1", "mean elastic strain in the layers"),
        "elastic_strain_c": (in_crystal[..., 2], "1", "elastic strain along the normal of the layers"),
    }
    result = ugrid(model.particle).assign_coords(
        time=("time", history.column("time"), attributes("s", "time"))
    )
    for name, (unit, words) in SERIES.items():
        result[name] = ("time", history.column(name), attributes(unit, words))
    for name, (unit, words) in FRAMES.items():
        result[name] = ("frame", history.field(name), attributes(unit, words))
    result["frame_mean_site_fraction"] = ("frame", mean, attributes("1", "mean site fraction"))
    for name, (values, unit, words) in fields.items():
        result[name] = (("frame", "cell"), values, attributes(unit, words))
    if "rock_salt" in history.frames:
        for name, (values, unit, words) in _heat_fields(hot, x).items():
            result[name] = (("frame", "cell"), values, attributes(unit, words))
    if model.regions is not None:
        about = attributes("1", "linear strain of oxygen redox beyond the table's")
        result["redox_strain"] = (("frame", "cell"), model.regions.strain(x), about)
    phases = model.material.phase_names
    result["phase"].attrs |= {"flag_values": list(range(len(phases))), "flag_meanings": " ".join(phases)}
    return result


def _heat_fields(hot: list[ParticleModel], x: Array) -> dict[str, tuple[Array, str, str]]:
    """Fields (n_frames, n_cells) of what heat did, of the particle of each frame."""
    states = [model.heat_state for model in hot if model.heat_state is not None]
    strain = [model.heat_strain(row)[:, :3].sum(axis=1) for model, row in zip(hot, x, strict=True)]
    return {
        "rock_salt": (np.stack([state.rock_salt for state in states]), "1", "share of rock salt"),
        "vacated": (
            np.stack([state.vacated for state in states]),
            "1",
            "share of volume that oxygen vacated",
        ),
        "pore_fraction": (np.stack([model.pore_fraction for model in hot]), "1", "share of pores from heat"),
        "heat_strain": (np.stack(strain), "1", "volume strain that heat added to the lattice's"),
    }


def _principal(voigt: Array, shear: float = 1.0) -> Array:
    """Principal values (..., 3) of Voigt vectors; `shear` is 1 for stress, 1/2 for engineering strain."""
    full = np.empty((*voigt.shape[:-1], 3, 3))
    for k in range(3):
        full[..., k, k] = voigt[..., k]
    for k, (i, j) in enumerate(((1, 2), (0, 2), (0, 1)), start=3):
        full[..., i, j] = full[..., j, i] = shear * voigt[..., k]
    return np.linalg.eigvalsh(full)


def _crystal_strain(model: ParticleModel, stress: Array) -> Array:
    """(n_frames, n_cells, 6) elastic strain in the frame of the crystal."""
    inverse = np.swapaxes(model.particle.cell_orientation, 1, 2)
    to_crystal = strain_bond(inverse) @ np.linalg.inv(model.stiffness)
    return np.einsum("nij,fnj->fni", to_crystal, stress)


def _elastic_strain(model: ParticleModel, stress: Array) -> Array:
    """(n_frames, n_cells) principal elastic strain of the largest size."""
    compliance = np.linalg.inv(model.stiffness)
    principal = _principal(np.einsum("nij,fnj->fni", compliance, stress), shear=0.5)
    largest = np.abs(principal).argmax(axis=-1)
    return np.take_along_axis(principal, largest[..., None], axis=-1)[..., 0]
