"""Generalised plane strain on linear triangles: one sparse strain operator carries the whole mechanics.

The displacement is u(x, y) + eps_zz z e_z with two or three components per node and one axial strain eps_zz
for the whole section, which has no axial resultant. Voigt order xx, yy, zz, yz, xz, xy, engineering shear.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import skfem
from numpy.typing import NDArray
from skfem.helpers import dot

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

XX, YY, ZZ, YZ, XZ, XY = range(6)
OUT_OF_PLANE_SHEAR = [YZ, XZ]
IN_PLANE = [XX, YY, ZZ, XY]
ALONG_FILM, THROUGH_FILM = [XX, ZZ, XZ], [YY, YZ, XY]  # in axes x along a face, y across it
ROUND_OFF = 1e-9


def displacement_components(stiffness: Floats, orientation: Floats) -> int:
    """Return 2 where the section cannot warp out of its plane, else 3.

    It cannot if no stiffness couples xz or yz to other strains and z is a crystal axis everywhere, so that
    principal strains along the crystal axes have no xz or yz part either.

    Args:
        stiffness: (n_cells, 6, 6) in the laboratory frame.
        orientation: (n_cells, 3, 3) crystal axes as columns.
    """
    coupling = np.abs(stiffness[:, IN_PLANE][:, :, OUT_OF_PLANE_SHEAR]).max()
    tilt = 1 - np.abs(orientation[:, 2, :]).max(axis=1)
    return 2 if coupling <= ROUND_OFF * np.abs(stiffness).max() and tilt.max() <= ROUND_OFF else 3


def strain_operator(nodes: Floats, triangles: Ints, components: int) -> sp.csr_array:
    """Return B (6 n_cells, components * n_nodes) with in-plane strain = B u, constant in each triangle.

    Assembled by scikit-fem: the form of P1 displacements against piecewise constant strains. With this B the
    stiffness, the loads and the stresses of many eigenstrains are plain sparse products; assembling the
    bilinear form of elasticity itself would give the matrix alone.
    """
    mesh = skfem.MeshTri(np.ascontiguousarray(nodes.T), np.ascontiguousarray(triangles.T))
    displacement = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementTriP1(), components), intorder=0)
    strain = displacement.with_element(skfem.ElementVector(skfem.ElementTriP0(), 6))

    @skfem.BilinearForm
    def tested_strain(u: Any, tau: Any, _: Any) -> Any:
        gradient = u.grad
        zero = 0 * gradient[0, 0]
        yz, xz = (gradient[2, 1], gradient[2, 0]) if components == 3 else (zero, zero)
        xy = gradient[0, 1] + gradient[1, 0]
        return dot(np.stack([gradient[0, 0], gradient[1, 1], zero, yz, xz, xy]), tau)

    integrated = tested_strain.assemble(displacement, strain)
    cell_area = np.abs(mesh.mapping().detA.ravel()) / 2
    operator = sp.csr_array(sp.diags_array(1 / np.repeat(cell_area, 6)) @ integrated)
    operator.eliminate_zeros()
    return operator


@dataclass(frozen=True)
class PlaneElasticity:
    """Linear elasticity of a triangle mesh before any support or elimination.

    Attributes:
        strain_operator: (6 n_cells, n_dof) in-plane strain from nodal displacements.
        stiffness: (n_cells, 6, 6), Pa, laboratory frame.
        cell_area: (n_cells,), m2.
        components: 2 or 3 displacement components per node; dof = node * components + component.
        film: thin layer bonded to faces of the mesh, if there is one: its cells are the faces. Strains,
            stresses and eigenstrains below are those of the triangles; the film has no eigenstrain.
    """

    strain_operator: sp.csr_array
    stiffness: Floats
    cell_area: Floats
    components: int
    film: "PlaneElasticity | None" = None

    @cached_property
    def _weighted_stiffness(self) -> sp.bsr_array:
        cells = np.arange(len(self.cell_area) + 1)
        blocks = self.stiffness * self.cell_area[:, None, None]
        return sp.bsr_array((blocks, cells[:-1], cells))

    @cached_property
    def matrix(self) -> sp.csr_array:
        """K = B^T A C B (n_dof, n_dof), N/m2: singular, no node is held."""
        own = sp.csr_array(self.strain_operator.T @ (self._weighted_stiffness @ self.strain_operator))
        return own if self.film is None else own + self.film.matrix

    @cached_property
    def axial_coupling(self) -> Floats:
        """k = B^T A C e_zz (n_dof,): nodal forces of a unit axial strain, N/m."""
        own = self.strain_operator.T @ (self.cell_area[:, None] * self.stiffness[:, :, ZZ]).ravel()
        return own if self.film is None else own + self.film.axial_coupling

    @cached_property
    def axial_stiffness(self) -> float:
        """Sum of A C_zzzz, N."""
        own = float(self.cell_area @ self.stiffness[:, ZZ, ZZ])
        return own if self.film is None else own + self.film.axial_stiffness

    def load(self, eigenstrain: Floats) -> tuple[Floats, float]:
        """Return nodal forces (n_dof,), N/m, and axial force, N, of an eigenstrain (n_cells, 6).

        Raises:
            ValueError: two components cannot carry an eigenstrain with xz or yz shear.
        """
        if self.components == 2:
            shear = np.abs(eigenstrain[:, OUT_OF_PLANE_SHEAR]).max()
            if shear > 1e-6 * np.abs(eigenstrain).max():
                raise ValueError(
                    f"an eigenstrain with out-of-plane shear ({shear:.3g}) needs three components: "
                    "pass components=3"
                )
        stress = np.einsum("cij,cj->ci", self.stiffness, eigenstrain) * self.cell_area[:, None]
        return self.strain_operator.T @ stress.ravel(), float(stress[:, ZZ].sum())

    def strain(self, dofs: Floats, axial_strain: float) -> Floats:
        """Return the total strain (n_cells, 6)."""
        strain = (self.strain_operator @ dofs).reshape(-1, 6)
        strain[:, ZZ] += axial_strain
        return strain

    def stress(self, strain: Floats, eigenstrain: Floats) -> Floats:
        """Return sigma = C : (eps - eps*) (n_cells, 6), Pa."""
        return np.einsum("cij,cj->ci", self.stiffness, strain - eigenstrain)

    def energy(self, stress: Floats, strain: Floats, eigenstrain: Floats) -> float:
        """Return the elastic energy per unit thickness, J/m: sum of A sigma : (eps - eps*) / 2."""
        return 0.5 * float(self.cell_area @ np.einsum("ci,ci->c", stress, strain - eigenstrain))

    def film_energy(self, dofs: Floats, axial_strain: float) -> float:
        """Return the elastic energy of the film per unit thickness of the section, J/m; 0 without one."""
        if self.film is None:
            return 0.0
        strain = self.film.strain(dofs, axial_strain)
        return self.film.energy(self.film.stress(strain, 0 * strain), strain, 0 * strain)

    def film_tension(self, dofs: Floats, axial_strain: float) -> Floats:
        """Return the largest principal force per length (n_faces,) in the film, N/m; empty without one."""
        if self.film is None:
            return np.zeros(0)
        strain = self.film.strain(dofs, axial_strain)
        force = self.film.stress(strain, 0 * strain)
        along, axial, shear = force[:, XX], force[:, ZZ], force[:, XZ]
        return (along + axial) / 2 + np.hypot((along - axial) / 2, shear)

    def vectors(self, dofs: Floats) -> Floats:
        """Return the dofs as displacement vectors (n_nodes, 3), m."""
        vectors = np.zeros((len(dofs) // self.components, 3))
        vectors[:, : self.components] = dofs.reshape(-1, self.components)
        return vectors


def plane_elasticity(
    nodes: Floats,
    triangles: Ints,
    cell_area: Floats,
    stiffness: Floats,
    components: int,
    film: PlaneElasticity | None = None,
) -> PlaneElasticity:
    """Assemble the elasticity of a mesh; shapes and units as in `PlaneElasticity`."""
    if stiffness.shape != (len(triangles), 6, 6):
        raise ValueError(
            f"stiffness must be (n_cells, 6, 6) = ({len(triangles)}, 6, 6), got {stiffness.shape}"
        )
    if components not in (2, 3):
        raise ValueError(f"components must be 2 or 3, got {components}")
    operator = strain_operator(nodes, triangles, components)
    return PlaneElasticity(operator, stiffness, cell_area, components, film)


def surface_film(nodes: Floats, faces: Ints, film: Floats | None, components: int) -> PlaneElasticity | None:
    """Return a thin layer on faces (n_faces, 2) of a mesh as a membrane, or None where `film` is None.

    Its strains are constant along a face: e_t = t . du / L and gamma_tz = dw / L of the displacements at the
    ends, and the axial strain of the section. Nothing acts across a layer so thin, so its energy per area
    of surface is, for an isotropic one of thickness delta,

        delta / 2 ([e_t, e_zz] C' [e_t, e_zz]^T + G gamma_tz^2),    C' = E / (1 - nu^2) [[1, nu], [nu, 1]].

    Membrane limit of a coating: Benveniste and Miloh, Mech. Mater. 33, 309 (2001), the case of a stiff thin
    interphase. Its relative error is of the order of thickness over radius of curvature.

    Args:
        nodes: (n_nodes, 2), m.
        faces: (n_faces, 2) nodes at the ends of each face.
        film: (6, 6) thickness times stiffness of the layer, N/m; isotropic about z, as the layer's axes turn
            with the surface.
        components: 2 or 3.
    """
    if film is None:
        return None
    along = nodes[faces[:, 1]] - nodes[faces[:, 0]]
    length = np.linalg.norm(along, axis=1)
    gradient = np.zeros((len(faces), 6, components))  # of the displacement's components, for each strain
    gradient[:, XX, :2] = along / length[:, None] ** 2
    if components == 3:
        gradient[:, XZ, 2] = 1 / length
    face = np.arange(len(faces) + 1)
    blocks = sp.bsr_array((gradient, face[:-1], face))
    ends = np.tile([-1.0, 1.0], len(faces)), faces.ravel(), 2 * face
    difference = sp.kron(sp.csr_array(ends, shape=(len(faces), len(nodes))), sp.eye_array(components))
    operator = sp.csr_array(blocks @ difference)
    operator.eliminate_zeros()
    membrane = np.tile(plane_stress_stiffness(film), (len(faces), 1, 1))
    return PlaneElasticity(operator, membrane, length, components)


def plane_stress_stiffness(stiffness: Floats) -> Floats:
    """Return the stiffness (6, 6) of a layer that nothing loads across y, from its material's, Pa or N/m."""
    kept, free = ALONG_FILM, THROUGH_FILM
    relaxed = np.linalg.solve(stiffness[np.ix_(free, free)], stiffness[np.ix_(free, kept)])
    membrane = np.zeros((6, 6))
    membrane[np.ix_(kept, kept)] = stiffness[np.ix_(kept, kept)] - stiffness[np.ix_(kept, free)] @ relaxed
    return membrane


def connected_bodies(n_nodes: int, triangles: Ints) -> Ints:
    """Return the body (n_nodes,) of each node: nodes joined by triangles belong together."""
    start, end = triangles[:, [0, 1]].T.ravel(), triangles[:, [1, 2]].T.ravel()
    graph = sp.coo_array((np.ones(len(start)), (start, end)), shape=(n_nodes, n_nodes))
    return sp.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)


def rigid_modes(nodes: Floats, components: int) -> Floats:
    """Return (n_nodes, components, n_modes) the motions without strain: translations and the turn about z.

    The turn is about the mean position and scaled so that the farthest node moves by one.
    """
    modes = np.zeros((len(nodes), components, components + 1))
    modes[:, range(components), range(components)] = 1
    arm = nodes - nodes.mean(axis=0)
    arm = arm / max(np.linalg.norm(arm, axis=1).max(), np.finfo(float).tiny)
    modes[:, 0, -1], modes[:, 1, -1] = -arm[:, 1], arm[:, 0]
    return modes


def statically_determinate_supports(nodes: Floats, components: int) -> Ints:
    """Return the dofs (components + 1,) of one body to hold: its rigid motions and nothing else.

    The first node is held fully, the node farthest from it across the line that joins them. Under loads in
    equilibrium (every eigenstrain) these supports carry no force.
    """
    reach = nodes - nodes[0]
    far = int(np.argmax(np.linalg.norm(reach, axis=1)))
    across = 1 if abs(reach[far, 0]) >= abs(reach[far, 1]) else 0
    return np.array([*range(components), far * components + across], dtype=np.int64)
