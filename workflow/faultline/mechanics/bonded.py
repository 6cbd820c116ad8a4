"""The uncracked particle: factored once, solved for any eigenstrain by back-substitution."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from faultline.mechanics.plane import (
    Floats,
    Ints,
    connected_bodies,
    displacement_components,
    plane_elasticity,
    statically_determinate_supports,
    surface_film,
)
from faultline.microstructure.particle import Particle
from faultline.ordering import nested_dissection


@dataclass(frozen=True)
class ElasticState:
    """Elastic equilibrium of a section.

    Attributes:
        stress: (n_cells, 6), Pa.
        strain: (n_cells, 6) total strain, engineering shear.
        displacement: (n_vertices, 3), m, up to a rigid motion.
        axial_strain: eps_zz of the section.
        energy: elastic energy per unit thickness, that of a film included, J/m.
    """

    stress: Floats
    strain: Floats
    displacement: Floats
    axial_strain: float
    energy: float


class BondedSolid:
    """Linear elastic equilibrium of a particle without cracks, in generalised plane strain.

    Args:
        particle: the section; separate pieces of it are allowed and share one axial strain.
        stiffness: (n_cells, 6, 6), Pa, laboratory frame.
        components: displacement components per node; by default two where the section cannot warp out of its
            plane, else three.
        film: (6, 6) thickness times stiffness, N/m, of a thin layer on the outer surface (`surface_film`).
    """

    def __init__(
        self,
        particle: Particle,
        stiffness: Floats,
        components: int | None = None,
        film: Floats | None = None,
    ) -> None:
        components = components or displacement_components(stiffness, particle.cell_orientation)
        self.elasticity = plane_elasticity(
            particle.vertices,
            particle.cells,
            particle.cell_area,
            stiffness,
            components,
            surface_film(particle.vertices, particle.surface_faces, film, components),
        )
        free = _unsupported_dofs(particle, components)
        points = particle.vertices[free // components]
        # factors fill far less in this order than in one by degrees
        self._free = free[nested_dissection(self.elasticity.matrix[free][:, free], points)]
        matrix = self.elasticity.matrix[self._free][:, self._free]
        self._factor = factorise(matrix, ordering="NATURAL")
        coupling = self.elasticity.axial_coupling[self._free]
        self._axial_response = self._factor.solve(coupling)
        self._axial_schur = self.elasticity.axial_stiffness - coupling @ self._axial_response

    def solve(self, eigenstrain: Floats) -> ElasticState:
        """Return the equilibrium under an eigenstrain (n_cells, 6), engineering shear.

        K u + k eps_zz = f,   k . u + k_zz eps_zz = f_zz, solved by eliminating u.

        Raises:
            ValueError: two displacement components cannot carry this eigenstrain.
        """
        elasticity = self.elasticity
        force, axial_force = elasticity.load(eigenstrain)
        response = self._factor.solve(force[self._free])
        coupling = elasticity.axial_coupling[self._free]
        axial_strain = float((axial_force - coupling @ response) / self._axial_schur)
        dofs = np.zeros(len(force))
        dofs[self._free] = response - axial_strain * self._axial_response
        strain = elasticity.strain(dofs, axial_strain)
        stress = elasticity.stress(strain, eigenstrain)
        return ElasticState(
            stress=stress,
            strain=strain,
            displacement=elasticity.vectors(dofs),
            axial_strain=axial_strain,
            energy=elasticity.energy(stress, strain, eigenstrain)
            + elasticity.film_energy(dofs, axial_strain),
        )


def factorise(matrix: sp.csr_array, ordering: str = "MMD_AT_PLUS_A") -> SuperLU:
    """Return the sparse LU of a symmetric positive definite matrix, without pivoting."""
    return splu(
        sp.csc_matrix(matrix),
        permc_spec=ordering,
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


def _unsupported_dofs(particle: Particle, components: int) -> Ints:
    """Return the dofs left free when every separate piece is held in a statically determinate way."""
    piece = connected_bodies(particle.n_vertices, particle.cells)
    used = np.zeros(particle.n_vertices, dtype=bool)
    used[particle.cells] = True
    free = np.repeat(used, components)
    for label in np.unique(piece[used]):
        members = np.flatnonzero(piece == label)
        supports = statically_determinate_supports(particle.vertices[members], components)
        free[members[supports // components] * components + supports % components] = False
    return np.flatnonzero(free)
