"""What a block of cycles makes of the defects, as a stage file and in numbers."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.estimates import DefectConstants
from faultline.config.stage import StageSettings
from faultline.defects.activation import Misfit, activate, largest_misfit, near_interfaces
from faultline.defects.composition import lattice_scale
from faultline.defects.files import defects_dataset, defects_from_dataset
from faultline.defects.generate import Defects
from faultline.defects.regions import redox_regions
from faultline.errors import UserError
from faultline.materials import material_from_settings
from faultline.materials.heat import Heat
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import CORE, Particle
from faultline.statistics import read_statistics

Array = NDArray[np.float64]
RETAINED = "retained_share"


def remodel(
    particle: Particle,
    inputs: Mapping[str, xr.Dataset],
    settings: StageSettings,
    retained_share: float | None = None,
) -> xr.Dataset:
    """Defects after the block of cycles in `inputs`, with the summary of `activation_summary` as attributes.

    Needs the datasets `defects` and `cycling`. Without `activation` the defects stay as they were.
    """
    before = defects_from_dataset(inputs["defects"])
    if not settings.defects.activation.enabled:
        return defects_dataset(particle, before).assign_attrs(activated=False)
    constants = DefectConstants()
    material, n = material_from_settings(settings.material), particle.n_cells
    scale = lattice_scale(before.site_fraction_shift, material)
    known = settings.material.heat  # of a protocol that heats
    heat = Heat.from_settings(known) if known is not None else None
    regions = redox_regions(particle, settings.defects, settings.seed, material.initial_site_fraction)
    model = ParticleModel(
        particle, material, math.nan, np.zeros((n, 6)), lattice_scale=scale, heat=heat, regions=regions
    )
    x = inputs["cycling"]["site_fraction"].values
    strains = [model.in_frame(inputs["cycling"], k).eigenstrain(row) for k, row in enumerate(x)]
    misfit = largest_misfit(particle, strains, constants)
    after = activate(particle, before, misfit, settings.defects, settings.seed, retained_share, constants)
    summary = activation_summary(model, before, after, misfit, x)
    used = constants.retained_share if retained_share is None else retained_share
    return defects_dataset(particle, after).assign_attrs(activated=True, retained_share=used, **summary)


def activation_summary(
    model: ParticleModel, before: Defects, after: Defects, misfit: Misfit, site_fraction: Array
) -> dict[str, float]:
    """Means over the active material before and after, where the increase lies, and what the lattice did.

    Lattice parameters are means, as a diffraction peak shows them: how far from its start each one is at the
    end of the block, and was at most, relative to the start.
    """
    particle, material = model.particle, model.material
    core = particle.cell_area * (particle.region == CORE)
    weight = core / core.sum()
    increase = weight * (after.dislocation_density - before.dislocation_density)
    near = near_interfaces(particle, material.phase(site_fraction), misfit.frame)
    scale = np.broadcast_to(model.lattice_scale, weight.shape)
    strain = material.lattice_strain(site_fraction)  # frame, cell, axis
    mean = 1 + np.einsum("n,n,fnk->fk", weight, scale, strain)
    if model.regions is not None:
        mean += (model.regions.strain(site_fraction) @ weight)[:, None]
    change = mean / mean[0] - 1
    faults = [_fault_mean(particle, defects) for defects in (before, after)]
    total = float(increase.sum())
    return {
        "dislocation_density_before": float(weight @ before.dislocation_density),
        "dislocation_density_after": float(weight @ after.dislocation_density),
        "increase_near_interfaces": float(increase[near].sum() / total) if total > 0 else math.nan,
        "area_near_interfaces": float(weight[near].sum()),
        "stacking_fault_probability_before": faults[0],
        "stacking_fault_probability_after": faults[1],
        "lattice_change_a": float(change[-1, 0]),
        "lattice_change_c": float(change[-1, 2]),
        "lattice_swing_a": float(np.abs(change[:, 0]).max()),
        "lattice_swing_c": float(np.abs(change[:, 2]).max()),
    }


def retained_share_from(file: str) -> float:
    """The share of misfit dislocations that stays, from statistics of the dislocations stage.

    Raises:
        UserError: the file does not hold it, or holds no share.
    """
    found = read_statistics(Path(file)).get(RETAINED)
    if found is None or not 0 <= found.value <= 1:  # also for NaN
        has = "lacks it" if found is None else f"says {found.value:g}"
        raise UserError(
            f"{file}: defects.activation.statistics needs `{RETAINED}` from 0 to 1; the file {has}"
        )
    return found.value


def _fault_mean(particle: Particle, defects: Defects) -> float:
    core = particle.grain >= 0
    faults = defects.stacking_fault_probability[particle.grain[core]]
    return float(np.average(faults, weights=particle.cell_area[core]))
