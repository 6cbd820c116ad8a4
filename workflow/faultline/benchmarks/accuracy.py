r"""Accuracy for time: the multipoint term against FiPy's own two terms on the same triangles.

.. math:: \nabla \cdot (K \nabla \phi) = f, \qquad \phi = \sin(4 x + 0.3) \cos(3 y)

on gmsh's triangles of the unit square, K with eigenvalues 1 and 1/10, the first one at 0.5 rad, phi given on
the boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import fipy
import numpy as np
from fipy.meshes.mesh2D import Mesh2D
from numpy.typing import NDArray

from faultline.benchmarks.rows import REPEATS, Goal, Row, Timing, alternate, interpolated_time, row
from faultline.microstructure.meshing import Mesh, mesh_network
from faultline.microstructure.network import CORNER, Network
from faultline.transport.mesh import triangle_mesh
from faultline.transport.multipoint import MultipointDiffusionTerm
from faultline.transport.solver import BorderedLUSolver

Array = NDArray[np.float64]

SIZES = (1 / 10, 1 / 20, 1 / 40, 1 / 80)
RATIO, ANGLE, WAVE = 10.0, 0.5, (4.0, 3.0)
LAST_MOVE = 0.05  # of the error; FiPy's corrections are explicit, and its sweeps end when they move less
MOST_SWEEPS = 60
PEERS = (fipy.DiffusionTerm, fipy.DiffusionTermCorrection)


def tensor() -> Array:
    """K (2, 2)."""
    c, s = np.cos(ANGLE), np.sin(ANGLE)
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([1.0, 1 / RATIO]) @ turn.T


def exact(points: Array) -> Array:
    """Potential (n,) at points (2, n)."""
    return np.sin(WAVE[0] * points[0] + 0.3) * np.cos(WAVE[1] * points[1])


def source(points: Array) -> Array:
    """Its div(K grad phi) (n,)."""
    (p, q), k = WAVE, tensor()
    mixed = -p * q * np.cos(p * points[0] + 0.3) * np.sin(q * points[1])
    return 2 * k[0, 1] * mixed - (p**2 * k[0, 0] + q**2 * k[1, 1]) * exact(points)


def square(size: float) -> Mesh:
    """Triangles of the unit square with edges of about `size`."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return mesh_network(Network(corners, np.full(4, CORNER), (np.arange(4),), np.zeros(1, int)), size)


@dataclass
class Problem:
    """The boundary value problem on one mesh; solving starts from nothing, geometry included."""

    triangles: Mesh

    def ours(self) -> float:
        """One implicit solve; returns the L2 error over the field's norm."""
        phi, mesh, right = self._posed()
        (MultipointDiffusionTerm(coeff=tensor()) == right).solve(var=phi, solver=BorderedLUSolver())
        return relative_l2(mesh, phi.value)

    def peer(self, term: type) -> float:
        """FiPy's term, swept until a sweep moves less than a fraction of the error that is left."""
        phi, mesh, right = self._posed()
        whole = np.repeat(tensor()[:, :, None], mesh.numberOfFaces, axis=2)
        equation = term(coeff=fipy.FaceVariable(mesh=mesh, rank=2, value=whole)) == right
        error = np.inf
        for _ in range(MOST_SWEEPS):
            before = np.array(phi.value)
            equation.sweep(var=phi, solver=fipy.LinearLUSolver(tolerance=1e-12))
            error = relative_l2(mesh, phi.value)
            moved = np.array(phi.value) - before
            if relative_l2(mesh, moved + exact(mesh.cellCenters.value)) < LAST_MOVE * error:
                break
        return error

    def _posed(self) -> tuple[fipy.CellVariable, Mesh2D, fipy.CellVariable]:
        mesh = triangle_mesh(self.triangles.vertices, self.triangles.cells)
        phi = fipy.CellVariable(mesh=mesh)
        phi.constrain(exact(mesh.faceCenters.value), where=mesh.exteriorFaces)
        return phi, mesh, fipy.CellVariable(mesh=mesh, value=source(mesh.cellCenters.value))


def relative_l2(mesh: Mesh2D, computed: Array) -> float:
    """Root of the mean square error over that of the exact field, at the cells' centres."""
    known, volume = exact(mesh.cellCenters.value), np.asarray(mesh.cellVolumes)
    return float(np.sqrt(volume @ (computed - known) ** 2 / (volume @ known**2)))


def accuracy(sizes: Sequence[float] = SIZES, repeats: int = REPEATS) -> list[Row]:
    """Two rows for each of FiPy's terms: errors on the finest mesh, and times at the error it has there."""
    problems = [Problem(square(size)) for size in sizes]
    rows = []
    for term in PEERS:
        timings = [alternate(problem.ours, partial(problem.peer, term), repeats) for problem in problems]
        rows += _rows(term.__name__, len(problems[-1].triangles.cells), timings)
    return rows


def _rows(name: str, cells: int, timings: Sequence[Timing]) -> list[Row]:
    ours, peer = ([getattr(t, side) for t in timings] for side in ("our_result", "peer_result"))
    finest = timings[-1]
    ours_s = interpolated_time(ours, [t.ours_s for t in timings], peer[-1])
    common = f"{finest.repeats}; geometry built in both"
    return [
        row(
            f"error at equal cells, FiPy's {name}",
            f"ratio of the errors {peer[-1]:.2e} and {ours[-1]:.2e} on {cells} triangles; {common}",
            ours_s=finest.ours_s,
            peer_s=finest.peer_s,
            ratio=peer[-1] / ours[-1],
            goal=Goal(10),
        ),
        row(
            f"time at equal error, FiPy's {name}",
            f"both at the error {peer[-1]:.2e}; ours between meshes, log-log; {common}",
            ours_s=ours_s,
            peer_s=finest.peer_s,
            goal=Goal(10),
        ),
    ]


BENCHMARKS = {"accuracy for time": accuracy}
