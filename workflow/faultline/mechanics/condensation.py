"""Static condensation of every elastic block onto the nodes of its interfaces.

On the host each block is solved by sparse factors. On a device blocks of like size are stacked and solved as
dense matrices in one call: more arithmetic, n^3 in place of some n^1.5, but of the kind a device is made for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from faultline.backend import Backend, current
from faultline.mechanics.bonded import factorise
from faultline.mechanics.plane import (
    Floats,
    Ints,
    PlaneElasticity,
    connected_bodies,
    displacement_components,
    plane_elasticity,
    statically_determinate_supports,
    surface_film,
)
from faultline.microstructure.particle import Particle, SplitMesh, split

MOST_ENTRIES = 2**27  # of stacked matrices in one call: 1 GB


@dataclass(frozen=True)
class CondensedBlocks:
    """Elasticity of all blocks seen from their interfaces: plain arrays, ready to be stored.

    Blocks are numbered by the connectivity of the split mesh. The interface unknowns are ordered by block, so
    that block b owns `start[b]:start[b + 1]` of them.

    Attributes:
        components: displacement components per node, 2 or 3.
        start: (n_blocks + 1,) first interface unknown of each block.
        interface_dofs: (n_unknowns,) their dofs in the split mesh.
        interior_dofs: (n_interior,) eliminated dofs, ordered by block. A block without interfaces lacks those
            that hold it in place.
        schur: (sum of squared sizes,) dense Schur complements K_II - K_IN K_NN^-1 K_NI, row by row, N/m2.
        axial_coupling: (n_unknowns,) condensed forces of a unit axial strain, N/m.
        axial_stiffness: condensed axial stiffness, N.
    """

    components: int
    start: Ints
    interface_dofs: Ints
    interior_dofs: Ints
    schur: Floats
    axial_coupling: Floats
    axial_stiffness: float


def split_elasticity(
    particle: Particle,
    mesh: SplitMesh,
    stiffness: Floats,
    components: int | None = None,
    film: Floats | None = None,
) -> PlaneElasticity:
    """Return the elasticity of the blocks on their own nodes; `components` and `film` as in `BondedSolid`.

    Each block carries its own piece of the film: pieces pull at each other through the end of the interface
    between them, and where that opens to the surface the film is broken as well.
    """
    components = components or displacement_components(stiffness, particle.cell_orientation)
    pieces = surface_film(mesh.nodes, mesh.surface_nodes, film, components)
    return plane_elasticity(mesh.nodes, mesh.triangles, particle.cell_area, stiffness, components, pieces)


def condense(
    particle: Particle, stiffness: Floats, components: int | None = None, film: Floats | None = None
) -> CondensedBlocks:
    """Eliminate the interior of every block of a particle with `stiffness` (n_cells, 6, 6), Pa."""
    mesh = split(particle)
    return condense_elasticity(mesh, split_elasticity(particle, mesh, stiffness, components, film))


def condense_elasticity(
    mesh: SplitMesh, elasticity: PlaneElasticity, backend: Backend | None = None
) -> CondensedBlocks:
    """Eliminate the interior of every block, by default on the backend of the process; see `condense`."""
    backend = backend or current()
    components = elasticity.components
    body = connected_bodies(len(mesh.nodes), mesh.triangles)
    interface, interior = _partition(mesh, body, components)
    dof_body = np.repeat(body, components)
    bodies = np.arange(body.max() + 2)
    start = np.searchsorted(dof_body[interface], bodies)
    interior_start = np.searchsorted(dof_body[interior], bodies)

    matrix, coupling = elasticity.matrix, elasticity.axial_coupling
    outer = matrix[interface][:, interface]
    inner = _Interior(
        matrix[interior][:, interior],
        matrix[interior][:, interface],
        coupling[interior],
        interior_start,
        start,
    )
    reductions = sparse_reductions(inner) if backend.on_host else dense_reductions(inner, backend)
    schur, axial_coupling = [], coupling[interface].copy()
    axial_stiffness = elasticity.axial_stiffness
    for (i, j), less in zip(pairwise(start), reductions, strict=True):
        block = outer[i:j, i:j].toarray() - less[:-1, :-1]
        axial_coupling[i:j] -= less[:-1, -1]
        axial_stiffness -= less[-1, -1]
        schur.append(((block + block.T) / 2).ravel())
    return CondensedBlocks(
        components=components,
        start=start,
        interface_dofs=interface,
        interior_dofs=interior,
        schur=np.concatenate(schur),
        axial_coupling=axial_coupling,
        axial_stiffness=float(axial_stiffness),
    )


@dataclass(frozen=True)
class _Interior:
    """What is eliminated, ordered by block; `start` and `interface_start` are the first rows and columns.

    Attributes:
        matrix: (n_interior, n_interior) K_NN.
        mixed: (n_interior, n_unknowns) K_NI.
        axial: (n_interior,) forces of a unit axial strain.
        start, interface_start: (n_blocks + 1,).
    """

    matrix: sp.csr_array
    mixed: sp.csr_array
    axial: Floats
    start: Ints
    interface_start: Ints


def sparse_reductions(inner: _Interior) -> Iterator[Floats]:
    """Yield B^T K_NN^-1 B (w + 1, w + 1) of every block, B being K_NI and the axial forces beside it."""
    for (i, j), (k, m) in zip(pairwise(inner.interface_start), pairwise(inner.start), strict=True):
        border = np.column_stack([inner.mixed[k:m, i:j].toarray(), inner.axial[k:m]])
        yield border.T @ factorise(inner.matrix[k:m, k:m]).solve(border) if m > k else border.T @ border


def dense_reductions(inner: _Interior, backend: Backend) -> list[Floats]:
    """Return the same as `sparse_reductions`, by dense solves of blocks stacked on a backend."""
    put, size, width = backend.put, np.diff(inner.start), np.diff(inner.interface_start)
    found = [np.zeros((w + 1, w + 1)) for w in width]
    for blocks in _alike(size):
        n, w, count = int(size[blocks].max()), int(width[blocks].max()), len(blocks)
        slot = np.repeat(np.arange(count), size[blocks])
        rows = np.concatenate([np.arange(inner.start[b], inner.start[b + 1]) for b in blocks])
        local = rows - inner.start[blocks][slot]
        stack, border = backend.numpy.zeros((count, n, n)), backend.numpy.zeros((count, n, w + 1))
        for dense, sparse, first in (
            (stack, inner.matrix, inner.start),
            (border, inner.mixed, inner.interface_start),
        ):
            part = sparse[rows].tocoo()
            place = slot[part.row], local[part.row], part.col - first[blocks][slot[part.row]]
            dense[tuple(map(put, place))] = put(part.data)
        border[put(slot), put(local), w] = put(inner.axial[rows])
        one, beyond = map(put, np.nonzero(np.arange(n) >= size[blocks][:, None]))
        stack[one, beyond, beyond] = 1.0
        less = backend.get(border.transpose(0, 2, 1) @ np.linalg.solve(stack, border))
        for b, matrix in zip(blocks, less, strict=True):
            kept = np.append(np.arange(width[b]), w)
            found[b] = matrix[np.ix_(kept, kept)]
    return found


def _alike(size: Ints) -> Iterator[Ints]:
    """Yield groups of blocks of like size, none with more than MOST_ENTRIES in its padded matrices."""
    for members in BlockStacks(np.concatenate([[0], np.cumsum(size)])).members:
        share = max(1, MOST_ENTRIES // int(size[members].max()) ** 2)
        yield from np.split(members, np.arange(share, len(members), share))


class BlockStacks:
    """Blocks of like size stacked, each padded to the widest of its stack: one batched product per stack.

    A padded vector holds one stack after the other; its entries beyond a block are zero.

    Args:
        start: (n_blocks + 1,) first interface unknown of each block.

    Attributes:
        size: length of padded vectors.
        place: (n_unknowns,) position of every interface unknown in them.
        block: (size,) block of every position.
    """

    SPREAD = 1.25  # widest over narrowest block of one stack

    def __init__(self, start: Ints) -> None:
        width = np.diff(start)
        order = np.argsort(width, kind="stable")
        cuts = [int(np.searchsorted(width[order], 1))]
        while cuts[-1] < len(order):
            widest = self.SPREAD * width[order[cuts[-1]]]
            cuts.append(int(np.searchsorted(width[order], widest, side="right")))
        shapes = [(j - i, int(width[order[j - 1]])) for i, j in pairwise(cuts)]
        used, stride = order[cuts[0] :], np.repeat([w for _, w in shapes], [k for k, _ in shapes]).astype(int)
        first = np.zeros(len(width), dtype=np.int64)
        first[used] = np.cumsum(stride) - stride
        self.size = int(stride.sum())
        self.block: Ints = np.repeat(used, stride)
        self.place: Ints = np.repeat(first - start[:-1], width) + np.arange(start[-1])
        row_length = np.repeat(stride, stride)
        self._row = np.cumsum(row_length) - row_length - first[self.block]
        self.members = [order[i:j] for i, j in pairwise(cuts)]
        self._width, self._shapes = width, shapes

    def entry(self, row: Ints, column: Ints) -> Ints:
        """Positions in the flat stacks of entries at padded rows and columns that share a block."""
        return np.asarray(self._row[row] + column)

    def fill(self, values: Floats) -> Floats:
        """Flat stacks of `values` laid out like `CondensedBlocks.schur`; zero beyond the blocks."""
        flat = np.zeros(sum(k * w * w for k, w in self._shapes))
        blocks = np.split(values, np.cumsum(self._width**2))
        for stack, members in zip(self.split(flat), self.members, strict=True):
            for padded, block in zip(stack, members, strict=True):
                width = self._width[block]
                padded[:width, :width] = blocks[block].reshape(width, width)
        return flat

    def split(self, flat: Floats) -> list[Floats]:
        """Views (count, width, width) of flat stacks."""
        ends = np.cumsum([0, *(k * w * w for k, w in self._shapes)])
        return [
            flat[i:j].reshape(k, w, w) for (i, j), (k, w) in zip(pairwise(ends), self._shapes, strict=True)
        ]

    def product(self, stacks: list[Floats], vector: Floats) -> Floats:
        """Block-diagonal matrix times a padded vector."""
        out, first = np.empty_like(vector), 0
        for stack in stacks:
            last = first + stack.shape[0] * stack.shape[1]
            out[first:last] = (stack @ vector[first:last].reshape(*stack.shape[:2], 1)).ravel()
            first = last
        return out


def _partition(mesh: SplitMesh, body: Ints, components: int) -> tuple[Ints, Ints]:
    """Return interface and interior dofs, both ordered by block; blocks without interfaces get supports."""
    touched = np.zeros(len(mesh.nodes), dtype=bool)
    touched[mesh.interface_nodes] = True
    order = np.argsort(body, kind="stable")
    by_dof = (order[:, None] * components + np.arange(components)).ravel()
    on_interface = np.repeat(touched, components)
    held = np.zeros(len(on_interface), dtype=bool)
    for loose in np.setdiff1d(body, body[touched]):
        members = np.flatnonzero(body == loose)
        supports = statically_determinate_supports(mesh.nodes[members], components)
        held[members[supports // components] * components + supports % components] = True
    return by_dof[on_interface[by_dof]], by_dof[~on_interface[by_dof] & ~held[by_dof]]
