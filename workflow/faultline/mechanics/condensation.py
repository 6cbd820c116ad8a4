"""Static condensation of every elastic block onto the nodes of its interfaces."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

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


def condense_elasticity(mesh: SplitMesh, elasticity: PlaneElasticity) -> CondensedBlocks:
    """Eliminate the interior of every block; see `condense`."""
    components = elasticity.components
    body = connected_bodies(len(mesh.nodes), mesh.triangles)
    interface, interior = _partition(mesh, body, components)
    dof_body = np.repeat(body, components)
    bodies = np.arange(body.max() + 2)
    start = np.searchsorted(dof_body[interface], bodies)
    interior_start = np.searchsorted(dof_body[interior], bodies)

    matrix, coupling = elasticity.matrix, elasticity.axial_coupling
    outer = matrix[interface][:, interface]
    mixed = matrix[interior][:, interface]
    inner = matrix[interior][:, interior]
    schur, axial_coupling = [], coupling[interface].copy()
    axial_stiffness = elasticity.axial_stiffness
    for i, j, k, m in zip(start[:-1], start[1:], interior_start[:-1], interior_start[1:], strict=True):
        block = outer[i:j, i:j].toarray()
        if m > k:
            border, axial = mixed[k:m, i:j].toarray(), coupling[interior[k:m]]
            response = factorise(inner[k:m, k:m]).solve(np.column_stack([border, axial]))
            block -= border.T @ response[:, :-1]
            axial_coupling[i:j] -= border.T @ response[:, -1]
            axial_stiffness -= axial @ response[:, -1]
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
        parts = np.split(flat, np.cumsum([k * w * w for k, w in self._shapes]))
        return [part.reshape(k, w, w) for part, (k, w) in zip(parts, self._shapes, strict=False)]

    def product(self, stacks: list[Floats], vector: Floats) -> Floats:
        """Block-diagonal matrix times a padded vector."""
        out, first = np.empty_like(vector), 0
        for stack in stacks:
            last = first + stack.shape[0] * stack.shape[1]
            shape = (*stack.shape[:2], 1)
            np.matmul(stack, vector[first:last].reshape(shape), out=out[first:last].reshape(shape))
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
