"""The peer of the condensed Newton-CG: Newton's method on all displacements, one sparse LU per iteration.

It takes the discrete problem from a `FractureModel` (the same elasticity, jumps, laws and tolerance) and
leaves out what makes that one fast: nothing is condensed, every direction is solved for exactly. Three
displacements are held so that the matrix has no rigid motion; the axial strain, a rank-one term, enters by
the formula of Sherman and Morrison. Where the tangent leads uphill, the secant stiffness gives the direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from faultline.cracks.fracture import FractureModel, FractureState
from faultline.cracks.law import IncrementalLaw
from faultline.cracks.newton import Equilibrium, Path, SpringMatrix, line_search
from faultline.errors import NotConverged
from faultline.mechanics.plane import statically_determinate_supports

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Solve = Callable[[Floats], Floats]
SMALLEST_DIAGONAL = 1e-9  # of the largest, added so that a block which nothing holds stays invertible


class Direct(Protocol):
    """A sparse direct solver of symmetric matrices of one pattern."""

    def factorised(self, matrix: sp.csr_array) -> Solve:
        """Factorise and return what solves for right sides (n, k)."""


class SciPyLU:
    """SuperLU with the ordering for symmetric patterns, analysed anew each time: SciPy offers no reuse."""

    def factorised(self, matrix: sp.csr_array) -> Solve:
        """Factorise with diagonal pivots preferred, and return the solve."""
        lu = splu(
            sp.csc_matrix(matrix),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.01,
            options={"SymmetricMode": True},
        )
        return lambda rhs: np.asarray(lu.solve(rhs))


class Pardiso:
    """PARDISO of MKL for symmetric indefinite matrices; the pattern is analysed once.

    Args:
        package: the imported module `pypardiso`.
    """

    def __init__(self, package: Any) -> None:
        self._solver = package.PyPardisoSolver(mtype=-2)
        self._pattern: sp.csr_matrix | None = None

    def factorised(self, matrix: sp.csr_array) -> Solve:
        """Factorise numerically and return the solve; every matrix must have the pattern of the first."""
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        upper, analysed = row <= matrix.indices, self._pattern is not None
        if self._pattern is None:
            start = np.concatenate([[0], np.cumsum(np.bincount(row[upper]))])
            self._pattern = sp.csr_matrix((matrix.data[upper], matrix.indices[upper], start), matrix.shape)
        kept = self._pattern
        kept.data[:] = matrix.data[upper]
        self._run(kept, np.zeros((kept.shape[0], 1)), 22 if analysed else 12)
        return lambda rhs: self._run(kept, rhs, 33)

    def _run(self, upper: sp.csr_matrix, rhs: Floats, phase: int) -> Floats:
        self._solver.set_phase(phase)
        return np.asarray(self._solver._call_pardiso(upper, np.asfortranarray(rhs)))


@dataclass(frozen=True)
class TangentAssembly:
    """Elasticity and springs between the faces as one matrix of fixed pattern: data = base + add @ stiffness.

    Attributes:
        base: (nnz,) elasticity.
        add: (nnz, n_points * m * m).
        indices, indptr: the pattern in CSR.
    """

    base: Floats
    add: sp.csr_array
    indices: Ints
    indptr: Ints

    @classmethod
    def build(cls, matrix: sp.csr_array, jump: sp.csr_array, weight: Floats, m: int) -> TangentAssembly:
        """For elasticity (n, n), jumps (n_points * m, n) and tributary lengths (n_points,)."""
        n, elastic, springs = matrix.shape[0], matrix.tocoo(), SpringMatrix.build(jump, weight, m)
        elastic_key = elastic.row.astype(np.int64) * n + elastic.col
        spring_key = springs.row * n + springs.column
        keys = np.unique(np.concatenate([elastic_key, spring_key, np.arange(n) * (n + 1)]))
        base = np.zeros(len(keys))
        base[np.searchsorted(keys, elastic_key)] = elastic.data
        diagonal = np.searchsorted(keys, np.arange(n) * (n + 1))
        base[diagonal] += SMALLEST_DIAGONAL * base[diagonal].max()
        entry, place = springs.add.tocoo(), np.searchsorted(keys, spring_key)
        add = sp.csr_array((entry.data, (place[entry.row], entry.col)), (len(keys), entry.shape[1]))
        row, column = np.divmod(keys, n)
        return cls(base, add, column, np.searchsorted(row, np.arange(n + 1)))

    def __call__(self, stiffness: Floats) -> sp.csr_array:
        """Matrix (n, n) for the points' stiffness (n_points, m, m), Pa/m."""
        n = len(self.indptr) - 1
        return sp.csr_array((self.base + self.add @ stiffness.ravel(), self.indices, self.indptr), (n, n))


@dataclass(frozen=True)
class FullSystem:
    """Operators on all displacements that are not held.

    Attributes:
        matrix: (n, n) elasticity, N/m2.
        axial_coupling: (n,) forces of a unit axial strain, N/m.
        axial_stiffness: N.
        jump: (n_points * m, n).
        weight: (n_points,) tributary lengths, m.
        components: m, displacement components per node.
    """

    matrix: sp.csr_array
    axial_coupling: Floats
    axial_stiffness: float
    jump: sp.csr_array
    weight: Floats
    components: int

    @cached_property
    def _jump_transposed(self) -> sp.csr_array:
        return sp.csr_array(self.jump.T)

    @cached_property
    def tangent(self) -> TangentAssembly:
        """Matrix (n, n) from the points' stiffness (n_points, m, m), less the axial term."""
        return TangentAssembly.build(self.matrix, self.jump, self.weight, self.components)

    def jumps(self, u: Floats) -> Floats:
        """Jumps (n_points, m) of displacements."""
        return (self.jump @ u).reshape(-1, self.components)

    def elastic(self, u: Floats) -> Floats:
        """Elastic forces (n,) at zero axial resultant."""
        axial = self.axial_coupling
        return self.matrix @ u - axial * ((axial @ u) / self.axial_stiffness)

    def point_forces(self, traction: Floats) -> Floats:
        """Forces (n,) of tractions (n_points, m)."""
        return self._jump_transposed @ (self.weight[:, None] * traction).ravel()


class FullNewton:
    """Advances the states of a `FractureModel`, whose `interface_displacement` here holds all dofs.

    Args:
        model: the problem.
        direct: the sparse direct solver.
    """

    def __init__(self, model: FractureModel, direct: Direct) -> None:
        self.model, self.direct = model, direct
        elasticity, blocks = model.elasticity, model.blocks
        self.n_dofs, unknowns = elasticity.matrix.shape[0], len(blocks.interface_dofs)
        stacks = model.system.stacks
        entries = np.ones(unknowns), (stacks.place, blocks.interface_dofs)
        jump = sp.csr_array(model.system.jump @ sp.csr_array(entries, (stacks.size, self.n_dofs)))
        held = statically_determinate_supports(model.mesh.nodes, blocks.components)
        self.free = np.setdiff1d(np.arange(self.n_dofs), held)
        self.system = FullSystem(
            matrix=elasticity.matrix[self.free][:, self.free],
            axial_coupling=elasticity.axial_coupling[self.free],
            axial_stiffness=elasticity.axial_stiffness,
            jump=jump[:, self.free],
            weight=model.system.weight,
            components=blocks.components,
        )

    def initial_state(self) -> FractureState:
        """The intact particle before any load."""
        return replace(self.model.initial_state(), interface_displacement=np.zeros(self.n_dofs))

    def advance(self, state: FractureState, eigenstrain: Floats, ramp: float) -> FractureState:
        """State in equilibrium with a new eigenstrain (n_cells, 6); as `FractureModel.advance`.

        Raises:
            NotConverged: no equilibrium was found.
        """
        model, system, elasticity = self.model, self.system, self.model.elasticity
        interface = model.blocks.interface_dofs
        force, axial_force = elasticity.load(eigenstrain)
        load = force[self.free] - system.axial_coupling * (axial_force / system.axial_stiffness)
        law = model.incremental_law(state, ramp)
        found = self._minimise(law, load, state.interface_displacement[self.free])
        dofs = np.zeros(self.n_dofs)
        dofs[self.free] = found.q
        axial_strain = float(axial_force - system.axial_coupling @ found.q) / system.axial_stiffness
        strain = elasticity.strain(dofs, axial_strain)
        stress = elasticity.stress(strain, eigenstrain)
        at_interfaces = replace(state, interface_displacement=state.interface_displacement[interface])
        return replace(
            model.updated(at_interfaces, replace(found, q=dofs[interface]), ramp),
            interface_displacement=dofs,
            axial_strain=axial_strain,
            elastic_energy=elasticity.energy(stress, strain, eigenstrain),
        )

    def _minimise(self, law: IncrementalLaw, load: Floats, u: Floats) -> Equilibrium:
        model, system = self.model, self.system
        jump, elastic = system.jumps(u), system.elastic(u) - load
        traction = law.traction(jump)
        for iteration in range(model.max_iterations + 1):
            gradient = elastic + system.point_forces(traction)
            residual = float(np.linalg.norm(gradient)) / model.force_scale
            if residual <= model.tolerance:
                return Equilibrium(u, law, residual, iteration, 0)
            if iteration == model.max_iterations:
                break
            direction = self._direction(law, jump, gradient)
            move, response = system.jumps(direction), system.elastic(direction)
            if iteration == 0:
                law = model.remix(law, jump + move)
                traction = law.traction(jump)
            path = Path(jump, move, traction, float(elastic @ direction), float(direction @ response))
            step, traction = line_search(law, path, system.weight)
            u, jump, elastic = u + step * direction, jump + step * move, elastic + step * response
        raise NotConverged("full Newton: no equilibrium", step=iteration, residual=residual)

    def _direction(self, law: IncrementalLaw, jump: Floats, gradient: Floats) -> Floats:
        """Newton's direction, or that of the secant stiffness where Newton's leads uphill."""
        direction = self._solve(law.tangent(jump), -gradient)
        if gradient @ direction < 0:
            return direction
        secant = law.stabilised_stiffness(jump)
        return self._solve(secant[:, :, None] * np.eye(secant.shape[1]), -gradient)

    def _solve(self, stiffness: Floats, force: Floats) -> Floats:
        """(A - k k^T / k_zz)^-1 f by Sherman and Morrison."""
        solve, axial = self.direct.factorised(self.system.tangent(stiffness)), self.system.axial_coupling
        response, border = solve(np.column_stack([force, axial])).T
        return response + border * ((axial @ response) / (self.system.axial_stiffness - axial @ border))
