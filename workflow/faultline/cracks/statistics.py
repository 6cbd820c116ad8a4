"""What an observer would count on a cracked section.

Damage may be given by interface, (n_interfaces,), or at both its ends, (n_interfaces, 2): an end stands for
half of the face, as in the nodal integration of the cohesive law.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.cracks.law import Floats, Ints
from faultline.microstructure.particle import Particle

FAILED_DAMAGE = 0.99
SMALLEST_MOVE = 1e-6  # of the mean site fraction; less is rest

Bools = NDArray[np.bool_]


def failed_ends(particle: Particle, damage: ArrayLike, threshold: float = FAILED_DAMAGE) -> Bools:
    """Return (n_interfaces, 2) whether each half of a face has failed."""
    values = np.asarray(damage, dtype=float)
    if values.ndim == 1:
        values = values[:, None]
    return np.broadcast_to(values >= threshold, (particle.n_interfaces, 2))


def failed_length(
    particle: Particle, damage: ArrayLike, kind: int | None = None, threshold: float = FAILED_DAMAGE
) -> float:
    """Return the failed length, m, of all interfaces or of one kind."""
    return float(_half_lengths(particle, kind).ravel() @ failed_ends(particle, damage, threshold).ravel())


def failed_fraction(
    particle: Particle, damage: ArrayLike, kind: int | None = None, threshold: float = FAILED_DAMAGE
) -> float:
    """Return the failed part of the interface length, of all or of one kind; 0 if there is none."""
    total = float(_half_lengths(particle, kind).sum())
    return failed_length(particle, damage, kind, threshold) / total if total > 0 else 0.0


def opening_area(particle: Particle, jump: Floats) -> float:
    """Return the crack area, m2: the integral of the positive part of the opening `jump[..., 0]`.

    Args:
        particle: the section.
        jump: (n_interfaces, 2, 3), m.
    """
    return float((_half_lengths(particle, None) * np.maximum(jump[..., 0], 0)).sum())


def surface_connected(particle: Particle, damage: ArrayLike, threshold: float = FAILED_DAMAGE) -> Bools:
    """Return (n_interfaces, 2) the failed halves that failed faces join to the outer surface."""
    failed = failed_ends(particle, damage, threshold)
    vertices, faces = particle.n_vertices, particle.n_interfaces
    face, end = np.nonzero(failed)
    nodes = vertices + faces + 1
    outside = nodes - 1
    surface = np.unique(particle.surface_faces)
    start = np.concatenate([particle.interface_faces[face, end], surface])
    stop = np.concatenate([vertices + face, np.full(len(surface), outside)])
    label = _labels(nodes, start, stop)
    connected = failed.copy()
    connected[face, end] = label[vertices + face] == label[outside]
    return connected


def surface_connected_length(
    particle: Particle, damage: ArrayLike, threshold: float = FAILED_DAMAGE
) -> float:
    """Return the failed length that is joined to the outer surface, m."""
    return float(_half_lengths(particle, None)[surface_connected(particle, damage, threshold)].sum())


def fragment_of_block(particle: Particle, damage: ArrayLike, threshold: float = FAILED_DAMAGE) -> Ints:
    """Return the fragment (n_blocks,) of each block: blocks are together while a face between them holds."""
    holds = ~failed_ends(particle, damage, threshold).all(axis=1)
    pairs = particle.block[particle.interface_cells[holds]]
    return _labels(particle.n_blocks, pairs[:, 0], pairs[:, 1])


def fragments(particle: Particle, damage: ArrayLike, threshold: float = FAILED_DAMAGE) -> int:
    """Return the number of separate pieces."""
    return int(fragment_of_block(particle, damage, threshold).max()) + 1


def first_crack(failed_fractions: ArrayLike, smallest: float = 0.0) -> int | None:
    """Return the first index of a series (n_frames,) above `smallest`, None if nothing fails."""
    above = np.flatnonzero(np.asarray(failed_fractions) > smallest)
    return int(above[0]) if len(above) else None


def cycle_ends(site_fraction: ArrayLike) -> Ints:
    """Return the frames (n_cycles,) at which a discharge ends, from the mean site fraction (n_frames,)."""
    step = np.diff(np.asarray(site_fraction, dtype=float))
    moving = np.flatnonzero(np.abs(step) > SMALLEST_MOVE)
    discharge = step[moving] > 0
    last = discharge & ~np.append(discharge[1:], False)
    return (moving[last] + 1).astype(np.int64)


def growth_acceleration(damage: ArrayLike) -> float:
    """Return late over early growth per cycle of damage (n_cycles,) at the ends of cycles, in any unit.

    Mean damage grows steadily where the failed fraction grows by whole faces. Growth is counted from the end
    of cycle 1, whose cracks are those of a pristine particle. Early and late are the first and the last third
    of the cycles after it; above 1 damage speeds up, below 1 it dies down. NaN for fewer than four cycles or
    where nothing grew, infinite where growth came late only.
    """
    growth = np.diff(np.asarray(damage, dtype=float))
    third = len(growth) // 3
    if third == 0:
        return float("nan")
    early, late = float(growth[:third].mean()), float(growth[-third:].mean())
    if early <= 0:
        return float("inf") if late > 0 else float("nan")
    return late / early


def _half_lengths(particle: Particle, kind: int | None) -> Floats:
    chosen = True if kind is None else particle.interface_kind == kind
    return np.repeat(np.where(chosen, particle.interface_length / 2, 0.0)[:, None], 2, axis=1)


def _labels(n: int, start: Ints, stop: Ints) -> Ints:
    from scipy.sparse import coo_array  # slow to import, and most who count do not need it
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(start), dtype=bool), (start, stop)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)
