"""The particle of a case as the solvers take it: its laws, its condensed blocks, its cracks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.models import CrackSettings
from faultline.config.stage import StageSettings
from faultline.cracks.evolution import CrackEvolution
from faultline.cracks.fracture import FractureModel
from faultline.cracks.glide import BasalGlide, Softening
from faultline.cracks.law import CohesiveProperties, Fatigue
from faultline.defects.composition import lattice_scale
from faultline.defects.regions import redox_regions
from faultline.materials import material_from_settings
from faultline.materials.heat import Heat
from faultline.materials.particle_model import ParticleModel, PassiveLayer
from faultline.mechanics.condensation import condense
from faultline.mechanics.storage import condensed_dataset, condensed_from_dataset
from faultline.microstructure.particle import INTERFACE_KINDS, Particle

Array = NDArray[np.float64]
Inputs = Mapping[str, xr.Dataset]
MATERIAL_KIND = {"grain_boundary": "grain_boundary", "basal_plane": "basal", "shell_bond": "shell"}


def condensed(particle: Particle, inputs: Inputs, settings: StageSettings) -> xr.Dataset:
    """Condensed blocks of a particle, which depend on its mesh and elasticity alone."""
    shell = PassiveLayer.from_settings(settings.shell, settings.shell_thickness) if settings.shell else None
    material = material_from_settings(settings.material)
    unstrained = np.zeros((particle.n_cells, 6))
    regions = redox_regions(particle, settings.defects, settings.seed)
    model = ParticleModel(particle, material, settings.temperature, unstrained, shell, regions=regions)
    return condensed_dataset(condense(particle, model.stiffness, film=model.film_stiffness))


def particle_model(
    particle: Particle, inputs: Inputs, settings: StageSettings, front_width: float | None = None
) -> ParticleModel:
    """Laws of the particle, with the strain that defects and exposure left in it."""
    rest = inputs["defects"]["residual_strain"] + inputs["exposure"]["mismatch_strain"]
    shell = PassiveLayer.from_settings(settings.shell, settings.shell_thickness) if settings.shell else None
    material = material_from_settings(settings.material, front_width)
    scale = lattice_scale(inputs["defects"]["site_fraction_shift"].values, material)
    known = settings.material.heat  # of a protocol that heats; no other slice holds it
    heat = Heat.from_settings(known) if known is not None else None
    regions = redox_regions(particle, settings.defects, settings.seed, material.initial_site_fraction)
    return ParticleModel(
        particle, material, settings.temperature, rest.values, shell, scale, heat, regions=regions
    )


def crack_evolution(model: ParticleModel, inputs: Inputs, settings: CrackSettings) -> CrackEvolution:
    """The particle ready to crack: interfaces as strong as material, defects and exposure leave them.

    Takes the condensed blocks from the dataset `condensed` where there is one.
    """
    cohesive = cohesive_properties(model, inputs, settings)
    blocks = condensed_from_dataset(inputs["condensed"]) if "condensed" in inputs else None
    fracture = FractureModel(model.particle, model.stiffness, cohesive, blocks, film=model.film_stiffness)
    if not settings.glide:
        return CrackEvolution(fracture)
    return CrackEvolution(fracture, basal_glide(model))


def basal_glide(model: ParticleModel) -> BasalGlide:
    """Glide of the core's layers; where regions are stiffer, they withstand it better by the same factor."""
    particle, material = model.particle, model.material
    factor = 1.0 if model.regions is None else model.regions.stiffness_factor
    critical = np.where(model.in_core, factor * material.critical_resolved_shear_stress, np.inf)
    softening = None
    if material.glide_softening is not None:
        softening = Softening.on(particle, np.isfinite(critical), material.glide_softening)
    shear_modulus = factor * material.stiffness[3, 3]
    return BasalGlide(particle.cell_orientation, shear_modulus, critical, particle.cell_area, softening)


def cohesive_properties(
    model: ParticleModel, inputs: Inputs, settings: CrackSettings, weakened: tuple[Array, Array] | None = None
) -> CohesiveProperties:
    """Interfaces as strong as the material, the datasets `defects` and `exposure`, and corrosion leave them.

    `weakened` holds the factors (n_interfaces,) of corrosion on strength and toughness.
    """
    factors = [inputs[stage] for stage in ("defects", "exposure")]
    strength = np.prod([data["strength_factor"].values for data in factors], axis=0)
    toughness = np.prod([data["toughness_factor"].values for data in factors], axis=0)
    if weakened is not None:
        strength, toughness = strength * weakened[0], toughness * weakened[1]
    worn = settings.fatigue
    fatigue = None if worn is None else Fatigue(worn.length_factor, worn.endurance)
    return CohesiveProperties(
        normal_strength=strength * _by_kind(model, "tensile_strength"),
        shear_strength=strength * _by_kind(model, "shear_strength"),
        toughness_normal=toughness * _by_kind(model, "toughness_normal"),
        toughness_shear=toughness * _by_kind(model, "toughness_shear"),
        mixed_mode_exponent=settings.mixed_mode_exponent,
        penalty_stiffness=settings.penalty_stiffness,
        viscosity=settings.viscosity,
        fatigue=fatigue,
    )


def _by_kind(model: ParticleModel, name: str) -> Array:
    """(n_interfaces,) cohesive property of each interface's kind."""
    kinds, particle = model.material.interfaces, model.particle
    present = np.unique(particle.interface_kind)
    table = np.full(len(INTERFACE_KINDS), np.nan)
    table[present] = [getattr(kinds[MATERIAL_KIND[INTERFACE_KINDS[kind]]], name) for kind in present]
    return table[particle.interface_kind]
