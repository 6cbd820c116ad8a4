"""Which crack faces the electrolyte reaches, and how far ahead of it sound boundaries are attacked."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra

from faultline.microstructure import CORE, Particle
from faultline.microstructure.particle import GRAIN_BOUNDARY
from faultline.transport.surface import ReactingFaces, outer_surface

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.integer]


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


def vertex_wet_time(particle: Particle, wet_time: Floats, age: float) -> Floats:
    """(n_vertices,) s that each vertex has touched electrolyte, the longest; NaN where it never did.

    Args:
        particle: the section.
        wet_time: (n_interfaces,) s that each crack has been filled, NaN where it is not.
        age: s that the outer surface has been wet.
    """
    found = np.full(particle.n_vertices, -np.inf)
    found[particle.surface_faces.ravel()] = age
    wetted = np.isfinite(wet_time)
    np.maximum.at(found, particle.interface_faces[wetted].ravel(), np.repeat(wet_time[wetted], 2))
    return np.where(found >= 0, found, np.nan)


def attack_reach(particle: Particle, reach: Floats) -> tuple[Floats, Ints]:
    """How far the attack goes on from each vertex, max_v (r_v - distance to v) in m, and the v it comes from.

    Distances run along grain boundaries. One search finds the maximum: it starts at a point that lies
    r_max - r_v from every wet vertex v.

    Args:
        particle: the section.
        reach: (n_vertices,) r_v, m, how far each wet vertex sends it; NaN at dry ones.

    Returns:
        (n_vertices,) m, and (n_vertices,) numbers of wet vertices; any number where nothing comes.
    """
    origin, wet = particle.n_vertices, np.flatnonzero(np.isfinite(reach))
    farthest = float(reach[wet].max(initial=0.0))
    along = particle.interface_kind == GRAIN_BOUNDARY
    start, end = particle.interface_faces[along].T
    ways = np.concatenate([particle.interface_length[along], farthest - reach[wet]])
    ends = np.concatenate([start, np.full(len(wet), origin)]), np.concatenate([end, wet])
    network = coo_array((ways, ends), shape=(origin + 1,) * 2)
    away, before = dijkstra(network, directed=False, indices=origin, limit=farthest, return_predecessors=True)
    return np.maximum(farthest - away[:origin], 0.0), _first_on_the_way(before[:origin], origin)


def _first_on_the_way(before: Ints, origin: int) -> Ints:
    """(n_vertices,) first vertex after `origin` on the way to each, from the last one `before` each."""
    own = np.arange(len(before))
    first = np.where((before == origin) | (before < 0), own, before)
    while True:  # twice as far back each time
        farther = first[first]
        if np.array_equal(farther, first):
            return first
        first = farther


class Attack(NamedTuple):
    """Share (n_interfaces,) of each face's length, and vertex (n_interfaces,) that it comes from."""

    share: Floats
    source: Ints


def attacked(particle: Particle, wet_time: Floats, age: float, diffusivity: float) -> Attack:
    """What electrolyte attacks of each face: all of a filled one, and sound boundaries ahead of it.

    Along sound grain boundaries the attack gets ahead of a wet vertex by sqrt(D t) in the time t that this
    has been wet. Both ends of a face add up. The mesh does not change the attacked length. Basal planes and
    the bond to a shell are no fast paths, as in moist gas: they are attacked where they are filled.

    Args:
        particle: the section.
        wet_time, age: s, as in `vertex_wet_time`.
        diffusivity: D along the boundaries, m2/s.
    """
    root = np.sqrt(diffusivity * vertex_wet_time(particle, wet_time, age))
    reach, source = attack_reach(particle, root)
    ends = reach[particle.interface_faces]
    both = np.minimum(ends.sum(axis=1) / particle.interface_length, 1.0)
    sound = np.where(particle.interface_kind == GRAIN_BOUNDARY, both, 0.0)
    stronger = particle.interface_faces[np.arange(len(ends)), ends.argmax(axis=1)]
    return Attack(np.where(np.isfinite(wet_time), 1.0, sound), source[stronger])


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
