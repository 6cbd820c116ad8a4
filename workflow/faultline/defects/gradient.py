"""Composition that varies with depth below the surface: gradient particles, cores in a like shell."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from faultline.config.models import GradientSettings
from faultline.microstructure import CORE, GRAIN_BOUNDARY, SHELL_BOND, Particle

Array = NDArray[np.float64]


def surface_share(particle: Particle, points: Array, settings: GradientSettings) -> Array:
    """(n,) 1 at the active material's surface and 0 from `depth` on, at points (n, 2) (m) in it.

    `linear` falls evenly, `step` at once. Depth is that below the nearest face, to half of its length.
    """
    bond = particle.interface_kind == SHELL_BOND
    face = particle.interface_midpoint[bond] if bond.any() else particle.surface_midpoint
    depth, _ = KDTree(face).query(points)
    if settings.profile == "step":
        return np.where(depth < settings.depth, 1.0, 0.0)
    return np.clip(1 - depth / settings.depth, 0.0, 1.0)


def gradient_shift(particle: Particle, settings: GradientSettings | None) -> Array:
    """(n_cells,) deviation of the alkali content; the core of the particle has none, and a shell has none."""
    if settings is None:
        return np.zeros(particle.n_cells)
    share = surface_share(particle, particle.cell_centroid, settings)
    return settings.surface * np.where(particle.region == CORE, share, 0.0)


def gradient_factor(particle: Particle, settings: GradientSettings | None) -> Array:
    """Factor (n_interfaces,) on strength and toughness of the grain boundaries: `strength` at the surface."""
    if settings is None:
        return np.ones(particle.n_interfaces)
    share = surface_share(particle, particle.interface_midpoint, settings)
    at_boundary = particle.interface_kind == GRAIN_BOUNDARY
    return np.where(at_boundary, 1 + (settings.strength - 1) * share, 1.0)
