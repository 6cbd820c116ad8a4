"""The multipoint term inside FiPy's equations, and the particle's mesh."""

import doctest

import numpy as np
import pytest
from fipy import (
    CellVariable,
    DiffusionTerm,
    ExponentialConvectionTerm,
    FaceVariable,
    Grid1D,
    Grid2D,
    ImplicitSourceTerm,
    LinearLUSolver,
    TransientTerm,
)
from fipy.terms import TermMultiplyError
from scipy.spatial import Delaunay
from scipy.special import j0, jn_zeros

import faultline.transport.multipoint
from faultline.microstructure.particle import rectangle_particle
from faultline.transport import MultipointDiffusionTerm, fipy_mesh
from faultline.transport.mesh import triangle_mesh
from test_transport_operator import anisotropic, manufactured, manufactured_hessian, triangles


def lu():
    return LinearLUSolver(tolerance=1e-14)


def test_documented_examples_hold():
    outcome = doctest.testmod(faultline.transport.multipoint)
    assert outcome.attempted > 10
    assert outcome.failed == 0


def test_equals_fipys_term_on_an_orthogonal_grid():
    mesh = Grid2D(nx=4, ny=3, dx=0.3, dy=0.7)
    solutions = []
    for term in (DiffusionTerm(coeff=2.5), MultipointDiffusionTerm(coeff=2.5)):
        phi = CellVariable(mesh=mesh, value=np.arange(12.0))
        phi.constrain(1.0, where=mesh.facesLeft)
        phi.faceGrad.constrain([[0.5], [0.0]], where=mesh.facesRight)
        (TransientTerm(coeff=3.0) == term - ImplicitSourceTerm(coeff=0.4)).solve(var=phi, dt=0.7, solver=lu())
        solutions.append(phi.value.copy())
    assert np.allclose(*solutions, rtol=0, atol=1e-12)


def test_equals_fipys_term_in_one_dimension_with_harmonic_means():
    mesh = Grid1D(dx=[0.5] * 6)
    coeff = CellVariable(mesh=mesh, value=[1.0, 1.0, 100.0, 100.0, 3.0, 3.0])
    solutions = []
    for term in (DiffusionTerm(coeff=coeff.harmonicFaceValue), MultipointDiffusionTerm(coeff=coeff)):
        phi = CellVariable(mesh=mesh, value=np.arange(6.0))
        (TransientTerm() == term).solve(var=phi, dt=0.1, solver=lu())
        solutions.append(phi.value.copy())
    assert np.allclose(*solutions, rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", ["number", "tensor", "array", "cells", "scalar variable", "tensor variable"])
def test_coefficients_of_every_kind(form):
    mesh = triangles(4)
    cells = mesh.numberOfCells
    coeff = {
        "number": 2.0,
        "tensor": 2 * np.eye(2),
        "array": np.repeat(2 * np.eye(2)[:, :, None], cells, axis=2),
        "cells": np.full(cells, 2.0),
        "scalar variable": CellVariable(mesh=mesh, value=2.0),
        "tensor variable": CellVariable(
            mesh=mesh, rank=2, value=np.repeat(2 * np.eye(2)[:, :, None], cells, 2)
        ),
    }[form]
    reference = MultipointDiffusionTerm(coeff=1.0).operator(mesh)
    assert np.allclose(MultipointDiffusionTerm(coeff=coeff).operator(mesh).toarray(), 2 * reference.toarray())


def test_changed_coefficients_and_constraints_are_seen():
    mesh = triangles(4)
    coeff = CellVariable(mesh=mesh, value=1.0)
    phi = CellVariable(mesh=mesh)
    flux = CellVariable(mesh=mesh, value=1.0)
    equation = MultipointDiffusionTerm(coeff=coeff) + flux
    phi.constrain(0.0, where=mesh.exteriorFaces)
    equation.solve(var=phi, solver=lu())
    first = phi.value.copy()
    coeff.setValue(4.0)
    equation.solve(var=phi, solver=lu())
    assert np.allclose(phi.value, first / 4)
    phi.constrain(1.0, where=mesh.exteriorFaces)
    equation.solve(var=phi, solver=lu())
    assert np.allclose(phi.value, 1 + first / 4)


def test_gradient_constraint_carries_its_flux_for_a_full_tensor():
    mesh, tensor, gradient = triangles(6), anisotropic(20.0), np.array([1.5, -0.5])
    cell, face = np.asarray(mesh.cellCenters), np.asarray(mesh.faceCenters)
    phi = CellVariable(mesh=mesh)
    phi.constrain(gradient @ face, where=mesh.facesLeft)
    phi.faceGrad.constrain(
        np.outer(gradient, np.ones(face.shape[1])), where=mesh.exteriorFaces & ~mesh.facesLeft
    )
    MultipointDiffusionTerm(coeff=tensor).solve(var=phi, solver=lu())
    assert np.allclose(phi.value, gradient @ cell, rtol=0, atol=1e-11)


def test_coupled_equations_solve_both_variables_at_once():
    mesh = triangles(5)
    x = np.asarray(mesh.cellCenters)[0]
    u, v = (CellVariable(mesh=mesh, value=value, hasOld=True) for value in (x, x**2))
    first = TransientTerm(var=u) == MultipointDiffusionTerm(2.0, var=u) + MultipointDiffusionTerm(0.5, var=v)
    second = TransientTerm(var=v) == MultipointDiffusionTerm(anisotropic(3.0), var=v) - ImplicitSourceTerm(
        1.0, var=u
    )
    (first & second).solve(dt=0.1, solver=lu())
    volume, n = np.diag(np.asarray(mesh.cellVolumes)), mesh.numberOfCells
    one = MultipointDiffusionTerm(1.0).operator(mesh).toarray()
    full = MultipointDiffusionTerm(anisotropic(3.0)).operator(mesh).toarray()
    matrix = np.block([[volume / 0.1 - 2 * one, -0.5 * one], [volume, volume / 0.1 - full]])
    exact = np.linalg.solve(matrix, np.r_[volume @ x, volume @ x**2] / 0.1)
    assert np.allclose(np.r_[u.value, v.value], exact, rtol=0, atol=1e-12)
    assert exact[:n].std() < x.std()


def test_slope_linearises_a_flux_in_the_potential():
    """Newton on c_t = div(grad mu(c)), mu = c^3 + c, converges quadratically to the nonlinear step."""
    mesh = triangles(5)
    old = np.asarray(mesh.cellCenters)[0]
    volume, dt = np.asarray(mesh.cellVolumes), 0.5
    slope, potential = (CellVariable(mesh=mesh) for _ in range(2))
    c = CellVariable(mesh=mesh, value=old, hasOld=True)
    term = MultipointDiffusionTerm(1.0, slope=slope, potential=potential)
    equation = TransientTerm() == term
    sizes = []
    for _ in range(7):
        x = c.value.copy()
        residual = volume * (x - old) / dt - term.divergence(x**3 + x, mesh)
        sizes.append(np.abs(residual).max())
        slope.setValue(3 * x**2 + 1)
        potential.setValue(x**3 + x - (3 * x**2 + 1) * x)
        c.setValue(old)
        c.updateOld()
        c.setValue(x)
        equation.sweep(var=c, dt=dt, solver=lu())
    assert sizes[-1] < 1e-15
    assert np.sum(np.array(sizes) > 1e-10) <= 5
    assert np.isclose(volume @ c.value, volume @ old, rtol=1e-13)


def test_interface_conductance_as_a_face_variable():
    mesh = triangles(6, keep=lambda p: np.isclose(p[:, 0], 0.5))
    x = np.asarray(mesh.cellCenters)[0]
    blocked = FaceVariable(mesh=mesh, value=np.inf)
    blocked.setValue(0.0, where=np.isclose(np.asarray(mesh.faceCenters)[0], 0.5))
    phi = CellVariable(mesh=mesh, value=np.where(x < 0.5, 1.0, 2.0))
    (TransientTerm() == MultipointDiffusionTerm(3.0, interface_conductance=blocked)).solve(
        phi, dt=10.0, solver=lu()
    )
    assert np.allclose(phi.value, np.where(x < 0.5, 1.0, 2.0), rtol=0, atol=1e-12)


def test_works_beside_a_convection_term():
    """FiPy's convection takes its Peclet number from the term: then exact in 1D."""
    mesh = Grid1D(dx=[0.1] * 10)
    phi = CellVariable(mesh=mesh)
    phi.constrain(0.0, where=mesh.facesLeft)
    phi.constrain(1.0, where=mesh.facesRight)
    (MultipointDiffusionTerm(1.0) + ExponentialConvectionTerm(coeff=(10.0,))).solve(var=phi, solver=lu())
    x = np.asarray(mesh.cellCenters)[0]
    assert np.allclose(phi.value, (1 - np.exp(-10 * x)) / (1 - np.exp(-10)), atol=1e-9)


def test_ten_times_less_error_than_fipys_term_on_the_same_triangles():
    mesh, tensor = triangles(30, jitter=0.25), anisotropic(10.0)
    cell, face = np.asarray(mesh.cellCenters), np.asarray(mesh.faceCenters)
    exact, volume = manufactured(*cell), np.asarray(mesh.cellVolumes)
    source = CellVariable(mesh=mesh, value=np.einsum("ij,ijn->n", tensor, manufactured_hessian(*cell)))
    errors = []
    for term, sweeps in ((DiffusionTerm(coeff=[tensor]), 15), (MultipointDiffusionTerm(coeff=tensor), 1)):
        phi = CellVariable(mesh=mesh)
        phi.constrain(manufactured(*face), where=mesh.exteriorFaces)
        for _ in range(sweeps):
            (term == source).sweep(var=phi, solver=lu())
        errors.append(np.sqrt(np.sum(volume * (phi.value - exact) ** 2)))
    assert errors[1] < errors[0] / 10, errors


def test_a_source_does_what_the_transient_term_does():
    mesh = fipy_mesh(rectangle_particle((1.0, 0.5), (5, 4))).mesh
    x, y = np.asarray(mesh.cellCenters)
    storage, dt, slope = 1 + x, 0.3, 2 + y
    old, outflow = np.sin(3 * x) + y, (0.1 * mesh.exteriorFaces.value, 0.2 * mesh.exteriorFaces.value)
    plain, own = (CellVariable(mesh=mesh, value=old, hasOld=True) for _ in range(2))
    options = {"slope": slope, "potential": x * y, "outflow": outflow}
    transient = TransientTerm(coeff=CellVariable(mesh=mesh, value=storage))
    term = MultipointDiffusionTerm(1.0, **options)
    (transient == term).solve(var=plain, dt=dt, solver=lu())
    rate = storage / dt
    for sign in (1, -1):  # the term's own sign does not matter where it stands alone
        own.setValue(old)
        term = sign * MultipointDiffusionTerm(1.0, **options, source=(rate * old, rate))
        for _ in range(2):  # what is kept of the first solve does not spoil the second
            term.solve(var=own, solver=lu())
        assert np.allclose(own.value, plain.value, rtol=0, atol=1e-12)


def test_plane_sheet_with_constant_surface_flux():
    """Crank, The Mathematics of Diffusion, eq. 4.55: flux 1 into x = 1, closed at x = 0, D = 1."""
    particle = rectangle_particle((1.0, 0.1), (40, 4))
    mesh = fipy_mesh(particle).mesh
    face = np.isclose(np.asarray(mesh.faceCenters)[0], 1.0)
    phi = CellVariable(mesh=mesh, hasOld=True)
    phi.faceGrad.constrain([[1.0], [0.0]], where=face)
    equation, time, steps = TransientTerm() == MultipointDiffusionTerm(1.0), 0.1, 200
    for _ in range(steps):
        phi.updateOld()
        equation.solve(var=phi, dt=time / steps, solver=lu())
    x, n = np.asarray(mesh.cellCenters)[0], np.arange(1, 40)[:, None]
    series = (-1.0) ** n / n**2 * np.exp(-((n * np.pi) ** 2) * time) * np.cos(n * np.pi * x)
    exact = time + (3 * x**2 - 1) / 6 - 2 / np.pi**2 * series.sum(axis=0)
    assert np.isclose(np.asarray(mesh.cellVolumes) @ phi.value, 0.1 * time, rtol=1e-12)
    assert np.abs(phi.value - exact).max() < 2e-3 * exact.max()


def disc_mesh(rings):
    """Triangles of the unit disc from rings of 6 k points."""
    angle = [np.arange(6 * k) * 2 * np.pi / (6 * k) + 0.3 * k for k in range(1, rings + 1)]
    ring = [k / rings * np.c_[np.cos(a), np.sin(a)] for k, a in enumerate(angle, start=1)]
    points = np.concatenate([[[0.0, 0.0]], *ring])
    cells = Delaunay(points).simplices.astype(np.int64)
    one, two = (points[cells[:, k]] - points[cells[:, 0]] for k in (1, 2))
    turn = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    cells[turn < 0] = cells[turn < 0][:, ::-1]
    return triangle_mesh(points, cells)


def test_cylinder_with_constant_surface_flux():
    """Crank eq. 5.45: flux 1 through r = 1, D = 1; second order in the mesh."""
    errors = []
    for rings in (8, 16):
        mesh = disc_mesh(rings)
        phi = CellVariable(mesh=mesh, hasOld=True)
        normal = np.asarray(mesh.faceNormals)
        phi.faceGrad.constrain(normal, where=mesh.exteriorFaces)
        equation, time, steps = TransientTerm() == MultipointDiffusionTerm(1.0), 0.15, 60
        t = time * (np.arange(1, steps + 1) / steps) ** 2  # short steps first
        for dt in np.diff(t, prepend=0.0):
            phi.updateOld()
            equation.solve(var=phi, dt=dt, solver=lu())
        r, root = np.hypot(*np.asarray(mesh.cellCenters)), jn_zeros(1, 30)[:, None]
        series = np.exp(-(root**2) * time) * j0(root * r) / (root**2 * j0(root))
        exact = 2 * time + r**2 / 2 - 0.25 - 2 * series.sum(axis=0)
        volume = np.asarray(mesh.cellVolumes)
        errors.append(np.sqrt(np.sum(volume * (phi.value - exact) ** 2) / np.sum(volume * exact**2)))
    assert errors[1] < 5e-3, errors


@pytest.mark.parametrize("ratio", [1.0, 10.0])
def test_outflow_is_second_order_and_keeps_the_balance(ratio):
    """Steady div(K grad u) = tr K on the disc with the outflow n . q = a + b u of u = r^2 / 2."""
    tensor, rate, errors = anisotropic(ratio), 0.7, []
    for rings in (8, 16):
        mesh = disc_mesh(rings)
        cell, face = np.asarray(mesh.cellCenters), np.asarray(mesh.faceCenters)
        inner, volume = np.ma.filled(mesh.faceCellIDs, -1)[0], np.asarray(mesh.cellVolumes)
        exact = (cell**2).sum(axis=0) / 2
        outward = -np.einsum("in,ij,jn->n", np.asarray(mesh.faceNormals), tensor, face)
        phi = CellVariable(mesh=mesh)
        term = MultipointDiffusionTerm(tensor, outflow=(outward - rate * exact[inner], rate))
        (term == np.trace(tensor)).solve(var=phi, solver=lu())
        errors.append(np.sqrt(np.sum(volume * (phi.value - exact) ** 2)))
        areas = np.where(np.asarray(mesh.exteriorFaces), np.asarray(mesh._faceAreas), 0.0)
        assert np.allclose(np.asarray(term.boundary(mesh).sum(axis=0)).ravel(), -areas, rtol=0, atol=1e-13)
        leaving = areas @ (outward + rate * (phi.value - exact)[inner])
        assert np.isclose(leaving, -np.trace(tensor) * volume.sum(), rtol=1e-11)
    assert np.log2(errors[0] / errors[1]) > 1.8, errors


def test_open_interfaces_become_two_exterior_faces():
    particle = rectangle_particle((2.0, 1.0), (4, 3), grain_of=lambda p: p[:, 0] > 1.0)
    closed = fipy_mesh(particle)
    is_open = particle.interface_midpoint[:, 1] > 0.5
    opened = fipy_mesh(particle, is_open)
    pairs = np.ma.filled(opened.mesh.faceCellIDs, -1)
    assert opened.mesh.numberOfFaces == closed.mesh.numberOfFaces + is_open.sum()
    assert np.array_equal(pairs[0][opened.open_face_ids], particle.interface_cells[is_open])
    assert np.all(pairs[1][opened.open_face_ids] == -1)
    assert np.allclose(
        np.asarray(opened.mesh.faceCenters).T[opened.interface_face_ids], particle.interface_midpoint
    )
    assert np.array_equal(pairs[0][opened.surface_face_ids], particle.surface_cells)
    # An open face conducts as a blocked one does.
    blocked = np.full(closed.mesh.numberOfFaces, np.inf)
    blocked[closed.interface_face_ids[is_open]] = 0.0
    tensor = anisotropic(5.0)
    one = MultipointDiffusionTerm(tensor).operator(opened.mesh)
    two = MultipointDiffusionTerm(tensor, interface_conductance=blocked).operator(closed.mesh)
    assert np.allclose(one.toarray(), two.toarray(), rtol=0, atol=1e-12)


def test_particle_mesh_keeps_cells_and_finds_faces():
    particle = rectangle_particle((2e-6, 1e-6), (6, 4), grain_of=lambda p: p[:, 0] > 1e-6)
    transport = fipy_mesh(particle)
    mesh = transport.mesh
    assert np.allclose(np.asarray(mesh.cellCenters).T, particle.cell_centroid, rtol=1e-12)
    assert np.allclose(np.asarray(mesh.cellVolumes), particle.cell_area, rtol=1e-12)
    face = np.asarray(mesh.faceCenters).T
    pairs = np.ma.filled(mesh.faceCellIDs, -1).T
    assert np.allclose(face[transport.interface_face_ids], particle.interface_midpoint)
    assert np.allclose(face[transport.surface_face_ids], particle.surface_midpoint)
    assert np.array_equal(np.sort(pairs[transport.interface_face_ids]), np.sort(particle.interface_cells))
    assert np.array_equal(pairs[transport.surface_face_ids, 0], particle.surface_cells)
    assert np.array_equal(np.sort(transport.surface_face_ids), np.nonzero(np.asarray(mesh.exteriorFaces))[0])


def test_misuse_is_named():
    mesh = triangles(3)
    phi = CellVariable(mesh=mesh)
    with pytest.raises(TypeError, match="on cells"):
        MultipointDiffusionTerm(FaceVariable(mesh=mesh, value=1.0))
    with pytest.raises(ValueError, match="coefficient of shape"):
        MultipointDiffusionTerm([1.0, 2.0, 3.0]).solve(phi)
    with pytest.raises(TermMultiplyError):
        MultipointDiffusionTerm(1.0) * phi
    with pytest.raises(ValueError, match="mesh"):
        MultipointDiffusionTerm(1.0).divergence(np.zeros(3))
    with pytest.raises(TypeError, match="scalar"):
        MultipointDiffusionTerm(1.0).solve(CellVariable(mesh=mesh, rank=1), solver=lu())
    phi.constrain(0.0, where=~mesh.exteriorFaces)
    with pytest.raises(ValueError, match="exterior"):
        MultipointDiffusionTerm(1.0).solve(phi)
