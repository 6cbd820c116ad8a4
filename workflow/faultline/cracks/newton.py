"""Minimise the incremental potential over the interface unknowns: truncated Newton-CG with a line search.

    Pi(q) = q.S q / 2 - f.q + sum over points of w psi(J q)

S is the condensed elasticity less the rank-one term of the axial strain, J gives the jumps, w the tributary
lengths. Nothing is pinned: rigid motions that no interface resists are in the null space of both the tangent
and the residual, so CG never sees them; those of loose pieces meet a slight drag (`fracture.LOOSE_DRAG`).
Newton's direction comes from preconditioned CG stopped early (Dembo and Steihaug, Math. Program. 26, 190,
1983; forcing of Eisenstat and Walker, SIAM J. Sci. Comput. 17, 16, 1996) and cut short at negative curvature,
which softening brings.

A minimisation runs where the arrays of its `InterfaceSystem` lie: on the host, or on a GPU, to which start,
load and law are carried and from which the minimum comes back. Fine particles are worth it: on a CPU products
of the dense blocks took 55 % of a ramp with 92 000 triangles in 80 grains, 16 % with 9 000, where calls of
small kernels may well cost more than they save (not measured). Particles of an ensemble are not stacked
together: each has a line search and damage of its own, and would wait for the slowest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faultline.backend import CPU, Backend
from faultline.cracks.law import IncrementalLaw
from faultline.cracks.preconditioner import Preconditioner
from faultline.errors import NotConverged
from faultline.mechanics.condensation import BlockStacks, CondensedBlocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_FORCING = 1e-3
LARGEST_DEFECT = 1e-3  # unbalanced part of a direction over the strength: more would break sound interfaces
ARMIJO, APPROXIMATE_WOLFE = 1e-4, 0.9


@dataclass(frozen=True)
class SpringMatrix:
    """J^T w k J for any stiffness k of the points, as a matrix of fixed pattern: data = add @ k.

    Attributes:
        add: (nnz, n_points * m * m).
        add_diagonal: (nnz, n_points * m), for stiffness along the axes of the points alone.
        row, column: (nnz,) of every entry, row by row.
        indptr: (n + 1,) first entry of every row.
    """

    add: sp.csr_array
    add_diagonal: sp.csr_array
    row: Ints
    column: Ints
    indptr: Ints

    @classmethod
    def build(cls, jump: sp.csr_array, weight: Floats, m: int) -> SpringMatrix:
        """For jumps J (n_points * m, n) and tributary lengths w (n_points,)."""
        n, entry = jump.shape[1], jump.tocoo()
        point, axis = np.divmod(entry.row.astype(np.int64), m)
        count = np.bincount(point, minlength=len(weight))
        first = np.repeat(np.arange(len(point)), count[point])  # all pairs of entries of one point
        rank = np.arange(len(first)) - np.repeat(np.cumsum(count[point]) - count[point], count[point])
        second = (np.cumsum(count) - count)[point[first]] + rank
        keys, place = np.unique(
            entry.col[first].astype(np.int64) * n + entry.col[second], return_inverse=True
        )
        value = weight[point[first]] * entry.data[first] * entry.data[second]
        source = entry.row[first].astype(np.int64) * m + axis[second]
        add = sp.csr_array((value, (place, source)), shape=(len(keys), len(weight) * m * m))
        same = axis[first] == axis[second]
        diagonal = value[same], (place[same], entry.row[first][same])
        add_diagonal = sp.csr_array(diagonal, shape=(len(keys), len(weight) * m))
        row, column = np.divmod(keys, n)
        indptr = np.searchsorted(row, np.arange(n + 1))
        # as sparse matrices keep them, or every new one would convert them
        return cls(add, add_diagonal, row, column.astype(np.int32), indptr.astype(np.int32))

    def __call__(self, stiffness: Floats) -> sp.csr_array:
        """Matrix (n, n), N/m2, for a stiffness (n_points, m, m), or (n_points, m) along the axes, Pa/m."""
        add = self.add if stiffness.ndim == 3 else self.add_diagonal
        n = len(self.indptr) - 1
        return type(add)((add @ stiffness.ravel(), self.column, self.indptr), shape=(n, n))


class InterfaceSystem:
    """The linear operators of the potential, on padded vectors of interface displacements.

    Args:
        blocks: the condensed elasticity.
        jump: J (n_points * m, n_unknowns), jumps in the local frame of every point.
        weight: (n_points,) tributary lengths, m.
        rigid: (n_unknowns, n_rigid) orthonormal rigid motions of every block.
    """

    def __init__(
        self, blocks: CondensedBlocks, jump: sp.csr_array, weight: Floats, rigid: sp.csr_array
    ) -> None:
        self.backend = CPU
        self._host: InterfaceSystem | None = None
        self.components, self.weight = blocks.components, weight
        self.stacks = BlockStacks(blocks.start)
        n, place = self.stacks.size, self.stacks.place
        padding = sp.csr_array((np.ones(len(place)), (np.arange(len(place)), place)), shape=(len(place), n))
        self.jump = sp.csr_array(jump @ padding)
        self.jump_transposed = sp.csr_array(self.jump.T)
        self.rigid = sp.csr_array(padding.T @ rigid)
        self.rigid_transposed = sp.csr_array(self.rigid.T)
        self.springs = SpringMatrix.build(self.jump, weight, self.components)
        self.schur = self.stacks.fill(blocks.schur)
        beyond = np.setdiff1d(np.arange(n), place)  # regular there, which no vector feels
        self.schur[self.stacks.entry(beyond, beyond)] = blocks.schur.max(initial=0)
        self._schur = self.stacks.split(self.schur)
        self._axial = self.pad(blocks.axial_coupling) / np.sqrt(blocks.axial_stiffness)

    @property
    def host(self) -> InterfaceSystem:
        """The same operators on the host."""
        return self._host or self

    def on(self, backend: Backend) -> InterfaceSystem:
        """The same operators on vectors of a backend."""
        if backend.on_host:
            return self
        other = copy(self)
        for name, value in vars(self).items():
            setattr(other, name, value if name in ("stacks", "_schur") else backend.put(value))
        other.backend, other._host = backend, self
        other._schur = self.stacks.split(other.schur)
        return other

    def pad(self, q: Floats) -> Floats:
        """Padded vector of interface unknowns (n_unknowns,) on the host."""
        padded = np.zeros(self.stacks.size)
        padded[self.stacks.place] = q
        return self.backend.put(padded)

    def unpad(self, q: Floats) -> Floats:
        """Interface unknowns (n_unknowns,), on the host, of a padded vector."""
        return self.backend.get(q)[self.stacks.place]

    def elasticity_matrix(self) -> sp.csr_array:
        """The blocks (size, size) as one sparse matrix, without the axial term."""
        blocks = [block for stack in self.host._schur for block in stack]
        return self.backend.put(sp.csr_array(sp.block_diag(blocks)))

    def jumps(self, q: Floats) -> Floats:
        """Jumps (n_points, m) of interface displacements."""
        return (self.jump @ q).reshape(-1, self.components)

    def elastic(self, q: Floats) -> Floats:
        """S q: condensed elasticity at zero axial resultant, blind to rigid motions beyond rounding."""
        strained = self.without_rigid(q)
        return self.without_rigid(self.stacks.product(self._schur, strained) - self.axial(strained))

    def without_rigid(self, q: Floats) -> Floats:
        """Displacements or forces less the rigid motion, or the resultants, of every block."""
        return q - self.rigid @ (self.rigid_transposed @ q)

    def axial(self, q: Floats) -> Floats:
        """Forces that the axial strain takes off, for the section has no axial resultant."""
        return self._axial * (self._axial @ q)

    def point_forces(self, traction: Floats) -> Floats:
        """J^T w t: forces of tractions (n_points, m)."""
        return self.jump_transposed @ (self.weight[:, None] * traction).ravel()


@dataclass(frozen=True)
class Equilibrium:
    """A minimum of the incremental potential and what it cost."""

    q: Floats
    law: IncrementalLaw
    residual: float
    newton_iterations: int
    cg_iterations: int


def minimise(
    system: InterfaceSystem,
    law: IncrementalLaw,
    load: Floats,
    starts: list[Floats],
    preconditioner: Preconditioner,
    force_scale: float,
    remix: Callable[[IncrementalLaw, Floats], IncrementalLaw],
    tolerance: float,
    max_iterations: int,
) -> Equilibrium:
    """Return the equilibrium reached by descent from the start that is nearest to one.

    Args:
        system: operators.
        law: incremental law of the step, on the host as all that follows.
        load: f (n_unknowns,), N/m.
        starts: interface displacements (n_unknowns,) to choose from, m.
        preconditioner: kept between calls.
        force_scale: norm against which the residual counts, N/m.
        remix: gives the law its mode mix from the jumps that the first, elastic direction foresees; a start
            that is in equilibrium keeps that of the step before.
        tolerance: on the residual over `force_scale`.
        max_iterations: of Newton.

    Raises:
        NotConverged: the tolerance is not reached.
    """
    force, given, law = system.without_rigid(system.pad(load)), law, system.backend.put(law)

    def at(q: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        jump = system.jumps(q)
        return q, system.elastic(q) - force, jump, law.traction(jump)

    q, elastic, jump, traction = min(
        (at(system.pad(start)) for start in starts),
        key=lambda state: float(np.linalg.norm(state[1] + system.point_forces(state[3]))),
    )
    cg_iterations, previous = 0, 0.0
    for iteration in range(max_iterations + 1):
        gradient = elastic + system.point_forces(traction)
        residual = float(np.linalg.norm(gradient)) / force_scale
        previous = previous or residual
        if residual <= tolerance:
            law = replace(given, mix=system.backend.get(law.mix))
            return Equilibrium(system.unpad(q), law, residual, iteration, cg_iterations)
        if iteration == max_iterations or not np.isfinite(residual):
            break
        preconditioner.prepare(law, jump, iteration == 0)
        largest = preconditioner.largest_forcing
        forcing = np.clip(0.9 * (residual / previous) ** 2, SMALLEST_FORCING, largest)
        forcing = np.clip(forcing, 0.5 * tolerance / residual, LARGEST_DEFECT / residual)
        tangent = law.tangent(jump)
        while True:
            patience = preconditioner.patience
            direction, count = _newton_direction(system, tangent, gradient, preconditioner, forcing)
            cg_iterations += count
            if not count == patience < preconditioner.MOST:
                break
            preconditioner.renew(law, jump)
        preconditioner.learn(count)
        move = system.jumps(direction)
        if iteration == 0:
            law = remix(law, jump + move)
            traction = law.traction(jump)
        response = system.elastic(direction)
        path = Path(jump, move, traction, float(elastic @ direction), float(direction @ response))
        step, traction = line_search(law, path, system.weight)
        if step == 0.0 and iteration > 0:
            break
        q = q + step * direction
        elastic = elastic + step * response
        jump = jump + step * move
        previous = residual
    raise NotConverged(
        f"cohesive equilibrium not reached: residual {residual:.2e} (tolerance {tolerance:.0e}) "
        f"after {iteration} Newton iterations",
        step=iteration,
        residual=residual,
    )


def _newton_direction(
    system: InterfaceSystem, tangent: Floats, gradient: Floats, preconditioner: Preconditioner, forcing: float
) -> tuple[Floats, int]:
    """Return a descent direction by PCG on the tangent, stopped at negative curvature."""
    springs = system.springs(tangent)
    solution, residual = np.zeros_like(gradient), -gradient
    p, ap, rz_old = np.zeros_like(gradient), np.zeros_like(gradient), float("inf")
    target = forcing * float(np.linalg.norm(gradient))
    for count in range(1, preconditioner.patience + 1):
        z, az = preconditioner(residual)
        az += springs @ z
        az -= system.axial(z)
        rz = float(residual @ z)
        p *= rz / rz_old
        p += z
        ap *= rz / rz_old
        ap += az
        curvature, rz_old = float(p @ ap), rz
        if curvature <= 0:
            return (z if count == 1 else solution), count
        solution += rz / curvature * p
        residual -= rz / curvature * ap
        if math.sqrt(float(residual @ residual)) <= target:
            break
    return solution, count


@dataclass(frozen=True)
class Path:
    """What the potential along a direction depends on.

    Attributes:
        jump, move: (n, m) jumps at its start and their change, m.
        traction: (n, m) at its start, Pa.
        linear, quadratic: elastic and load terms, N/m times m.
    """

    jump: Floats
    move: Floats
    traction: Floats
    linear: float
    quadratic: float


def line_search(law: IncrementalLaw, path: Path, weight: Floats) -> tuple[float, Floats]:
    """Return a step that lowers the incremental potential, 0 if none is found, and the tractions there.

    Only jumps enter: a trial costs one evaluation of the law. The potential is subtracted point by point;
    where rounding drowns the difference, the slope decides (Hager and Zhang, SIAM J. Optim. 16, 170, 2005).
    """
    base = law.potential(path.jump)

    def slope_at(step: float, traction: Floats) -> float:
        power = weight @ np.einsum("ij,ij->i", traction, path.move)
        return float(path.linear + step * path.quadratic + power)

    slope = slope_at(0.0, path.traction)
    if slope >= 0:
        return 0.0, path.traction
    low, high, step = 0.0, np.inf, 1.0
    low_slope, low_traction = slope, path.traction
    for _ in range(30):
        jump = path.jump + step * path.move
        traction = law.traction(jump)
        trial_slope = slope_at(step, traction)
        cohesive = float(weight @ (law.potential(jump) - base))
        value = step * path.linear + step**2 * path.quadratic / 2 + cohesive
        descends = value <= ARMIJO * step * slope
        rounding = 1e-12 * abs(step * path.linear)
        flat = value <= rounding and abs(trial_slope) <= APPROXIMATE_WOLFE * abs(slope)
        if (descends and trial_slope >= APPROXIMATE_WOLFE * slope) or flat:
            return step, traction
        if descends:  # still steep downhill: the minimum lies beyond
            low, low_slope, low_traction = step, trial_slope, traction
            step = 2 * step if np.isinf(high) else (low + high) / 2
            if step > 8:
                break
        else:
            high = step
            secant = low - low_slope * (step - low) / (trial_slope - low_slope) if trial_slope > 0 else low
            step = float(np.clip(secant, low + 0.1 * (high - low), low + 0.5 * (high - low)))
    return low, low_traction
