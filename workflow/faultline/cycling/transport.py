"""One implicit time step of alkali transport with a reacting surface, through FiPy.

The balance of a cell with area A, linearised about the iterate ``x_k`` (Newton), reads

    c A (x - x_n) / dt = [T (mu_k + S_k (x - x_k))] - sum_faces l i / F

with c the alkali that a cell stores per change of x (c_max, less where heat left rock salt), T the multipoint
operator of the mobility, mu = mu_h(x) - kappa lap(x) - Omega : sigma, S = dmu_h/dx -
kappa lap, and the Butler-Volmer current i linearised in x and in the particle's voltage V.  V is one more
unknown, closed by sum l i = I' under current control, or given under voltage control.

The gradient energy kappa (zero unless the material has a phase field) makes this the equation of Cahn and
Hilliard, with mu eliminated cell by cell.  x does not vary smoothly across grain boundaries, so gradients
are taken within grains only; at every edge of a grain n . grad(x) = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import fipy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import eigs

from faultline.materials.particle_model import FARADAY, ParticleModel
from faultline.microstructure.particle import BASAL_PLANE
from faultline.transport.mesh import TransportMesh, fipy_mesh
from faultline.transport.multipoint import MultipointDiffusionTerm
from faultline.transport.operator import operator_of
from faultline.transport.solver import Border, BorderedLUSolver
from faultline.transport.surface import ReactingFaces, SurfaceReaction

Array = NDArray[np.float64]

REDUCTION = 1e-4  # of the first correction of x and V in a linear solve: less than Newton's method leaves


@dataclass(frozen=True)
class Iterate:
    """A linearisation point or result: site fraction (n_cells,), voltage V, line current A/m."""

    x: Array
    voltage: float
    current: float


class TransportStep:
    """The FiPy equation of one particle; solves single Newton iterations of an implicit step.

    Args:
        model: laws of the particle.
        faces: where charge is transferred, in the order of the surface faces of `grid`.
        grid: the particle with open cracks; by default without any.
    """

    def __init__(self, model: ParticleModel, faces: ReactingFaces, grid: TransportMesh | None = None) -> None:
        self.model, self.reaction = model, SurfaceReaction(model, faces)
        grid = grid or fipy_mesh(model.particle)
        self.mesh, self._surface = grid.mesh, grid.surface_face_ids
        self.area = np.asarray(self.mesh.cellVolumes)
        self.variable = fipy.CellVariable(mesh=self.mesh, hasOld=True, name="site fraction")
        self._term = -MultipointDiffusionTerm()  # what the iterates change, a copy by == would not see
        storage = fipy.CellVariable(mesh=self.mesh, value=model.capacity)
        self._equation = fipy.TransientTerm(coeff=storage) + self._term
        self._solver = BorderedLUSolver(reduction=REDUCTION)
        self._gradient = _gradient_potential(model, grid)
        n_faces, cells = len(faces.cell), len(self.area)
        ones = np.ones(n_faces)
        self._behind = csr_array((ones, (np.arange(n_faces), faces.cell)), shape=(n_faces, cells))
        self._to_mesh = csr_array(
            (ones, (self._surface, np.arange(n_faces))), shape=(self.mesh.numberOfFaces, n_faces)
        )

    def iterate(
        self,
        x_old: Array,
        guess: Iterate,
        drift: Array,
        extra_slope: Array,
        dt: float,
        *,
        current: float | None = None,
        voltage: float | None = None,
    ) -> Iterate:
        """One Newton iteration from `guess` at fixed `drift` (J/mol).

        `extra_slope` (J/mol, >= 0) is added to dmu/dx about the iterate; it vanishes from the converged
        solution and only steadies the exchange with mechanics. Give `current` (A/m) or `voltage` (V).
        """
        x_k, v_k = guess.x, guess.voltage if voltage is None else voltage
        material, temperature = self.model.material, self.model.temperature
        shift = self._gradient @ x_k - drift  # of the potential from that of a uniform, unstressed crystal
        slope = self._gradient + diags_array(
            material.chemical_potential_slope(x_k, temperature) + extra_slope
        )
        potential = material.chemical_potential(x_k, temperature) + shift
        i_k, di_dv, di_dx = self.reaction.linearised(x_k, v_k, -shift)
        # i = base + rate x + di_dv V; the potential of a cell acts on its face as the voltage does
        by_potential = diags_array(di_dv / FARADAY) @ self._behind
        rate = diags_array(di_dx) @ self._behind + by_potential @ self._gradient
        base = i_k - rate @ x_k - di_dv * v_k

        self.variable.old.setValue(x_old)
        self.variable.setValue(x_k)
        self._term.coeff = self.model.mobility(x_k).transpose(1, 2, 0)
        fixed = base if voltage is None else base + di_dv * voltage
        self._term.slope, self._term.potential = slope, potential - slope @ x_k
        self._term.outflow = (self._to_mesh @ fixed / FARADAY, self._to_mesh @ rate / FARADAY)
        length, self._solver.border = self.reaction.faces.length, None
        if current is not None:  # the voltage is one more unknown, closed by sum l i = I'
            self._solver.border = Border(
                column=-(self._term.boundary(self.mesh) @ (self._to_mesh @ di_dv)) / FARADAY,
                row=rate.T @ length,
                corner=float(length @ di_dv),
                right_hand_side=current - float(length @ base),
                start=v_k,
            )
        self._equation.solve(var=self.variable, dt=dt, solver=self._solver)
        x = np.array(self.variable.value)
        v = self._solver.border_value if voltage is None else voltage
        assert v is not None  # the bordered solver always sets it
        if current is None:  # under current control the bordered row holds it to round-off
            current = float(length @ (base + rate @ x + di_dv * v))
        return Iterate(x, float(v), current)

    def growth_rate(self, x: Array) -> float:
        """Rate (1/s) at which the fastest perturbation of x (n_cells,) grows on its own; 0 where none does.

        The largest eigenvalue of T S / (c A), stress left aside. Only a phase field has one above zero:
        longer implicit steps would damp what should grow.
        """
        material, temperature = self.model.material, self.model.temperature
        slope = material.chemical_potential_slope(x, temperature)
        if slope.min() >= 0:
            return 0.0
        mobility = self.model.mobility(x)
        rate = diags_array(1 / (self.model.capacity * self.area)) @ operator_of(self.mesh).assemble(mobility)
        operator = csc_array(rate @ (self._gradient + diags_array(slope)))
        # of a wave in an infinite uniform crystal, M s^2 / (4 kappa c): no perturbation grows faster
        bound = float(np.max(np.linalg.eigvalsh(mobility)[:, -1] * np.minimum(slope, 0.0) ** 2))
        bound /= 4 * material.gradient_energy * float(self.model.capacity.min())
        start = np.random.default_rng(0).standard_normal(len(x))
        found = eigs(operator, k=1, sigma=1.1 * bound, v0=start, tol=1e-2, return_eigenvectors=False)
        return max(float(found[0].real), 0.0)


def _gradient_potential(model: ParticleModel, grid: TransportMesh) -> csr_array:
    """G (n_cells, n_cells), J/mol: G x = -kappa lap(x), the gradient's share of the potential."""
    cells = model.particle.n_cells
    if model.material.phase_field is None:
        return csr_array((cells, cells))
    conductance = np.full(grid.mesh.numberOfFaces, np.inf)
    conductance[grid.interface_face_ids[model.particle.interface_kind != BASAL_PLANE]] = 0.0
    unit = np.broadcast_to(np.eye(2), (cells, 2, 2))
    laplacian = operator_of(grid.mesh).assemble(unit, conductance)
    area = np.asarray(grid.mesh.cellVolumes)
    return csr_array(diags_array(-model.material.gradient_energy / area) @ laplacian)
