"""First-cycle activation: what the misfits of a cycle leave of dislocations and stacking faults.

Where neighbouring regions change their lattice by different amounts, at grain boundaries, at phase fronts or
along gradients, dislocations must make up for what elasticity does not. A part of them stays when the misfit
has gone. So defects multiply while the mean lattice parameters come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.spatial import KDTree

from faultline.config.estimates import DefectConstants
from faultline.config.models import DefectSettings
from faultline.defects.generate import Defects, dislocation_strain, residual_strain
from faultline.defects.weakness import dislocation_factor, fault_factor
from faultline.microstructure import CORE, GRAIN_BOUNDARY, SHELL_BOND, Particle
from faultline.microstructure.particle import cell_faces

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Misfit:
    """The largest misfit of every cell over a block of cycles.

    Attributes:
        density: (n_cells,) 1/m2, dislocations that would make up for all of it.
        frame: (n_cells,) the frame at which it was largest.
    """

    density: Array
    frame: NDArray[np.int64]


def activate(
    particle: Particle,
    before: Defects,
    misfit: Misfit,
    settings: DefectSettings,
    seed: int,
    retained_share: float | None = None,
    constants: DefectConstants | None = None,
) -> Defects:
    """Defects after a block of cycles.

    A share of the misfit's dislocations stays. They add to the residual strain, as a random field of their
    own RMS, and leave faults behind: of a layer spacing d and a faulted length L each, a density rho faults
    the share rho d L of the layers. Strength falls by both; the density that counts
    is the mean within the correlation length, since that of a cell at a boundary grows as cells shrink.

    Args:
        particle: the section.
        before: defects when the block starts.
        misfit: of the block.
        settings: correlation length of the new strain, over which the density is spread as well.
        seed: of the new strain.
        retained_share: of the misfit's dislocations; by default the estimate.
        constants: estimates.
    """
    c = constants or DefectConstants()
    share = c.retained_share if retained_share is None else retained_share
    added = share * misfit.density
    density = before.dislocation_density + added
    faulted = np.minimum(_grain_means(particle, added) * c.layer_spacing * c.faulted_length, 1.0)
    faults = 1 - (1 - before.stacking_fault_probability) * (1 - faulted)
    rng = np.random.default_rng([seed, 1])  # not the field that synthesis left
    length = settings.microstrain.correlation_length
    earlier, later = (_spread(particle, each, length) for each in (before.dislocation_density, density))
    weaker = (
        dislocation_factor(particle, later, c)
        * fault_factor(particle, faults, c)
        / dislocation_factor(particle, earlier, c)
        / fault_factor(particle, before.stacking_fault_probability, c)
    )
    return replace(
        before,
        residual_strain=before.residual_strain
        + residual_strain(particle, dislocation_strain(added, c), length, rng),
        dislocation_density=density,
        stacking_fault_probability=faults,
        strength_factor=before.strength_factor * weaker,
    )


def largest_misfit(particle: Particle, eigenstrain: Sequence[Array], constants: DefectConstants) -> Misfit:
    """Largest misfit against the first frame, of a history of eigenstrain: (n_cells, 6) for every frame."""
    gradient = _gradients(particle)
    start = eigenstrain[0]
    density, frame = np.zeros(particle.n_cells), np.zeros(particle.n_cells, dtype=np.int64)
    for number, strain in enumerate(eigenstrain):
        now = misfit_density(strain - start, gradient) / constants.burgers
        larger = now > density
        density[larger], frame[larger] = now[larger], number
    return Misfit(np.where(particle.region == CORE, density, 0.0), frame)


def misfit_density(strain: Array, gradient: tuple[csr_array, csr_array]) -> Array:
    """Norm (n_cells,), 1/m, of Nye's tensor of a plastic strain equal to `strain` (n_cells, 6).

    alpha_ij = e_jkl d_k eps_il (Nye, Acta Metall. 1, 153, 1953; up to its sign), with nothing varying along
    z. Divided by the Burgers vector it is the density of geometrically necessary dislocations. It needs
    none if no plane bends: an expansion along x that varies with x. Bending that elasticity could do counts
    as well, so it is an upper estimate.
    """
    along_x, along_y = (operator @ strain for operator in gradient)
    xx, yy, zz, yz, xz, xy = range(6)
    half = 0.5  # tensor shears from engineering ones
    rows = [  # for i = x, y, z: eps_i3,y; -eps_i3,x; eps_i2,x - eps_i1,y
        (half * along_y[:, xz], half * along_x[:, xz], half * along_x[:, xy] - along_y[:, xx]),
        (half * along_y[:, yz], half * along_x[:, yz], along_x[:, yy] - half * along_y[:, xy]),
        (along_y[:, zz], along_x[:, zz], half * along_x[:, yz] - half * along_y[:, xz]),
    ]
    return np.sqrt(sum(entry**2 for row in rows for entry in row))


def near_interfaces(
    particle: Particle, phase: NDArray[np.int64], frame: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(n_cells,) whether a cell lies within one element of a grain boundary, or of a phase front when its
    misfit was largest.

    Args:
        particle: the section.
        phase: (n_frames, n_cells).
        frame: (n_cells,) of the largest misfit.
    """
    kinds = (GRAIN_BOUNDARY, SHELL_BOND)
    ends = np.unique(particle.interface_faces[np.isin(particle.interface_kind, kinds)])
    at_boundary = np.isin(particle.cells, ends).any(axis=1)
    left, right = _inner_sides(particle).T
    at_front = np.zeros(particle.n_cells, dtype=bool)
    for cell, other in ((left, right), (right, left)):
        at_front[cell] |= phase[frame[cell], cell] != phase[frame[cell], other]
    return at_boundary | at_front


def _gradients(particle: Particle) -> tuple[csr_array, csr_array]:
    """Operators (n_cells, n_cells) for the mean of d/dx and d/dy over each cell.

    Gauss: (1 / A) sum l n (f_i + f_j) / 2 over the faces, f_i alone on the surface. The sum of l n over all
    faces is zero, which leaves (1 / A) sum l n (f_j - f_i) / 2. A jump between two grains so goes to the
    cells on its two sides by halves, and its content does not depend on the mesh.
    """
    faces, sides = cell_faces(particle.cells)
    inner = sides[:, 1] >= 0
    ends, (left, right) = particle.vertices[faces[inner]], sides[inner].T
    along = ends[:, 1] - ends[:, 0]
    operators = []
    for scaled_normal in (along[:, 1], -along[:, 0]):  # length times the normal out of the left cell
        rows = np.concatenate([left, left, right, right])
        columns = np.concatenate([right, left, left, right])
        half = scaled_normal / 2
        values = np.concatenate([half, -half, -half, half]) / particle.cell_area[rows]
        shape = (particle.n_cells, particle.n_cells)
        operators.append(csr_array(coo_array((values, (rows, columns)), shape=shape)))
    return operators[0], operators[1]


def _inner_sides(particle: Particle) -> NDArray[np.int64]:
    _, sides = cell_faces(particle.cells)
    return sides[sides[:, 1] >= 0]


def _spread(particle: Particle, density: Array, length: float) -> Array:
    """(n_cells,) mean of a density over the core within `length` (m), at least one element, of each cell."""
    core = np.flatnonzero(particle.region == CORE)
    area = particle.cell_area[core]
    tree = KDTree(particle.cell_centroid[core])
    radius = max(length, float(np.sqrt(2 * area.max())))
    near = tree.sparse_distance_matrix(tree, radius, output_type="coo_matrix")
    within = csr_array(coo_array((np.ones(near.nnz), (near.row, near.col)), shape=near.shape))
    spread = np.zeros_like(density)
    spread[core] = (within @ (area * density[core])) / (within @ area)
    return spread


def _grain_means(particle: Particle, values: Array) -> Array:
    """(n_grains,) mean over the area of each grain."""
    core = particle.grain >= 0
    area = particle.cell_area[core]
    grain = particle.grain[core]
    total = np.bincount(grain, weights=area * values[core], minlength=particle.n_grains)
    return total / np.bincount(grain, weights=area, minlength=particle.n_grains)
