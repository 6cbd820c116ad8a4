"""Residual strain, segregation and facet strengths of one realisation."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.models import DefectSettings
from faultline.dataset import ugrid
from faultline.defects.fields import gaussian_field
from faultline.microstructure import BASAL_PLANE, Particle

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Defects:
    """Defects of one realisation.

    Attributes:
        residual_strain: (n_cells, 6) stress-free strain, engineering Voigt, lab frame.
        site_fraction_shift: (n_cells,) deviation of the alkali content; its mean over the section is zero.
        strength_factor, toughness_factor: (n_interfaces,) mean 1, one value on each facet.
    """

    residual_strain: Array
    site_fraction_shift: Array
    strength_factor: Array
    toughness_factor: Array


def generate_defects(particle: Particle, settings: DefectSettings, seed: int) -> Defects:
    """Defects of `particle` for one seed; switching one field off does not change the others."""
    strain_rng, shift_rng, facet_rng = np.random.default_rng(seed).spawn(3)
    strain, segregation = settings.microstrain, settings.segregation
    factor = facet_factors(particle, settings.strength_spread, facet_rng)
    return Defects(
        residual_strain=residual_strain(particle, strain.amplitude, strain.correlation_length, strain_rng),
        site_fraction_shift=_shift(
            particle, segregation.amplitude, segregation.correlation_length, shift_rng
        ),
        strength_factor=factor,
        toughness_factor=factor,
    )


def residual_strain(
    particle: Particle,
    amplitude: float,
    correlation_length: float,
    rng: np.random.Generator,
    traceless: bool = True,
) -> Array:
    """Random eigenstrain (n_cells, 6) without preferred direction.

    Normal components have standard deviation `amplitude` and tensor shears `amplitude` / sqrt(2),
    independent of each
    other: the Gaussian orthogonal ensemble, which no rotation changes. Lattice planes bend and shear around
        defects rather than swell, so by default the volume part is taken out (which leaves the normals
        sqrt(2/3) of it).
    """
    if amplitude == 0:
        return np.zeros((particle.n_cells, 6))
    parts = amplitude * gaussian_field(particle.cell_centroid, correlation_length, 6, rng)
    normal, shear = parts[:3], np.sqrt(2.0) * parts[3:]  # gamma = 2 eps
    if traceless:
        normal = normal - normal.mean(axis=0)
    return np.concatenate([normal, shear]).T


def facet_factors(particle: Particle, spread: float, rng: np.random.Generator) -> Array:
    """Log-normal factor (n_interfaces,) with mean 1 and standard deviation `spread` of its logarithm.

    A grain boundary between two grains, and the meeting of two lamellae on a basal plane, is one facet:
    weak or strong as a whole, as its misorientation and pores are.
    """
    owner = np.where(
        (particle.interface_kind == BASAL_PLANE)[:, None],
        particle.n_grains + particle.block[particle.interface_cells],
        particle.grain[particle.interface_cells],
    )
    facets, facet = np.unique(np.sort(owner, axis=1), axis=0, return_inverse=True)
    logarithm = spread * rng.standard_normal(len(facets)) - spread**2 / 2
    return np.exp(logarithm)[facet.reshape(-1)]


def _shift(
    particle: Particle, amplitude: float, correlation_length: float, rng: np.random.Generator
) -> Array:
    if amplitude == 0:
        return np.zeros(particle.n_cells)
    field = amplitude * gaussian_field(particle.cell_centroid, correlation_length, 1, rng)[0]
    return field - np.average(field, weights=particle.cell_area)


def defects_dataset(particle: Particle, defects: Defects) -> xr.Dataset:
    """Defects as a stage file's dataset, on the particle's topology."""
    fields = {
        "residual_strain": (("cell", "voigt"), defects.residual_strain, "residual stress-free strain"),
        "site_fraction_shift": ("cell", defects.site_fraction_shift, "deviation of the alkali content"),
        "strength_factor": ("interface", defects.strength_factor, "strength of the facet over the mean"),
        "toughness_factor": ("interface", defects.toughness_factor, "toughness of the facet over the mean"),
    }
    ds = ugrid(particle)
    for name, (dims, values, long_name) in fields.items():
        ds[name] = (dims, values, {"long_name": long_name, "units": "1"})
    return ds
