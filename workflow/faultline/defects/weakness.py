"""What defects take from the strength of interfaces: factors between 0 and 1."""

import numpy as np
from numpy.typing import NDArray

from faultline.config.estimates import DefectConstants
from faultline.microstructure import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND, Particle

Array = NDArray[np.float64]
LEAST = 0.05  # what is left at least where a linear law would come near zero


def dislocation_factor(particle: Particle, density: Array, constants: DefectConstants) -> Array:
    """Strength factor (n_interfaces,) of the mean density (n_cells,), 1/m2, on the two sides.

    1 / (1 + sqrt(rho / rho_half)): internal stress, which grows as the root of the density (Taylor 1934), is
    spent strength. It stands for the stress of cores within an element; what spreads farther is in the
    residual strain. A bond to a shell is not touched.
    """
    beside = density[particle.interface_cells].mean(axis=1)
    factor = 1 / (1 + np.sqrt(beside / constants.half_strength_density))
    return np.where(particle.interface_kind == SHELL_BOND, 1.0, factor)


def fault_factor(particle: Particle, probability: Array, constants: DefectConstants) -> Array:
    """Strength factor (n_interfaces,) of the basal planes of grains with fault probability (n_grains,)."""
    factor = np.maximum(1 - constants.fault_weakening * probability, LEAST)
    of_grain = factor[particle.grain[particle.interface_cells[:, 0]]]
    return np.where(particle.interface_kind == BASAL_PLANE, of_grain, 1.0)


def segregation_factor(particle: Particle, shift: Array, constants: DefectConstants) -> Array:
    """Strength factor (n_interfaces,) of grain boundaries where the composition deviates, (n_cells,)."""
    beside = np.abs(shift[particle.interface_cells]).mean(axis=1)
    factor = np.maximum(1 - constants.segregation_weakening * beside, LEAST)
    return np.where(particle.interface_kind == GRAIN_BOUNDARY, factor, 1.0)


def bond_factor(pore_fraction: Array, bonded: NDArray[np.bool_], constants: DefectConstants) -> Array:
    """Factor (n_interfaces,) of strength and toughness: the bonded share of the area.

    A missing bond keeps a thousandth, which the cohesive law needs: it opens under any load.
    """
    return np.where(bonded, 1 - pore_fraction, constants.unbonded)
