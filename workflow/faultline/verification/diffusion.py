"""Steady diffusion against known solutions: multipoint fluxes over tensors that jump from grain to grain.

Every problem runs `MultipointDiffusionTerm` in FiPy on gmsh's triangles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import fipy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.microstructure import Particle, assemble_particle
from faultline.microstructure.meshing import mesh_network
from faultline.microstructure.network import CORNER, Network, tidy
from faultline.microstructure.tessellation import rectangle, tessellate
from faultline.transport.mesh import TransportMesh, fipy_mesh
from faultline.transport.multipoint import MultipointDiffusionTerm
from faultline.transport.solver import BorderedLUSolver
from faultline.verification.references import Strips, one_flux_tensors, rotated
from faultline.verification.rows import Row, check, order_row

Array = NDArray[np.float64]
Grid = tuple[Particle, TransportMesh]

PATCH = 1e-10  # round-off of the sparse solve, anisotropy 100 included
GRAINS = 14


def gmsh_grid(network: Network, size: float) -> Grid:
    """Unstructured triangles that fit a network of grains, each grain a block of its own."""
    mesh = mesh_network(network, size)
    grain = network.grain[mesh.polygon]
    axes = np.broadcast_to(np.eye(3), (int(network.grain.max()) + 1, 3, 3))
    particle = assemble_particle(mesh.vertices, mesh.cells, grain, grain, axes)
    return particle, fipy_mesh(particle)


def polycrystal(size: float) -> Grid:
    """A unit square of Voronoi grains with triple junctions."""
    network = tessellate(rectangle((1.0, 1.0)), GRAINS, 3, 0.0, np.random.default_rng(4))
    return gmsh_grid(tidy(network, size), size)


def strips(size: float, count: int = 4) -> Grid:
    """The unit square cut into upright strips of equal width."""
    line = np.linspace(0, 1, count + 1)
    points = np.concatenate([np.column_stack([line, np.full(count + 1, y)]) for y in (0.0, 1.0)])
    loops = tuple(np.array([k, k + 1, count + k + 2, count + k + 1]) for k in range(count))
    return gmsh_grid(Network(points, np.full(len(points), CORNER), loops, np.arange(count)), size)


def grain_inside(grid: Grid) -> NDArray[np.int64]:
    """(faces,) the grain of the first cell of every face."""
    particle, transport = grid
    return particle.grain[np.ma.filled(transport.mesh.faceCellIDs, -1)[0]]


def fitted(
    grid: TransportMesh,
    tensor: Array,
    datum: Array,
    source: ArrayLike = 0.0,
    conductance: float = np.inf,
    outflow: Array | None = None,
) -> Array:
    """Solve div(K grad phi) = source (cells,) by FiPy.

    Outside phi = datum (faces,), or on the left only where the flux density `outflow` (faces,) leaves through
    all other faces.
    """
    mesh, per_face = grid.mesh, np.full(grid.mesh.numberOfFaces, np.inf)
    per_face[grid.interface_face_ids] = conductance
    phi = fipy.CellVariable(mesh=mesh)
    phi.constrain(datum, where=mesh.exteriorFaces if outflow is None else mesh.facesLeft)
    term = MultipointDiffusionTerm(
        coeff=np.moveaxis(tensor, 0, -1),
        interface_conductance=per_face,
        outflow=None if outflow is None else (outflow, 0.0),
    )
    (term == fipy.CellVariable(mesh=mesh, value=source)).solve(var=phi, solver=BorderedLUSolver())
    return np.array(phi.value)


def patch_test() -> list[Row]:
    """Linear fields over uniform tensors, and over tensors that jump at junctions or along a line."""
    grains, halves, rows = polycrystal(0.08), strips(0.08, 2), []
    for ratio in (1.0, 10.0, 100.0):
        uniform = np.repeat(rotated(ratio, 0.5), GRAINS, axis=0)
        rows.append(_patch_row(f"uniform tensor, anisotropy {ratio:g}", grains, uniform, [[1, -2]] * GRAINS))
    for ratio in (10.0, 100.0):
        tensor = one_flux_tensors(ratio, GRAINS)
        rows.append(_patch_row(f"jumps at grain boundaries, {ratio:g}", grains, tensor, [[1, 0]] * GRAINS))
        pair = rotated(ratio, [0.3, -1.1], [1.0, 1e-3])
        across = (pair[0, 0] @ [1, 2] - 2 * pair[1, 0, 1]) / pair[1, 0, 0]  # the same normal flux
        rows.append(_patch_row(f"jump along a line, {ratio:g}", halves, pair, [[1, 2], [across, 2]]))
    return rows


def _patch_row(what: str, grid: Grid, tensor: Array, gradient: ArrayLike) -> Row:
    """A gradient for every grain, kinked on x = 1/2: phi is given on the left, the flux elsewhere."""
    (particle, transport), slope = grid, np.asarray(gradient, float)
    origin, inner = [0.5, 0.0], grain_inside(grid)
    exact = np.einsum("ni,ni->n", slope[particle.grain], particle.cell_centroid - origin)
    datum = np.einsum("ni,ni->n", slope[inner], transport.mesh.faceCenters.value.T - origin)
    outflow = -np.einsum("in,nij,nj->n", transport.mesh.faceNormals, tensor[inner], slope[inner])
    computed = fitted(transport, tensor[particle.grain], datum, outflow=outflow)
    error, size = float(np.abs(computed - exact).max()), float(np.ptp(exact))
    return check(f"Linear patch test: {what}", "largest error over the range", error, 0.0, PATCH, size)


def wave_in_a_polycrystal() -> list[Row]:
    """phi = sin(2 pi x + 0.3) over grains whose tensors share one flux: junctions and jumps, still smooth."""
    rows, sizes, wave = [], (1 / 12, 1 / 24, 1 / 48), 2 * np.pi
    grids = [polycrystal(size) for size in sizes]
    for ratio in (10.0, 100.0):
        tensor = one_flux_tensors(ratio, GRAINS)
        errors = [_wave_error(grid, tensor, wave) for grid in grids]
        what = f"Manufactured wave in a polycrystal, anisotropy up to {ratio:g}"
        rows += _convergence(what, sizes, errors, wave)
    return rows


def _wave_error(grid: Grid, tensor: Array, wave: float) -> float:
    """Potential given on the left, flux on all other sides."""
    (particle, transport), x = grid, grid[1].mesh.faceCenters.value[0]
    exact = np.sin(wave * particle.cell_centroid[:, 0] + 0.3)
    across = np.einsum("in,ni->n", transport.mesh.faceNormals, tensor[grain_inside(grid), :, 0])
    outflow = -across * wave * np.cos(wave * x + 0.3)
    source = -tensor[0, 0, 0] * wave**2 * exact
    datum = np.sin(wave * x + 0.3)
    return l2(particle, fitted(transport, tensor[particle.grain], datum, source, outflow=outflow), exact)


def strips_of_unlike_crystals(sizes: Sequence[float] = (1 / 24, 1 / 48, 1 / 96)) -> list[Row]:
    """Waves over four tensors, joined, behind a resistance, and blocked (`Strips`)."""
    rows, wave = [], (4 * np.pi, 3.0)
    grids = [strips(size) for size in sizes]
    for ratio in (10.0, 100.0):
        tensor = rotated(ratio, [0.3, -1.1, 0.8, 2.0], [1.0, 0.1, 3.0, 0.3])
        cases = {
            "joined": (np.inf, Strips.joined(tensor, 1.0, 1.0 + 0.5j, np.inf, wave)),
            "interface resistance": (2.0, Strips.joined(tensor, 1.0, 1.0 + 0.5j, 2.0, wave)),
            "blocked": (0.0, Strips(tensor, np.array([1, -0.7, 0.4j, 1]), 0.0, wave)),
        }
        for name, (conductance, field) in cases.items():
            errors = [_strip_error(grid, field, conductance) for grid in grids]
            what = f"Strips of unlike crystals, anisotropy {ratio:g}, {name}"
            rows += _convergence(what, sizes, errors, float(np.hypot(*wave)))
    return rows


def _strip_error(grid: Grid, field: Strips, conductance: float) -> float:
    particle, mesh = grid
    at_cells = (*particle.cell_centroid.T, particle.grain)
    at_faces = (*mesh.mesh.faceCenters.value, grain_inside(grid))
    tensor, datum = field.tensor[particle.grain], field.potential(*at_faces)
    computed = fitted(mesh, tensor, datum, field.divergence(*at_cells), conductance)
    return l2(particle, computed, field.potential(*at_cells))


def rms(particle: Particle, values: Array) -> float:
    """Root mean square over the section."""
    return float(np.sqrt(particle.cell_area @ values**2 / particle.area))


def l2(particle: Particle, computed: Array, exact: Array) -> float:
    """L2 error over the L2 norm of the exact field."""
    return rms(particle, computed - exact) / rms(particle, exact)


def _convergence(problem: str, sizes: Sequence[float], errors: Sequence[float], wave: float) -> list[Row]:
    """Second order, and on the finest mesh at most four times the (k h)^2 / 8 of linear interpolation."""
    allowed = (wave * sizes[-1]) ** 2 / 2
    quantity = "L2 error over the field's size"
    finest = check(problem, f"{quantity}, finest mesh", errors[-1], 0.0, allowed, 1.0)
    return [finest, order_row(problem, quantity, sizes, errors, 2.0)]


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    problem.__name__: problem
    for problem in (
        patch_test,
        wave_in_a_polycrystal,
        strips_of_unlike_crystals,
    )
}
