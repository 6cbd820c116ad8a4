"""The multipoint flux: exactness, order, conservation and interfaces, without FiPy's equations."""

import numpy as np
import pytest
from fipy import Grid2D, PeriodicGrid2D, SkewedGrid2D
from fipy.meshes.mesh import Mesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from scipy.spatial import Delaunay

from faultline.transport.mesh import triangle_mesh
from faultline.transport.operator import MultipointOperator, operator_of


def jittered(n, dim=2, jitter=0.2, seed=0, keep=None):
    """Points of a unit grid, moved by up to ``jitter`` cells, but not on the boundary nor where ``keep``."""
    axis = np.linspace(0, 1, n + 1)
    points = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    free = np.all((points > 1e-9) & (points < 1 - 1e-9), axis=1)
    if keep is not None:
        free &= ~keep(points)
    points[free] += np.random.default_rng(seed).uniform(-jitter, jitter, (free.sum(), dim)) / n
    return points


def triangles(n, **options):
    """Unstructured triangles of the unit square as a FiPy mesh."""
    points = jittered(n, **options)
    cells = Delaunay(points).simplices.astype(np.int64)
    one, two = (points[cells[:, k]] - points[cells[:, 0]] for k in (1, 2))
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    cells[area < 0] = cells[area < 0][:, ::-1]
    return triangle_mesh(points, cells[np.abs(area) > 1e-9])


def tetrahedra(n, jitter=0.2):
    """Unstructured tetrahedra of the unit cube as a FiPy mesh."""
    points = jittered(n, dim=3, jitter=jitter)
    cells = Delaunay(points, qhull_options="QJ").simplices
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    cells = np.sort(cells[np.abs(np.linalg.det(edges)) > 1e-6 / n**3], axis=1)
    faces = np.concatenate([np.delete(cells, k, axis=1) for k in range(4)])
    faces, cell_face = np.unique(faces, axis=0, return_inverse=True)
    return Mesh(points.T.copy(), faces.T.copy(), cell_face.reshape(4, -1))


def rotation(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def anisotropic(ratio, angle=0.5):
    return rotation(angle) @ np.diag([ratio, 1.0]) @ rotation(angle).T


def uniform(tensor, mesh):
    return np.broadcast_to(tensor, (mesh.numberOfCells, *np.shape(tensor)))


def centres(mesh):
    return np.asarray(mesh.cellCenters), np.asarray(mesh.faceCenters)


MESHES = {
    "triangles": lambda: triangles(6),
    "tetrahedra": lambda: tetrahedra(3),
    "squares": lambda: Grid2D(nx=5, ny=4),
    "quadrilaterals": lambda: SkewedGrid2D(nx=6, ny=6, rand=0.3),
}


@pytest.mark.parametrize("kind", MESHES)
@pytest.mark.parametrize("ratio", [1.0, 10.0, 100.0])
def test_linear_fields_are_exact(kind, ratio):
    mesh = MESHES[kind]()
    dim, operator = mesh.dim, operator_of(mesh)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(dim, dim)))[0]
    tensor = turn @ np.diag([ratio] + [1.0] * (dim - 1)) @ turn.T
    gradient = np.arange(1.0, dim + 1)
    cell, face = centres(mesh)
    flux = -(gradient @ tensor @ np.asarray(mesh.faceNormals)) * np.asarray(mesh._faceAreas)
    outward = np.where(operator.exterior, flux / np.asarray(mesh._faceAreas), 0.0)
    for dirichlet, datum in ((operator.exterior, gradient @ face), (None, outward)):
        stencil = operator.stencil(uniform(tensor, mesh), dirichlet=dirichlet)
        divergence = stencil.matrix @ (gradient @ cell) + stencil.boundary @ datum
        assert np.abs(divergence).max() < 2e-12 * ratio
        assert np.allclose(stencil.face_flux(gradient @ cell, datum), flux, rtol=0, atol=2e-12 * ratio)


def test_piecewise_linear_field_over_jumping_tensors_is_exact():
    mesh = triangles(8, keep=lambda p: np.isclose(p[:, 0], 0.5))
    operator, (cell, face) = operator_of(mesh), centres(mesh)
    left, right = anisotropic(100.0, 0.3), anisotropic(10.0, -1.1) * 1e-3
    slope = np.array([1.0, 2.0])
    # Same slope along the interface x = 1/2, same normal flux through it.
    across = (left[0] @ slope - right[0, 1] * slope[1]) / right[0, 0]
    exact = np.where(
        np.r_[cell[0], face[0]] < 0.5,
        slope @ np.c_[cell, face],
        across * (np.r_[cell[0], face[0]] - 0.5) + 0.5 * slope[0] + slope[1] * np.r_[cell[1], face[1]],
    )
    phi, datum = np.split(exact, [mesh.numberOfCells])
    tensor = np.where((cell[0] < 0.5)[:, None, None], left, right)
    stencil = operator.stencil(tensor, dirichlet=operator.exterior)
    assert np.abs(stencil.matrix @ phi + stencil.boundary @ datum).max() < 1e-10


@pytest.mark.parametrize("ratio", [1.0, 10.0, 100.0])
def test_second_order_on_triangles(ratio):
    tensor = anisotropic(ratio)
    errors = [manufactured_error(triangles(n, jitter=0.25), tensor) for n in (12, 24, 48)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(orders > 1.8), (errors, orders)


def manufactured_error(mesh, tensor):
    """L2 error of sin(2 x + 0.3) cos(3 y) with Dirichlet boundaries."""
    operator, (cell, face) = operator_of(mesh), centres(mesh)
    volume = np.asarray(mesh.cellVolumes)
    source = np.einsum("ij,ijn->n", tensor, manufactured_hessian(*cell))
    stencil = operator.stencil(uniform(tensor, mesh), dirichlet=operator.exterior)
    phi = spsolve(stencil.matrix.tocsc(), source * volume - stencil.boundary @ manufactured(*face))
    return np.sqrt(np.sum(volume * (phi - manufactured(*cell)) ** 2))


def manufactured(x, y):
    return np.sin(2 * x + 0.3) * np.cos(3 * y)


def manufactured_hessian(x, y):
    mixed = -6 * np.cos(2 * x + 0.3) * np.sin(3 * y)
    return np.array([[-4 * manufactured(x, y), mixed], [mixed, -9 * manufactured(x, y)]])


def test_second_order_on_tetrahedra():
    errors = []
    for n in (4, 8):
        mesh = tetrahedra(n)
        operator, (cell, face) = operator_of(mesh), centres(mesh)
        tensor, wave = np.diag([1.0, 2.0, 5.0]), np.array([1.5, 2.0, 1.0])
        stencil = operator.stencil(uniform(tensor, mesh), dirichlet=operator.exterior)
        volume, exact = np.asarray(mesh.cellVolumes), np.sin(wave @ cell)
        rhs = -(wave @ tensor @ wave) * exact * volume - stencil.boundary @ np.sin(wave @ face)
        phi = spsolve(stencil.matrix.tocsc(), rhs)
        errors.append(np.sqrt(np.sum(volume * (phi - exact) ** 2)))
    assert np.log2(errors[0] / errors[1]) > 1.7, errors


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), spread=st.floats(0, 3))
def test_symmetric_and_dissipative_for_any_tensors_and_interfaces(seed, spread):
    rng = np.random.default_rng(seed)
    mesh = triangles(5, seed=seed, jitter=0.3)
    root = rng.normal(size=(mesh.numberOfCells, 2, 2)) * 10 ** rng.uniform(
        -spread, spread, (mesh.numberOfCells, 1, 1)
    )
    tensor = root @ root.transpose(0, 2, 1) + 1e-3 * np.eye(2)
    conductance = rng.choice([0.0, 1e-6, 1.0, np.inf], mesh.numberOfFaces)
    matrix = operator_of(mesh).assemble(tensor, conductance).toarray()
    size = np.abs(matrix).max()
    assert np.abs(matrix - matrix.T).max() < 1e-9 * size
    assert np.abs(matrix.sum(axis=1)).max() < 1e-9 * size
    assert np.linalg.eigvalsh((matrix + matrix.T) / 2).max() < 1e-9 * size


def test_face_fluxes_balance_every_cell():
    mesh = triangles(7)
    rng = np.random.default_rng(3)
    operator, phi = operator_of(mesh), rng.normal(size=mesh.numberOfCells)
    conductance = rng.choice([0.0, 2.0, np.inf], mesh.numberOfFaces)
    stencil = operator.stencil(uniform(anisotropic(10.0), mesh), conductance)
    datum = np.where(operator.exterior, rng.normal(size=mesh.numberOfFaces), 0.0)
    flux = stencil.face_flux(phi, datum)
    first, second = np.ma.filled(mesh.faceCellIDs, -1)
    leaving = np.bincount(first, flux, minlength=len(phi))
    leaving -= np.bincount(second[second >= 0], flux[second >= 0], minlength=len(phi))
    divergence = stencil.matrix @ phi + stencil.boundary @ datum
    assert np.allclose(divergence, -leaving, atol=1e-13 * np.abs(flux).max())
    assert np.allclose(flux[operator.exterior], (datum * np.asarray(mesh._faceAreas))[operator.exterior])
    assert np.all(np.abs(flux[conductance == 0][~operator.exterior[conductance == 0]]) < 1e-14)
    assert np.isclose(divergence.sum(), -np.sum(datum * np.asarray(mesh._faceAreas)))


@pytest.mark.parametrize("conductance", [1e-12, 1e-3, 1.0, 1e9, np.inf])
def test_resistive_interface_matches_resistances_in_series(conductance):
    mesh = triangles(6, keep=lambda p: np.isclose(p[:, 0], 0.5))
    operator, (cell, face) = operator_of(mesh), centres(mesh)
    left, right = 3.0, 0.2
    per_face = np.where(np.isclose(face[0], 0.5), conductance, np.inf)
    ends = np.isclose(face[0], 0) | np.isclose(face[0], 1)
    tensor = np.where(cell[0] < 0.5, left, right)[:, None, None] * np.eye(2)
    stencil = operator.stencil(tensor, per_face, dirichlet=ends)
    phi = spsolve(stencil.matrix.tocsc(), -stencil.boundary @ np.isclose(face[0], 0).astype(float))
    flux = 1 / (0.5 / left + 1 / conductance + 0.5 / right)
    expected = np.where(cell[0] < 0.5, 1 - flux * cell[0] / left, flux * (1 - cell[0]) / right)
    assert np.allclose(phi, expected, rtol=0, atol=1e-12)
    through = stencil.face_flux(phi, np.isclose(face[0], 0).astype(float))[np.isclose(face[0], 0.5)]
    assert np.isclose(np.abs(through).sum(), flux, rtol=1e-9)


def test_blocked_faces_part_the_mesh():
    mesh = triangles(6, keep=lambda p: np.isclose(p[:, 0], 0.5))
    cell, face = centres(mesh)
    blocked = np.where(np.isclose(face[0], 0.5), 0.0, np.inf)
    matrix = operator_of(mesh).assemble(uniform(anisotropic(10.0), mesh), blocked)
    matrix.eliminate_zeros()
    count, label = connected_components(matrix)
    assert count == 2
    assert len(set(label[cell[0] < 0.5])) == 1


def test_a_direction_that_conducts_nothing_stays_solvable():
    mesh = triangles(5)
    tensor = uniform(np.diag([0.0, 1.0]), mesh).copy()
    tensor[::7] = 0.0
    matrix = operator_of(mesh).assemble(tensor)
    assert np.all(np.isfinite(matrix.data))
    assert np.abs(matrix[::7]).max() < 1e-10 * np.abs(matrix).max()
    assert np.allclose(operator_of(mesh).assemble(np.zeros_like(tensor)).data, 0)


def test_assembly_leaves_earlier_matrices_alone():
    mesh = triangles(5)
    operator = operator_of(mesh)
    one = operator.assemble(uniform(np.eye(2), mesh))
    before = one.toarray()
    one.sort_indices()
    two = operator.assemble(uniform(2 * np.eye(2), mesh))
    assert np.allclose(two.toarray(), 2 * before)
    assert np.array_equal(one.toarray(), before)
    assert operator_of(mesh) is operator


def test_unsuitable_input_is_refused():
    with pytest.raises(ValueError, match="periodic"):
        MultipointOperator(PeriodicGrid2D(nx=4, ny=4))
    operator = operator_of(Grid2D(nx=2, ny=2))
    with pytest.raises(ValueError, match="shape"):
        operator.assemble(np.eye(2))
    with pytest.raises(ValueError, match="finite"):
        operator.assemble(np.full((4, 2, 2), np.nan))
    with pytest.raises(ValueError, match="conductance"):
        operator.assemble(np.broadcast_to(np.eye(2), (4, 2, 2)), -np.ones(12))
