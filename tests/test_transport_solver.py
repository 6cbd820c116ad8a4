"""The bordered solver: factors that serve many matrices, and one unknown more than cells."""

import numpy as np
import pytest
from fipy import CellVariable, FaceVariable, ImplicitSourceTerm, TransientTerm
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu

from faultline.errors import NotConverged
from faultline.ordering import nested_dissection
from faultline.transport import Border, BorderedLUSolver, MultipointDiffusionTerm
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
    solver = BorderedLUSolver(Border(weight, weight, corner=weight.sum(), right_hand_side=current))
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
    border = Border(
        column=-(term.boundary(mesh) @ per_face.value),
        row=np.bincount(inner, rate * areas, mesh.numberOfCells),
        corner=rate * areas.sum(),
        right_hand_side=current,
    )
    solver = BorderedLUSolver(border)
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


@pytest.mark.parametrize("dt", [0.02, 0.01, 0.2, 1e-4, 6e3])
def test_factors_of_an_earlier_matrix_serve_another(dt, monkeypatch):
    """Another step and another current: the same result to the reduction, the balance to round-off."""
    mesh = triangles(8)
    equation, x, solver, _, _ = galvanostatic(mesh, 0.02, 1.0)
    start = x.value.copy()
    equation.sweep(var=x, dt=0.02, solver=solver)
    kept = solver._factor
    solver.reduction, current = 1e-3, 0.04 / dt
    solver.border = Border(solver.border.column, solver.border.row, solver.border.corner, current)
    x.setValue(start)
    equation.sweep(var=x, dt=dt, solver=solver)
    assert (solver._factor is kept) == (dt in (0.02, 0.01))  # too far from the others: new ones
    _, _, _, exact, volume = galvanostatic(mesh, dt, current)
    change = np.abs(exact - np.r_[start, 0.0]).max()
    assert np.allclose(np.r_[x.value, solver.border_value], exact, rtol=0, atol=1e-3 * change)
    assert abs(2 * volume @ (start - x.value) - current * dt) < 1e-13 * max(1, dt)  # round-off of a rate


def test_a_border_that_moves_nothing_is_refused():
    mesh = triangles(3)
    x = CellVariable(mesh=mesh, value=1.0)
    nothing = np.zeros(mesh.numberOfCells)
    with pytest.raises(NotConverged, match="singular"):
        (TransientTerm() == MultipointDiffusionTerm(1.0)).solve(
            x, dt=1.0, solver=BorderedLUSolver(Border(nothing, nothing, 0.0, 0.0))
        )


def test_nested_dissection_orders_every_unknown_once_and_fills_less_than_rows_do():
    mesh = triangles(24)
    matrix = csr_array(eye_array(mesh.numberOfCells) - MultipointDiffusionTerm(1.0).operator(mesh))
    order = nested_dissection(matrix, np.asarray(mesh.cellCenters).T)
    assert np.array_equal(np.sort(order), np.arange(mesh.numberOfCells))

    def fill(rows):
        return splu(
            matrix[rows][:, rows].tocsc(),
            permc_spec="NATURAL",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        ).L.nnz

    by_rows = np.lexsort(np.round(np.asarray(mesh.cellCenters), 6))
    assert fill(order) < 0.6 * fill(by_rows)
