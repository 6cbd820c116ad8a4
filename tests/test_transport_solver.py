"""The bordered solver: one factorisation for the cells and one more unknown."""

import numpy as np
import pytest
from fipy import CellVariable, FaceVariable, ImplicitSourceTerm, TransientTerm

from faultline.errors import NotConverged
from faultline.transport import BorderedLUSolver, MultipointDiffusionTerm
from test_transport_operator import anisotropic, triangles


def galvanostatic(mesh, dt, current, hold=0.7):
    """One step with outflow g (V + x) on two sides and V such that the total is ``current``."""
    n, volume = mesh.numberOfCells, np.asarray(mesh.cellVolumes)
    face = np.asarray(mesh.faceCenters)[0]
    side = np.isclose(face, 0) | np.isclose(face, 1)
    weight = hold * np.bincount(
        np.ma.filled(mesh.faceCellIDs, -1)[0][side], np.asarray(mesh._faceAreas)[side], n
    )
    start = np.asarray(mesh.cellCenters)[1]
    x = CellVariable(mesh=mesh, value=start, hasOld=True)
    term = MultipointDiffusionTerm(anisotropic(10.0))
    equation = TransientTerm(coeff=2.0) == term - ImplicitSourceTerm(
        CellVariable(mesh=mesh, value=weight / volume)
    )
    solver = BorderedLUSolver(column=weight, row=weight, corner=weight.sum(), right_hand_side=current)
    matrix = np.diag(2 * volume / dt + weight) - term.operator(mesh).toarray()
    dense = np.block([[matrix, weight[:, None]], [weight[None, :], weight.sum()]])
    exact = np.linalg.solve(dense, np.r_[2 * volume * start / dt, current])
    return equation, x, solver, exact, volume


@pytest.mark.parametrize("dt", [1e-3, 1.0, 1e2])
def test_matches_a_dense_bordered_solve_and_keeps_the_balance(dt):
    mesh, current = triangles(6), 0.04 / dt  # 2 % of the content
    equation, x, solver, exact, volume = galvanostatic(mesh, dt, current)
    start = x.value.copy()
    equation.sweep(var=x, dt=dt, solver=solver)
    assert np.allclose(np.r_[x.value, solver.border_value], exact, rtol=1e-9, atol=1e-11)
    assert solver.relative_residual < 1e-13
    lost = 2 * volume @ (start - x.value)
    assert abs(lost - current * dt) < 1e-11


def test_total_current_through_the_surface_with_the_outflow_of_the_term():
    """The voltage at which the boundary fluxes b (V + x) sum to a given current."""
    mesh, dt, current, rate = triangles(8), 0.2, 0.15, 0.7
    areas = np.where(np.asarray(mesh.exteriorFaces), np.asarray(mesh._faceAreas), 0.0)
    inner, volume = np.ma.filled(mesh.faceCellIDs, -1)[0], np.asarray(mesh.cellVolumes)
    start = np.asarray(mesh.cellCenters)[1]
    x = CellVariable(mesh=mesh, value=start, hasOld=True)
    per_face = FaceVariable(mesh=mesh, value=rate)
    term = MultipointDiffusionTerm(anisotropic(10.0), outflow=(0.0, per_face))
    solver = BorderedLUSolver(
        column=-(term.boundary(mesh) @ per_face.value),
        row=np.bincount(inner, rate * areas, mesh.numberOfCells),
        corner=rate * areas.sum(),
        right_hand_side=current,
    )
    (TransientTerm() == term).sweep(var=x, dt=dt, solver=solver)
    outflow = areas @ (rate * (solver.border_value + x.value[inner]))
    assert np.isclose(outflow, current, rtol=1e-12)
    assert np.isclose(volume @ (start - x.value), current * dt, rtol=1e-12)


def test_without_a_border_it_is_a_direct_solver():
    mesh = triangles(5)
    x = CellVariable(mesh=mesh, value=np.asarray(mesh.cellCenters)[0])
    start, volume, solver = x.value.copy(), np.diag(np.asarray(mesh.cellVolumes)), BorderedLUSolver()
    (TransientTerm() == MultipointDiffusionTerm(4.0)).sweep(var=x, dt=0.3, solver=solver)
    matrix = volume / 0.3 - MultipointDiffusionTerm(4.0).operator(mesh).toarray()
    assert np.allclose(x.value, np.linalg.solve(matrix, volume @ start / 0.3), rtol=0, atol=1e-13)
    assert solver.border_value is None


def test_bad_borders_are_refused():
    with pytest.raises(ValueError, match="both"):
        BorderedLUSolver(column=[1.0])
    mesh = triangles(3)
    x = CellVariable(mesh=mesh, value=1.0)
    nothing = np.zeros(mesh.numberOfCells)
    with pytest.raises(NotConverged, match="singular"):
        (TransientTerm() == MultipointDiffusionTerm(1.0)).solve(
            x, dt=1.0, solver=BorderedLUSolver(nothing, nothing)
        )
