"""The peer of the coupled charge: transport and elasticity of an uncracked particle in FiPy's own terms.

The laws of the material and the surface are those of the pipeline. Both balances are written as FiPy's
users write them: a `DiffusionTerm` with the tensor of the cell, and for each displacement a `DiffusionTerm`
with one stiffness K, the rest of the stress following from the pass before (Jasak and Weller, Int. J. Numer.
Meth. Eng. 48, 267, 2000):

    div(K grad u_i) = div(K grad u_i - sigma_i)_before

Coupling the displacements in one matrix by `&` does not help: FiPy treats what is tangential to a face
explicitly, and with it most of the coupling, so that its sweeps diverge.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import fipy
import numpy as np
from numpy.typing import NDArray

from faultline.cycling.run import CURRENT_TOLERANCE, POTENTIAL_TOLERANCE, SITE_FRACTION_TOLERANCE
from faultline.errors import NotConverged
from faultline.materials.particle_model import FARADAY, ParticleModel
from faultline.mechanics.plane import XX, XY, YY, ZZ
from faultline.transport.mesh import fipy_mesh
from faultline.transport.surface import ReactingFaces, SurfaceReaction

Array = NDArray[np.float64]
IN_PLANE = (XX, YY, XY)
SPRING = 1e-4  # of the stiffness over the section's area: holds the rigid motions, which no face resists
MOST_PASSES = 150
RELAXATION = 0.5  # of the site fraction from pass to pass; without it most of a charge does not converge
MOST_HALVINGS = 2


class PlainElasticity:
    """Displacements in the section and the axial strain, one pass at a time; two components only."""

    def __init__(self, mesh: fipy.meshes.mesh2D.Mesh2D, stiffness: Array) -> None:
        self.stiffness, self.area = stiffness, np.asarray(mesh.cellVolumes)
        self.displacement = [fipy.CellVariable(mesh=mesh) for _ in range(2)]
        self.axial_strain = 0.0
        self._implicit = float(np.abs(stiffness[:, :2, :2]).max())
        self._on_cells = fipy.CellVariable(mesh=mesh)
        self._on_faces = {(i, j): self._face_values(stiffness[:, i, j]) for i in IN_PLANE for j in IN_PLANE}
        self._inside = np.asarray(mesh.interiorFaces.value)  # no traction outside
        self._rest = [fipy.FaceVariable(mesh=mesh, rank=1) for _ in range(2)]
        spring = SPRING * self._implicit / self.area.sum()
        self._equations = [
            fipy.DiffusionTerm(coeff=self._implicit, var=u)
            + rest.divergence
            - fipy.ImplicitSourceTerm(coeff=spring, var=u)
            for u, rest in zip(self.displacement, self._rest, strict=True)
        ]

    def sweep(self, eigenstrain: Array) -> Array:
        """One pass under an eigenstrain (n_cells, 6); returns the stress (n_cells, 6), Pa."""
        free = np.einsum("cij,cj->ci", self.stiffness, eigenstrain)
        free -= self.stiffness[:, :, ZZ] * self.axial_strain
        gradients = [u.faceGrad.value for u in self.displacement]
        strain = _in_plane_strain(*gradients)
        stress = {
            i: sum(self._on_faces[i, j] * strain[j] for j in IN_PLANE) - self._face_values(free[:, i])
            for i in IN_PLANE
        }
        for rest, rows, gradient in zip(self._rest, ((XX, XY), (XY, YY)), gradients, strict=True):
            flux = np.array([stress[rows[0]], stress[rows[1]]])
            rest.setValue((flux - self._implicit * gradient) * self._inside)
        for u, equation in zip(self.displacement, self._equations, strict=True):
            equation.sweep(var=u, solver=fipy.LinearLUSolver())
        return self._stress(eigenstrain)

    def _stress(self, eigenstrain: Array) -> Array:
        strain = -eigenstrain
        for i, part in _in_plane_strain(*(u.grad.value for u in self.displacement)).items():
            strain[:, i] += part
        # no axial resultant: sum of A sigma_zz = 0
        axial = self.area @ np.einsum("cj,cj->c", self.stiffness[:, ZZ], strain)
        self.axial_strain = -float(axial / (self.area @ self.stiffness[:, ZZ, ZZ]))
        strain[:, ZZ] += self.axial_strain
        return np.einsum("cij,cj->ci", self.stiffness, strain)

    def _face_values(self, values: Array) -> Array:
        self._on_cells.setValue(values)
        return np.array(self._on_cells.arithmeticFaceValue.value)


def _in_plane_strain(of_x: Array, of_y: Array) -> dict[int, Array]:
    """Strains by Voigt index from the gradients (2, n) of both displacements, engineering shear."""
    return {XX: of_x[0], YY: of_y[1], XY: of_x[1] + of_y[0]}


@dataclass(frozen=True)
class PlainState:
    """Site fraction (n_cells,), voltage V, and the passes that the step took."""

    x: Array
    voltage: float
    passes: int = 0


@dataclass(frozen=True)
class Followed:
    """What a whole step cost: seconds, passes that converged, and how often it was halved for that."""

    seconds: float
    passes: int
    halvings: int


class PlainFiPy:
    """Implicit steps at a given current, transport and elasticity taking turns pass by pass."""

    def __init__(self, model: ParticleModel, faces: ReactingFaces) -> None:
        self.model, self.reaction = model, SurfaceReaction(model, faces)
        mesh = fipy_mesh(model.particle).mesh
        self.area, self.elasticity = np.asarray(mesh.cellVolumes), PlainElasticity(mesh, model.stiffness)
        self.x = fipy.CellVariable(mesh=mesh, hasOld=True)
        self._drift = fipy.CellVariable(mesh=mesh)
        self._mobility, self._tensor = (fipy.CellVariable(mesh=mesh, rank=2) for _ in range(2))
        self._diffusivity = fipy.FaceVariable(mesh=mesh, rank=2)
        self._supply, self._supply_slope = (fipy.CellVariable(mesh=mesh) for _ in range(2))
        self._by_stress = fipy.FaceVariable(mesh=mesh, rank=1)
        self._inside = np.asarray(mesh.interiorFaces.value)
        self._equation = fipy.TransientTerm(coeff=model.material.c_max) == (
            fipy.DiffusionTerm(coeff=self._diffusivity)
            - self._by_stress.divergence
            + self._supply
            + fipy.ImplicitSourceTerm(coeff=self._supply_slope)
        )

    def settle(self, x: Array) -> Array:
        """Stress (n_cells, 6) of a composition, passes until Omega : sigma stands still."""
        before = np.zeros_like(x)
        for _ in range(MOST_PASSES):
            stress = self.elasticity.sweep(self.model.eigenstrain(x))
            drift = self.model.drift(x, stress)
            if self._rms(drift - before) / FARADAY < POTENTIAL_TOLERANCE:
                return stress
            before = drift
        raise NotConverged(f"plain elasticity does not settle in {MOST_PASSES} passes")

    def follow(self, x: Array, voltage: float, current: float, step_s: float) -> Followed:
        """Seconds for a step at a line current (A/m) from a composition that elasticity is settled for.

        A step that does not converge is halved; the time of one part then stands for all. If the smallest
        part fails too, the seconds are what the attempts took, and no pass converged.
        """
        self._drift.setValue(self.model.drift(x, self.settle(x)))
        wasted = 0.0
        for halvings in range(MOST_HALVINGS + 1):
            start = time.perf_counter()
            try:
                after = self.step(PlainState(x, voltage), current, step_s / 2**halvings)
            except NotConverged:
                wasted += time.perf_counter() - start
                continue
            spent = time.perf_counter() - start
            return Followed(wasted + 2**halvings * spent, after.passes * 2**halvings, halvings)
        return Followed(wasted, 0, MOST_HALVINGS)

    def step(self, state: PlainState, current: float, dt: float) -> PlainState:
        """Backward Euler step at a line current (A/m), to the tolerances of the pipeline's `Cycler`."""
        self.x.setValue(state.x)
        self.x.updateOld()
        x, voltage = state.x, state.voltage
        drift = np.array(self._drift.value)
        unit = self.model.material.nominal_site_fraction_change / 3600 * FARADAY * self.model.material.c_max
        for passes in range(1, MOST_PASSES + 1):
            stress = self.elasticity.sweep(self.model.eigenstrain(x))
            new_drift = self.model.drift(x, stress)
            mismatch, drift = self._rms(new_drift - drift) / FARADAY, new_drift
            new_voltage, missing = self._react(x, voltage, drift, current)
            new = self._transport(x, drift, dt)
            misses = (
                self._rms(new - x) / SITE_FRACTION_TOLERANCE,
                mismatch / POTENTIAL_TOLERANCE,
                abs(new_voltage - voltage) / POTENTIAL_TOLERANCE,
                abs(missing) / (CURRENT_TOLERANCE * unit * self.area.sum()),
            )
            if max(misses) < 1:
                return PlainState(new, new_voltage, passes)
            x, voltage = x + RELAXATION * (new - x), new_voltage
        raise NotConverged(f"plain FiPy still misses its tolerances {max(misses):.1f} times over")

    def _react(self, x: Array, voltage: float, drift: Array, current: float) -> tuple[float, float]:
        """Linearised supply of the cells behind the surface; returns the next voltage and what I lacks."""
        faces = self.reaction.faces
        i, by_voltage, by_x = self.reaction.linearised(x, voltage, drift)
        missing = float(current - faces.length @ i)
        next_voltage = voltage + missing / float(faces.length @ by_voltage)
        i = i + by_voltage * (next_voltage - voltage)
        per_cell = -faces.length / FARADAY / self.area[faces.cell]
        n = len(x)
        self._supply.setValue(np.bincount(faces.cell, per_cell * (i - by_x * x[faces.cell]), n))
        self._supply_slope.setValue(np.bincount(faces.cell, per_cell * by_x, n))
        return next_voltage, missing

    def _transport(self, x: Array, drift: Array, dt: float) -> Array:
        """One sweep of c_max dx/dt = div(M (mu' + s) grad x - M grad(Omega : sigma) - M s grad x_k) + supply.

        s is how fast stress would build up if no neighbour yielded; without it the passes diverge.
        """
        mobility = self.model.mobility(x).transpose(1, 2, 0)
        steadying = self.model.clamped_drift_slope(x)
        slope = self.model.material.chemical_potential_slope(x, self.model.temperature) + steadying
        self.x.setValue(x)
        self._mobility.setValue(mobility)
        # FiPy lets the explicit part of a tensor flux out through closed faces: nothing conducts there
        self._tensor.setValue(mobility * slope)
        self._diffusivity.setValue(self._tensor.arithmeticFaceValue.value * self._inside)
        self._drift.setValue(drift)
        self._tensor.setValue(mobility * steadying)
        explicit = _flux(self._mobility, self._drift) + _flux(self._tensor, self.x)
        self._by_stress.setValue(explicit * self._inside)
        self._equation.sweep(var=self.x, dt=dt, solver=fipy.LinearLUSolver())
        low, high = self.model.material.site_fraction_range
        return np.clip(np.array(self.x.value), low, high)

    def _rms(self, values: Array) -> float:
        return float(np.sqrt(self.area @ values**2 / self.area.sum()))


def _flux(tensor: fipy.CellVariable, potential: fipy.CellVariable) -> Array:
    """K grad(phi) on the faces (2, n_faces)."""
    return np.einsum("ijf,jf->if", tensor.arithmeticFaceValue.value, potential.faceGrad.value)
