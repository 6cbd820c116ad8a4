"""Which crack faces the electrolyte reaches: a search along open cracks from the surface."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from faultline.microstructure import Particle

Bools = NDArray[np.bool_]


def wetted_interfaces(
    particle: Particle, failed: Bools, opening: NDArray[np.float64], capillary_opening: float
) -> Bools:
    """(n_interfaces,) whether a crack face is filled.

    A face lets electrolyte pass if it has failed and opens by at least `capillary_opening` (m); it is
    filled if a chain of such faces, sharing vertices, leads to the outer surface.
    """
    passable = failed & (opening >= capillary_opening)
    label = _labels(particle, passable)
    from_outside = np.isin(label, label[np.unique(particle.surface_faces)])
    return passable & from_outside[particle.interface_faces[:, 0]]


def wetted_vertices(particle: Particle, wetted: Bools) -> Bools:
    """(n_vertices,) whether a vertex touches electrolyte: on the outer surface or on a filled crack."""
    touched = np.zeros(particle.n_vertices, dtype=bool)
    touched[particle.surface_faces.ravel()] = True
    touched[particle.interface_faces[wetted].ravel()] = True
    return touched


def _labels(particle: Particle, passable: Bools) -> NDArray[np.int32]:
    start, end = particle.interface_faces[passable].T
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(particle.n_vertices,) * 2)
    return connected_components(graph, directed=False)[1]
