"""The defects of one realisation: strain, composition, dislocations, faults, and the facets they weaken."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from faultline.config.estimates import DefectConstants
from faultline.config.models import DefectSettings, MicrostrainSettings, UnderSinteredSettings
from faultline.crystal import rotate_strain
from faultline.defects.fields import cluster_intensity, gaussian_field
from faultline.defects.gradient import gradient_factor, gradient_shift
from faultline.defects.regions import redox_class
from faultline.defects.weakness import bond_factor, dislocation_factor, fault_factor, segregation_factor
from faultline.microstructure import BASAL_PLANE, CORE, GRAIN_BOUNDARY, Particle

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
ROUND_OFF = 1e-9  # of a direction cosine


@dataclass(frozen=True)
class Defects:
    """Defects of one realisation.

    Attributes:
        residual_strain: (n_cells, 6) stress-free strain, engineering Voigt, lab frame.
        site_fraction_shift: (n_cells,) deviation of the alkali content: that of uneven mixing, whose mean
            over the section is zero, and that of a gradient below the surface.
        dislocation_density: (n_cells,) 1/m2.
        stacking_fault_probability: (n_grains,) share of faulted layers.
        pore_fraction: (n_interfaces,) share of the area of a facet without contact.
        bonded: (n_interfaces,) whether sintering bonded the facet at all.
        strength_factor, toughness_factor: (n_interfaces,) all that defects do to a facet; in their absence
            log-normal with mean 1, one value on each facet.
        redox_region: (n_cells,) whether oxygen takes part in redox; None where the settings have no regions.
    """

    residual_strain: Array
    site_fraction_shift: Array
    dislocation_density: Array
    stacking_fault_probability: Array
    pore_fraction: Array
    bonded: Bools
    strength_factor: Array
    toughness_factor: Array
    redox_region: Bools | None = None


def generate_defects(
    particle: Particle,
    settings: DefectSettings,
    seed: int,
    measured: Array | None = None,
    constants: DefectConstants | None = None,
) -> Defects:
    """Defects of `particle` for one seed; switching one of them off does not change the others.

    Args:
        particle: the section.
        settings: keys of `defects`; keys not written follow from `synthesis` where that is given.
        seed: of this realisation.
        measured: (n_cells,) the map of `microstrain.map` on the cells, if there is one.
        constants: estimates behind strain and weakening.
    """
    s, c = settings.resolved, constants or DefectConstants()
    strain_rng, shift_rng, facet_rng, cluster_rng, fault_rng, bond_rng, pore_rng = np.random.default_rng(
        seed
    ).spawn(7)
    where = intensity(particle, s.microstrain, cluster_rng)
    density = s.dislocations.density * where**2
    shift = _shift(particle, s.segregation.amplitude, s.segregation.correlation_length, shift_rng)
    faults = random_shares(
        s.stacking_faults.probability, s.stacking_faults.spread, particle.n_grains, fault_rng
    )
    pores = pore_fractions(particle, s.porosity.fraction, s.porosity.spread, pore_rng)
    bonded = bonded_facets(particle, s.under_sintered, bond_rng)
    factor = facet_factors(particle, s.strength_spread, facet_rng) * bond_factor(pores, bonded, c)
    factor = factor * gradient_factor(particle, s.gradient)
    return Defects(
        residual_strain=_residual_strain(particle, s.microstrain, where, density, measured, c, strain_rng),
        site_fraction_shift=shift + gradient_shift(particle, s.gradient),
        dislocation_density=density,
        stacking_fault_probability=faults,
        pore_fraction=pores,
        bonded=bonded,
        strength_factor=factor
        * dislocation_factor(particle, density, c)
        * fault_factor(particle, faults, c)
        * segregation_factor(particle, shift, c),
        toughness_factor=factor,
        redox_region=redox_class(particle, s.redox_regions, seed) if s.redox_regions else None,
    )


def _residual_strain(
    particle: Particle,
    settings: MicrostrainSettings,
    where: Array,
    density: Array,
    measured: Array | None,
    c: DefectConstants,
    rng: np.random.Generator,
) -> Array:
    """Random strain as strong as asked for or measured, with that of the dislocations; none in a shell."""
    core = particle.region == CORE
    amplitude, along_c = settings.amplitude * where, np.zeros(particle.n_cells)
    if settings.map is not None:
        if measured is None:
            raise ValueError("a map of microstrain is set, but its values are not given")
        is_rms = settings.map.quantity == "rms"
        amplitude, along_c = (measured, along_c) if is_rms else (np.zeros_like(measured), measured * core)
    amplitude = np.hypot(amplitude, dislocation_strain(density, c)) * core
    strain = residual_strain(particle, amplitude, settings.correlation_length, rng)
    if along_c.any():
        strain += rotate_strain(np.outer(along_c, [0.0, 0.0, 1.0]), particle.cell_orientation)
    return strain


def dislocation_strain(density: Array, constants: DefectConstants) -> Array:
    """RMS strain k b sqrt(rho) of dislocations of a density (1/m2); Williamson and Smallman 1956."""
    return constants.microstrain_of_dislocations * constants.burgers * np.sqrt(density)


def intensity(particle: Particle, settings: MicrostrainSettings, rng: np.random.Generator) -> Array:
    """Local strength (n_cells,) of the microstrain over its RMS: 1, or gathered in clusters."""
    area = particle.cell_area * (particle.region == CORE)
    if settings.arrangement == "uniform" or settings.map is not None:
        return np.where(area > 0, 1.0, 0.0)
    where = cluster_intensity(
        particle.cell_centroid, area, settings.cluster_share, settings.cluster_size, rng
    )
    return np.where(area > 0, where, 0.0)


def residual_strain(
    particle: Particle,
    amplitude: float | Array,
    correlation_length: float,
    rng: np.random.Generator,
) -> Array:
    """Random eigenstrain (n_cells, 6) without preferred direction.

    `amplitude` (one number, or one for each cell) is the RMS of the normal strain over all directions, as
    the broadening of diffraction lines shows it. The parts are those of the Gaussian orthogonal ensemble,
    which no rotation changes, without volume: lattice planes bend and shear around defects rather than
    swell. Where the section is a mirror plane of all crystals it cannot warp, and the shears out of it are
    left out. For normals of variance 1 before the volume is taken out, and tensor shears of 1/2, the mean
    square (2 eps : eps + (tr eps)^2) / 15 is then 2/3, without those shears 2/5.
    """
    if not np.any(amplitude):
        return np.zeros((particle.n_cells, 6))
    flat = section_is_mirror(particle)
    scale = np.sqrt(5 / 2 if flat else 3 / 2)
    parts = scale * amplitude * gaussian_field(particle.cell_centroid, correlation_length, 6, rng)
    normal, shear = parts[:3], np.sqrt(2.0) * parts[3:]  # gamma = 2 eps
    normal = normal - normal.mean(axis=0)
    if flat:
        shear[:2] = 0.0
    return np.concatenate([normal, shear]).T


def section_is_mirror(particle: Particle) -> bool:
    """Whether z is an axis of every crystal."""
    return bool((np.abs(particle.orientation[:, 2]).max(axis=1) > 1 - ROUND_OFF).all())


def random_shares(mean: float, spread: float, count: int, rng: np.random.Generator) -> Array:
    """(count,) numbers between 0 and 1 from a beta distribution; standard deviation `spread` times `mean`.

    Raises:
        ValueError: no such distribution exists: spread^2 mean must be below 1 - mean.
    """
    if mean == 0 or spread == 0:
        return np.full(count, mean)
    total = (1 - mean) / (spread**2 * mean) - 1  # alpha + beta, from the variance m (1 - m) / (total + 1)
    if total <= 0:
        raise ValueError(f"a share of mean {mean} cannot spread by {spread} of itself")
    return rng.beta(mean * total, (1 - mean) * total, count)


def pore_fractions(particle: Particle, mean: float, spread: float, rng: np.random.Generator) -> Array:
    """(n_interfaces,) share of pores, one for each facet between two grains; none on other interfaces."""
    shares = random_shares(mean, spread, int(particle.interface_facet.max(initial=-1)) + 1, rng)
    return np.where(particle.interface_kind == GRAIN_BOUNDARY, shares[particle.interface_facet], 0.0)


def bonded_facets(particle: Particle, settings: UnderSinteredSettings, rng: np.random.Generator) -> Bools:
    """(n_interfaces,) whether a facet is bonded; whole boundaries miss their bond until the share is reached.

    They come in random order, or by their mean depth below the surface.
    """
    bonded = np.ones(particle.n_interfaces, dtype=bool)
    boundary = particle.interface_kind == GRAIN_BOUNDARY
    if settings.share == 0 or not boundary.any():
        return bonded
    facets, facet = np.unique(particle.interface_facet[boundary], return_inverse=True)
    length = np.bincount(facet, weights=particle.interface_length[boundary])
    order = rng.permutation(len(facets))
    if settings.location == "surface":
        depth, _ = KDTree(particle.surface_midpoint).query(particle.interface_midpoint[boundary])
        mean = np.bincount(facet, weights=depth * particle.interface_length[boundary]) / length
        order = np.argsort(mean)
    reached = np.cumsum(length[order]) / length.sum()
    # as many as come nearest to the share
    count = int(np.argmin(np.abs(np.concatenate([[0.0], reached]) - settings.share)))
    bonded[boundary] = ~np.isin(facet, order[:count])
    return bonded


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
