"""One implicit time step of alkali transport with a reacting surface, through FiPy.

The balance of a cell with area A, linearised about the iterate ``x_k`` (Newton), reads

    c_max A (x - x_n) / dt = [T (mu_k + s_k (x - x_k))] - sum_faces l i / F

with T the multipoint operator of the mobility, mu = mu_h(x) - Omega : sigma, s = dmu_h/dx, and the
Butler-Volmer current i linearised in x and in the particle's voltage V.  V is one more unknown, closed by
sum l i = I' under current control, or given under voltage control.
"""

from __future__ import annotations

from dataclasses import dataclass

import fipy
import numpy as np
from numpy.typing import NDArray

from faultline.materials.particle_model import FARADAY, ParticleModel
from faultline.transport.mesh import fipy_mesh
from faultline.transport.multipoint import MultipointDiffusionTerm
from faultline.transport.solver import BorderedLUSolver
from faultline.transport.surface import ReactingFaces, SurfaceReaction

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Iterate:
    """A linearisation point or result: site fraction (n_cells,), voltage V, line current A/m."""

    x: Array
    voltage: float
    current: float


class TransportStep:
    """The FiPy equation of one particle; solves single Newton iterations of an implicit step."""

    def __init__(self, model: ParticleModel, faces: ReactingFaces) -> None:
        self.model, self.reaction = model, SurfaceReaction(model, faces)
        grid = fipy_mesh(model.particle)
        self.mesh, self._surface = grid.mesh, grid.surface_face_ids
        self.area = np.asarray(self.mesh.cellVolumes)
        self.variable = fipy.CellVariable(mesh=self.mesh, hasOld=True, name="site fraction")
        self._mobility = fipy.CellVariable(mesh=self.mesh, rank=2)
        self._slope = fipy.CellVariable(mesh=self.mesh)
        self._source = fipy.CellVariable(mesh=self.mesh)
        # flux density through the surface, fixed + slope x
        self._outflow = (fipy.FaceVariable(mesh=self.mesh), fipy.FaceVariable(mesh=self.mesh))
        self._term = MultipointDiffusionTerm(coeff=self._mobility, slope=self._slope, outflow=self._outflow)
        self._equation = fipy.TransientTerm(coeff=model.material.c_max) == self._term + self._source

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
        potential = material.chemical_potential(x_k, temperature) - drift
        slope = material.chemical_potential_slope(x_k, temperature) + extra_slope
        i_k, di_dv, di_dx = self.reaction.linearised(x_k, v_k, drift)
        cell, length = self.reaction.faces.cell, self.reaction.faces.length
        base = i_k - di_dx * x_k[cell] - di_dv * v_k  # i = base + di_dx x + di_dv V

        self.variable.setValue(x_old)
        self.variable.updateOld()
        self.variable.setValue(x_k)
        self._mobility.setValue(self.model.mobility(x_k).transpose(1, 2, 0))
        self._slope.setValue(slope)
        self._source.setValue(self._term.divergence(potential - slope * x_k, self.mesh) / self.area)
        fixed = base if voltage is None else base + di_dv * voltage
        for variable, values in zip(self._outflow, (fixed, di_dx), strict=True):
            variable.setValue(self._on_surface(values) / FARADAY)

        solver = BorderedLUSolver() if current is None else self._bordered(current, base, di_dv, di_dx)
        self._equation.sweep(var=self.variable, dt=dt, solver=solver)
        x = np.array(self.variable.value)
        v = solver.border_value if voltage is None else voltage
        assert v is not None  # the bordered solver always sets it
        if current is None:  # under current control the bordered row holds it to round-off
            current = float(length @ (base + di_dx * x[cell] + di_dv * v))
        return Iterate(x, float(v), current)

    def _on_surface(self, values: Array) -> Array:
        """Spread a density on the reacting faces over all faces of the mesh."""
        on_faces = np.zeros(self.mesh.numberOfFaces)
        on_faces[self._surface] = values
        return on_faces

    def _bordered(self, current: float, base: Array, di_dv: Array, di_dx: Array) -> BorderedLUSolver:
        """Solver with the voltage as one more unknown, closed by sum l i = I'."""
        length = self.reaction.faces.length
        return BorderedLUSolver(
            column=-(self._term.boundary(self.mesh) @ self._on_surface(di_dv)) / FARADAY,
            row=self.reaction.to_cells(di_dx),
            corner=float(length @ di_dv),
            right_hand_side=current - float(length @ base),
        )
