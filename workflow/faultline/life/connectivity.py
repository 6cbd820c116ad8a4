"""Which parts of a cracked particle still exchange electrons and ions: two graphs of its blocks.

Electrons reach a block from the conductive additive on the outer surface, through contacts that hold or
touch. Ions reach it from the electrolyte on the outer surface and in wetted cracks, through contacts that
hold, and through those that touch if these let any pass. A block is active if both do.

A section shows too many parts as isolated, since most of them hang on neighbours above or below it. Each
block is therefore joined to the conducting network out of the plane with the probability `third_dimension`;
which blocks these are is drawn once, so that it stays the same for life.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from faultline.microstructure.particle import CORE, Particle

NEGLIGIBLE = 1e-4  # conductance of a contact, over a sound one, that counts as none

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ContactSettings:
    """What counts as a contact between two blocks.

    Attributes:
        third_dimension: probability that a block has electronic contact out of the plane of the section,
            0 to 1. An estimate: nothing in a section can tell it.
        closed_opening: opening below which the faces of a failed contact touch, m.
        closed_conductance: conductance of a failed contact that touches, over that of a sound one; an
            estimate.
        film_decay: film between touching faces by which their conductance falls to 1/e, m; an estimate.
        failed_damage: damage from which nothing holds.
        ions_cross: whether ions pass where the faces of a failed contact touch.
    """

    third_dimension: float
    closed_opening: float
    closed_conductance: float
    film_decay: float
    failed_damage: float
    ions_cross: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("third_dimension", "closed_conductance", "failed_damage"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.film_decay <= 0:
            raise ValueError(f"film_decay must be positive, got {self.film_decay}")


@dataclass(frozen=True)
class Connectivity:
    """What each block can exchange.

    Attributes:
        electronic: (n_blocks,) whether electrons reach it.
        ionic: (n_blocks,) whether ions reach it.
        contact_length: (n_blocks,) m, length of a single sound contact with the conductance of all paths to
            the outer surface together; 0 where there is none.
    """

    electronic: Bools
    ionic: Bools
    contact_length: Floats

    @property
    def active(self) -> Bools:
        """(n_blocks,) whether a block can take part in cycling."""
        return self.electronic & self.ionic


def connectivity(
    particle: Particle,
    damage: ArrayLike,
    opening: ArrayLike,
    wetted: ArrayLike,
    supported: ArrayLike,
    settings: ContactSettings,
    film: ArrayLike = 0.0,
) -> Connectivity:
    """Trace both graphs.

    Args:
        particle: the section.
        damage: (n_interfaces,) or (n_interfaces, 2), by face or by the two halves of each.
        opening: the same for the opening, m.
        wetted: (n_interfaces,) bool, filled with electrolyte.
        supported: (n_blocks,) bool, joined to the network out of the plane; see `supported_blocks`.
        settings: what counts as a contact.
        film: (n_interfaces,) or a number, of electrons' insulators between the two sides of a face, m.
    """
    conductance = contact_conductance(particle, damage, opening, settings, film)
    outer = surface_length(particle)
    hold, touched = np.asarray(supported, bool), _touching(particle, np.asarray(wetted, bool))
    at_surface = np.greater(outer, 0)
    # A block that hangs on its neighbours above and below does so by about as much as it does in the plane.
    to_network = outer + np.where(hold, settings.third_dimension * perimeter(particle), 0.0)
    electronic = _reached(particle, np.greater(conductance, 0), at_surface | hold)
    passes: Bools = np.any(_halves(particle, damage) < settings.failed_damage, axis=1)
    if settings.ions_cross:
        passes = passes | np.any(_halves(particle, opening) <= settings.closed_opening, axis=1)
    ionic = _reached(particle, passes, at_surface | touched)
    length = np.zeros(particle.n_blocks)
    length[electronic] = _path_conductance(
        particle, conductance * particle.interface_length, to_network, electronic
    )
    return Connectivity(electronic, ionic, length)


def contact_conductance(
    particle: Particle,
    damage: ArrayLike,
    opening: ArrayLike,
    settings: ContactSettings,
    film: ArrayLike = 0.0,
) -> Floats:
    """(n_interfaces,) conductance of each contact over that of a sound one.

    What still holds conducts by the part 1 - D of its area; what has failed conducts where it touches, by
    exp(-film / decay) the less for the films that grew on its faces while it was open.
    """
    spent = _halves(particle, damage)
    bonded = np.where(spent < settings.failed_damage, 1 - spent, 0.0)
    touches = _halves(particle, opening) <= settings.closed_opening
    through = settings.closed_conductance * np.exp(-np.asarray(film, dtype=float) / settings.film_decay)
    through = np.where(through < NEGLIGIBLE, 0.0, through)
    return np.maximum(bonded, np.broadcast_to(through, len(touches))[:, None] * touches).mean(axis=1)


def supported_blocks(n_blocks: int, third_dimension: float, seed: int) -> Bools:
    """(n_blocks,) blocks with a contact out of the plane; a larger probability only adds to them."""
    return np.random.default_rng(seed).random(n_blocks) < third_dimension


def active_cells(particle: Particle, active: ArrayLike) -> Bools:
    """(n_cells,) cells of the active blocks (n_blocks,)."""
    return np.asarray(active, bool)[particle.block]


def isolated_share(particle: Particle, active: ArrayLike) -> float:
    """Area share of the storing material whose block is not active (n_blocks,)."""
    core = particle.region == CORE
    area = particle.cell_area * core
    return float(area @ ~active_cells(particle, active) / area.sum())


def surface_length(particle: Particle) -> Floats:
    """(n_blocks,) length of each block's share of the outer surface, m."""
    owner = particle.block[particle.surface_cells]
    return np.asarray(np.bincount(owner, particle.surface_length, particle.n_blocks), dtype=float)


def perimeter(particle: Particle) -> Floats:
    """(n_blocks,) length of each block's contacts to others, m."""
    sides = particle.block[particle.interface_cells].ravel()
    length = np.repeat(particle.interface_length, 2)
    return np.asarray(np.bincount(sides, length, particle.n_blocks), dtype=float)


def _halves(particle: Particle, values: ArrayLike) -> Floats:
    """(n_interfaces, 2) values of both halves of each face."""
    given = np.asarray(values, dtype=float)
    return np.broadcast_to(given[:, None] if given.ndim == 1 else given, (particle.n_interfaces, 2))


def _touching(particle: Particle, faces: Bools) -> Bools:
    """(n_blocks,) blocks on either side of the chosen faces (n_interfaces,)."""
    found = np.zeros(particle.n_blocks, bool)
    found[particle.block[particle.interface_cells[faces]].ravel()] = True
    return found


def _reached(particle: Particle, linked: Bools, from_outside: Bools) -> Bools:
    """(n_blocks,) blocks that linked contacts (n_interfaces,) join to those reached from outside."""
    pairs = particle.block[particle.interface_cells[linked]]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(particle.n_blocks,) * 2)
    label = connected_components(graph, directed=False)[1]
    return np.isin(label, label[from_outside])


def _path_conductance(particle: Particle, link: Floats, to_network: Floats, connected: Bools) -> Floats:
    """Conductance (m) of all paths from each connected block to the network in parallel.

    The reciprocal of the diagonal of the inverse of the grounded Laplacian (effective resistance; Doyle and
    Snell, Random walks and electric networks, 1984). Rayleigh's law holds: no link removed ever raises it.
    """
    if not connected.any():
        return np.zeros(0)
    number = np.cumsum(connected) - 1
    blocks = particle.block[particle.interface_cells]
    used = (link > 0) & connected[blocks].all(axis=1)
    first, second = number[blocks[used]].T
    n = int(connected.sum())
    off = coo_array((link[used], (first, second)), shape=(n, n)).tocsc()
    off = off + off.T
    laplacian = csc_array(diags_array(off.sum(axis=1) + to_network[connected]) - off)
    factor = splu(laplacian)
    resistance = np.empty(n)
    edges = np.append(np.arange(0, n, 256), n)  # a few columns of the inverse at a time
    for start, stop in pairwise(edges):
        column = np.arange(start, stop)
        unit = np.zeros((n, len(column)))
        unit[column, np.arange(len(column))] = 1.0
        resistance[column] = factor.solve(unit)[column, np.arange(len(column))]
    return 1 / resistance
