"""Which crack faces the electrolyte reaches: a search along open cracks from the surface."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra

from faultline.microstructure import CORE, Particle
from faultline.transport.surface import ReactingFaces, outer_surface

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


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


def exposed_share(particle: Particle, wetted: Bools, reach: float) -> Floats:
    """(n_interfaces,) share of each face's length that electrolyte attacks; 1 where the face is filled.

    Along sound interfaces the attack gets ahead by `reach` (m), counted along their network from the outer
    surface and from filled cracks. Both ends of a face add up. The mesh does not change the exposed length.
    """
    touched = np.flatnonzero(wetted_vertices(particle, wetted))
    start, end = particle.interface_faces.T
    network = coo_array((particle.interface_length, (start, end)), shape=(particle.n_vertices,) * 2)
    away = dijkstra(network, directed=False, indices=touched, min_only=True, limit=reach)
    ahead = np.maximum(reach - away[particle.interface_faces], 0).sum(axis=1)
    return np.where(wetted, 1.0, np.minimum(ahead / particle.interface_length, 1.0))


def wetted_sides(particle: Particle, wetted: Bools) -> Bools:
    """(n_interfaces, 2) minus and plus sides of filled cracks that are oxide; a shell does not react."""
    return wetted[:, None] & (particle.region[particle.interface_cells] == CORE)


def reacting_faces(
    particle: Particle, sides: Bools, film_resistance: Floats, interface_resistance: Floats
) -> ReactingFaces:
    """The outer surface and, after it, the wet minus and then the wet plus sides of cracks.

    Args:
        particle: the section.
        sides: (n_interfaces, 2) from `wetted_sides`.
        film_resistance: (n_surface,) ohm m2.
        interface_resistance: (n_interfaces,) of one side, ohm m2.
    """
    outside = outer_surface(particle, film_resistance)
    parts = [(outside.cell, outside.length, outside.distance, outside.normal, outside.film_resistance)]
    for side, sign in enumerate((1.0, -1.0)):
        wet = sides[:, side]
        cell, normal = particle.interface_cells[wet, side], sign * particle.interface_normal[wet]
        offset = particle.interface_midpoint[wet] - particle.cell_centroid[cell]
        distance = np.einsum("ij,ij->i", offset, normal)
        parts.append((cell, particle.interface_length[wet], distance, normal, interface_resistance[wet]))
    return ReactingFaces(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _labels(particle: Particle, passable: Bools) -> NDArray[np.int32]:
    start, end = particle.interface_faces[passable].T
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(particle.n_vertices,) * 2)
    return connected_components(graph, directed=False)[1]
