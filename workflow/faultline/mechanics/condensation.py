"""Static condensation of every elastic block onto the nodes of its interfaces."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

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


def schur_matrix(blocks: CondensedBlocks, values: Floats | None = None) -> sp.csr_array:
    """Return the block-diagonal matrix (n_unknowns, n_unknowns) of `values` laid out like `blocks.schur`."""
    size = np.diff(blocks.start)
    row_length = np.repeat(size, size)
    indptr = np.concatenate([[0], np.cumsum(row_length)])
    first = np.repeat(blocks.start[:-1], size)
    indices = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - first, row_length)
    data = blocks.schur if values is None else values
    return sp.csr_array((data, indices, indptr), shape=(len(row_length), len(row_length)))


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
