"""What glide does to the layers of a crystal: how they turn, and how their distance changes."""

import numpy as np

from faultline.cracks.fracture import FractureModel, FractureState
from faultline.cracks.law import Floats
from faultline.microstructure.particle import SplitMesh


def layer_fields(
    fracture: FractureModel, state: FractureState, eigenstrain: Floats, distortion: Floats
) -> dict[str, Floats]:
    """Slip, rotation (rad) and spacing strain of the layers of every cell, each (n_cells,).

    The total distortion grad u is an elastic and chemical part, which carries the lattice along, and the
    plastic one, which leaves the lattice as it is. So the lattice turns about z by what is antisymmetric in
    grad u less what is antisymmetric in the plastic distortion (Asaro, Adv. Appl. Mech. 23, 1, 1983). It is
    counted from the mean of each block, since free blocks may turn as a whole. The layers' distance changes
    by c . grad u . c, in which slip has no part.

    Args:
        fracture: the particle.
        state: its equilibrium.
        eigenstrain: (n_cells, 6) that the state balances, slip included.
        distortion: (n_cells, 3, 3) plastic, of the slip.
    """
    particle = fracture.particle
    moved = fracture.displacement(state, eigenstrain)
    gradient = displacement_gradient(fracture.mesh, moved, state.axial_strain)
    turned = rotation(gradient) - rotation(distortion)
    area, block = particle.cell_area, particle.block
    mean = np.bincount(block, weights=area * turned) / np.bincount(block, weights=area)
    c = particle.cell_orientation[:, :, 2]
    return {
        "layer_slip": np.linalg.norm(distortion, axis=(1, 2)),
        "layer_rotation": turned - mean[block],
        "layer_spacing_strain": np.einsum("ni,nij,nj->n", c, gradient, c),
    }


def displacement_gradient(mesh: SplitMesh, displacement: Floats, axial_strain: float) -> Floats:
    """du_i/dx_j (n_cells, 3, 3) of displacements (n_nodes, 3), m, on linear triangles; zz is given."""
    corners, moved = mesh.nodes[mesh.triangles], displacement[mesh.triangles]
    edges, stretched = corners[:, 1:] - corners[:, :1], moved[:, 1:] - moved[:, :1]
    gradient = np.zeros((len(corners), 3, 3))
    gradient[:, :, :2] = np.linalg.solve(edges, stretched).transpose(0, 2, 1)
    gradient[:, 2, 2] = axial_strain
    return gradient


def rotation(distortion: Floats) -> Floats:
    """Rotation (n,) about z of distortions (n, 3, 3), rad, counter-clockwise."""
    return np.asarray(distortion[:, 1, 0] - distortion[:, 0, 1]) / 2
