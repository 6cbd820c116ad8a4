"""One implicit time step of alkali transport with a reacting surface, through FiPy.

The balance of a cell with area A, linearised about the iterate ``x_k`` (Newton), reads

    c A (x - x_n) / dt = [T (mu_k + S_k (x - x_k))] - sum_faces l i / F

with c the alkali that a cell stores per change of x (c_max, less where heat left rock salt), T the multipoint
operator of the mobility, mu = mu_h(x) - kappa lap(x) - Omega : sigma, S = dmu_h/dx -
kappa lap, and the Butler-Volmer current i linearised in x and in the particle's voltage V.  V is one more
unknown, closed by sum l i = I' under current control, or given under voltage control.  A step that has to end
on a cutoff is given both: then 1 / dt is the unknown more, with c A (x_k - x_n) for its share of a row.

The gradient energy kappa (zero unless the material has a phase field) makes this the equation of Cahn and
Hilliard, with mu eliminated cell by cell.  x does not vary smoothly across grain boundaries, so gradients
are taken within grains only; at every edge of a grain n . grad(x) = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import fipy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import eigs

from faultline.errors import NotConverged
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
    """A linearisation point or result.

    Attributes:
        x: (n_cells,) site fraction.
        voltage: V.
        current: line current, A/m.
        dt: length of the step, s.
        polarisation: voltage over the mean open-circuit voltage behind the reacting faces, V; of a result by
            the slopes of its iteration. None where it is not known yet.
    """

    x: Array
    voltage: float
    current: float
    dt: float = np.nan
    polarisation: float | None = None


@dataclass(frozen=True)
class _Reaction:
    """Current density of the faces (A/m2) about an iterate: base + rate @ x + by_voltage V."""

    base: Array
    rate: csr_array
    by_voltage: Array

    def current(self, x: Array, voltage: float) -> Array:
        """(n_faces,)."""
        return np.asarray(self.base + self.rate @ x + self.by_voltage * voltage)


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
        self.variable = fipy.CellVariable(mesh=self.mesh, name="site fraction")
        self._conductance = grid.conductance
        self._equation = -MultipointDiffusionTerm(interface_conductance=grid.conductance)
        self._solver = BorderedLUSolver(reduction=REDUCTION)
        self._gradient = _gradient_potential(model, grid)
        self._every_face = np.arange(len(faces.cell) + 1)

    def foreseen(self, guess: Iterate) -> Iterate:
        """The guess with the voltage that its composition and its polarisation give.

        A voltage that does not follow the composition puts the exponentials of the surface far off, from
        where Newton's method comes back by 25 mV an iteration.
        """
        if guess.polarisation is None:
            return guess
        return replace(guess, voltage=self._open_circuit(guess.x) + guess.polarisation)

    def _open_circuit(self, x: Array, change: Array | None = None) -> float:
        """Mean open-circuit voltage behind the faces, V; after a `change` of x by its slope at x."""
        faces, material = self.reaction.faces, self.model.material
        voltage = material.open_circuit_voltage(x[faces.cell])
        if change is not None:
            voltage = voltage + material.open_circuit_slope(x[faces.cell]) * change[faces.cell]
        return float(faces.length @ voltage / faces.length.sum())

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
        charge: float | None = None,
    ) -> Iterate:
        """One Newton iteration from `guess` at fixed `drift` (J/mol).

        `extra_slope` (J/mol, >= 0) is added to dmu/dx about the iterate; it vanishes from the converged
        solution and only steadies the exchange with mechanics. Give `current` (A/m) or `voltage` (V); or
        `voltage` and, besides, `current` or the `charge` (C/m) that leaves in the step: `dt` is then only
        where the search for the step's length starts. Charge and length of a result agree to round-off.

        Raises:
            NotConverged: no step of positive length ends there.
        """
        x_k, v_k = guess.x, guess.voltage if voltage is None else voltage
        material, temperature = self.model.material, self.model.temperature
        shift, slope = -drift, material.chemical_potential_slope(x_k, temperature) + extra_slope
        if self._gradient is not None:
            shift = shift + self._gradient @ x_k
            slope = self._gradient + diags_array(slope)
        potential = material.chemical_potential(x_k, temperature) + shift
        reaction = self._linearised(x_k, v_k, shift)

        equation, storage = self._equation, self.model.capacity / dt
        equation.coeff = self.model.mobility(x_k).transpose(1, 2, 0)
        equation.source = (storage * x_old, storage)
        equation.slope = slope
        equation.potential = potential - (slope @ x_k if self._gradient is not None else slope * x_k)
        fixed = reaction.base if voltage is None else reaction.base + reaction.by_voltage * voltage
        equation.outflow = (self._on_mesh(fixed) / FARADAY, self._rate_on_mesh(reaction))
        self._solver.border = None
        ends = voltage is not None and (current is not None or charge is not None)
        if voltage is None:
            assert current is not None
            self._solver.border = self._voltage_border(reaction, current, v_k)
        elif ends:
            self._solver.border = self._length_border(reaction, x_old, x_k, dt, voltage, current, charge)
        self.variable.setValue(x_k)
        equation.solve(var=self.variable, solver=self._solver)
        x = np.array(self.variable.value)
        v = self._solver.border_value if voltage is None else voltage
        assert v is not None  # the bordered solver always sets it
        if current is None:  # where it is given, the bordered row holds it to round-off
            current = float(self.reaction.faces.length @ reaction.current(x, v))
        if ends:
            dt = float(self._stored @ (x_old - x)) / current if current else np.inf
            if not 0 < dt < np.inf:
                raise NotConverged(f"no step ends there: its length would be {dt:.1e} s")
        return Iterate(x, float(v), current, dt, float(v) - self._open_circuit(x_k, x - x_k))

    @property
    def _stored(self) -> Array:
        """(n_cells,) charge of a change of x by one, C/m."""
        return FARADAY * self.model.capacity * self.area

    def _linearised(self, x: Array, voltage: float, shift: Array) -> _Reaction:
        """The surface about x and V, where the potential differs by `shift` (J/mol) from that of x alone."""
        i_k, di_dv, di_dx = self.reaction.linearised(x, voltage, -shift)
        rate = self._from_cells(di_dx)
        if self._gradient is not None:  # the potential of a cell acts on its face as the voltage does
            rate = csr_array(rate + self._from_cells(di_dv / FARADAY) @ self._gradient)
        return _Reaction(i_k - rate @ x - di_dv * voltage, rate, di_dv)

    def _from_cells(self, values: Array) -> csr_array:
        """The matrix (n_reacting, n_cells) that takes `values` times x of the cells behind the faces."""
        faces = self.reaction.faces
        return csr_array((values, faces.cell, self._every_face), shape=(len(faces.cell), len(self.area)))

    def _on_mesh(self, values: Array) -> Array:
        """Values of the reacting faces on all faces of the mesh."""
        spread = np.zeros(self.mesh.numberOfFaces)
        spread[self._surface] = values
        return spread

    def _rate_on_mesh(self, reaction: _Reaction) -> Any:
        """What leaves per x, mol/(m2 s): one number a face, or a matrix where x of other cells counts too."""
        if self._gradient is None:
            return self._on_mesh(reaction.rate.data) / FARADAY
        shape = (self.mesh.numberOfFaces, len(self._surface))
        place = csr_array((np.ones(shape[1]), (self._surface, np.arange(shape[1]))), shape=shape)
        return place @ reaction.rate / FARADAY

    def _voltage_border(self, reaction: _Reaction, current: float, voltage: float) -> Border:
        """The voltage as one more unknown, closed by sum l i = I'."""
        length = self.reaction.faces.length
        return Border(
            column=-(self._equation.boundary(self.mesh) @ self._on_mesh(reaction.by_voltage)) / FARADAY,
            row=reaction.rate.T @ length,
            corner=float(length @ reaction.by_voltage),
            right_hand_side=current - float(length @ reaction.base),
            start=voltage,
        )

    def _length_border(
        self,
        reaction: _Reaction,
        x_old: Array,
        x: Array,
        dt: float,
        voltage: float,
        current: float | None,
        charge: float | None,
    ) -> Border:
        """The change of 1 / dt, over its start, as one more unknown: closed by the current or the charge."""
        column = self._stored * (x - x_old) / (FARADAY * dt)
        if current is None:
            assert charge is not None
            return Border(column, -self._stored, 0.0, charge - float(self._stored @ x_old))
        length = self.reaction.faces.length
        fixed = float(length @ (reaction.base + reaction.by_voltage * voltage))
        return Border(column, reaction.rate.T @ length, 0.0, current - fixed)

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
        transport = operator_of(self.mesh).assemble(mobility, self._conductance)
        rate = diags_array(1 / (self.model.capacity * self.area)) @ transport
        assert self._gradient is not None  # only a phase field has slopes below zero
        operator = csc_array(rate @ (self._gradient + diags_array(slope)))
        # of a wave in an infinite uniform crystal, M s^2 / (4 kappa c): no perturbation grows faster
        bound = float(np.max(np.linalg.eigvalsh(mobility)[:, -1] * np.minimum(slope, 0.0) ** 2))
        bound /= 4 * material.gradient_energy * float(self.model.capacity.min())
        start = np.random.default_rng(0).standard_normal(len(x))
        found = eigs(operator, k=1, sigma=1.1 * bound, v0=start, tol=1e-2, return_eigenvectors=False)
        return max(float(found[0].real), 0.0)


def _gradient_potential(model: ParticleModel, grid: TransportMesh) -> csr_array | None:
    """G (n_cells, n_cells), J/mol: G x = -kappa lap(x), the gradient's share of mu; None without one."""
    cells = model.particle.n_cells
    if model.material.phase_field is None:
        return None
    conductance = np.full(grid.mesh.numberOfFaces, np.inf)
    conductance[grid.interface_face_ids[model.particle.interface_kind != BASAL_PLANE]] = 0.0
    if grid.conductance is not None:  # nor across contacts that only touch
        conductance[np.isfinite(grid.conductance)] = 0.0
    unit = np.broadcast_to(np.eye(2), (cells, 2, 2))
    laplacian = operator_of(grid.mesh).assemble(unit, conductance)
    area = np.asarray(grid.mesh.cellVolumes)
    return csr_array(diags_array(-model.material.gradient_energy / area) @ laplacian)
