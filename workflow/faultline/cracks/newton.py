"""Minimise the incremental potential over the interface unknowns: truncated Newton-CG with a line search.

    Pi(q) = q.S q / 2 - f.q + sum over points of w psi(J q)

S is the condensed elasticity less the rank-one term of the axial strain, J gives the jumps, w the tributary
lengths. Nothing is pinned: rigid motions that no interface resists are in the null space of both the tangent
and the residual, so CG never sees them. Newton's direction comes from preconditioned CG stopped early (Dembo
and Steihaug, Math. Program. 26, 190, 1983; forcing of Eisenstat and Walker, SIAM J. Sci. Comput. 17, 16,
1996) and cut short at negative curvature, which softening brings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from faultline.cracks.law import IncrementalLaw
from faultline.errors import NotConverged
from faultline.mechanics.condensation import CondensedBlocks, schur_matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST_FORCING, SMALLEST_FORCING = 0.1, 1e-2
LARGEST_DEFECT = 1e-3  # unbalanced part of a direction over the strength: more would break sound interfaces
LARGEST_CG_COUNT = 500
ARMIJO, APPROXIMATE_WOLFE = 1e-4, 0.9


@dataclass(frozen=True)
class InterfaceSystem:
    """The linear operators of the potential.

    Attributes:
        blocks: the condensed elasticity.
        schur: its block-diagonal matrix (n_unknowns, n_unknowns).
        jump: J (n_points * m, n_unknowns), jumps in the local frame of every point.
        weight: (n_points,) tributary lengths, m.
        rigid: (n_unknowns, n_rigid) rigid motions of every block.
    """

    blocks: CondensedBlocks
    schur: sp.csr_array
    jump: sp.csr_array
    jump_transposed: sp.csr_array
    weight: Floats
    rigid: sp.csr_array
    rigid_transposed: sp.csr_array

    @property
    def components(self) -> int:
        """Displacement components per node."""
        return self.blocks.components

    def jumps(self, q: Floats) -> Floats:
        """Jumps (n_points, m) of interface displacements."""
        return (self.jump @ q).reshape(-1, self.components)

    def elastic(self, q: Floats) -> Floats:
        """S q: condensed elasticity at zero axial resultant."""
        axial = self.blocks.axial_coupling
        return self.schur @ q - axial * ((axial @ q) / self.blocks.axial_stiffness)

    def point_forces(self, traction: Floats) -> Floats:
        """J^T w t: forces (n_unknowns,) of tractions (n_points, m)."""
        return self.jump_transposed @ (self.weight[:, None] * traction).ravel()


@dataclass(frozen=True)
class Equilibrium:
    """A minimum of the incremental potential and what it cost."""

    q: Floats
    law: IncrementalLaw
    residual: float
    newton_iterations: int
    cg_iterations: int


class Preconditioner:
    """Additive: the dense inverse of each block on its springs, and the rigid motions of all blocks.

    The springs are the secant stiffness of the interfaces, which stays positive where the tangent does not. A
    small part of intact springs is added so that a block which nothing holds stays invertible. Residuals have
    no part along free rigid motions but for rounding; a smaller addition would magnify that.
    One inverse serves many solves: `refresh` rebuilds it when CG has slowed down.
    """

    SHIFT = 1e-5
    SLOWDOWN = 1.4

    def __init__(self, system: InterfaceSystem) -> None:
        self.system = system
        self.builds = 0
        self._best_count, self._last_count = np.inf, np.inf

    def refresh(self, law: IncrementalLaw, jump: Floats) -> None:
        """Rebuild for the present stiffness of the interfaces if the last solve was slow for this build."""
        if self._last_count > self.SLOWDOWN * self._best_count + 5 or self.builds == 0:
            self._build(law.stabilised_stiffness(jump), law.penalty_stiffness)

    def note(self, count: int, forcing: float) -> None:
        """Remember how many iterations per decade a solve took."""
        self._last_count = count / -np.log10(forcing)
        self._best_count = min(self._best_count, self._last_count)

    def _build(self, point_stiffness: Floats, intact: float) -> None:
        system = self.system
        start = system.blocks.start
        spring = sp.diags_array((system.weight[:, None] * point_stiffness).ravel())
        own = _own_block(system.jump_transposed @ (spring @ system.jump), start)
        matrix = sp.csr_array(system.schur + own)
        inverse = [
            _shifted_inverse(matrix[i:j, i:j].toarray(), self.SHIFT).ravel() for i, j in pairwise(start)
        ]
        self._inverse = schur_matrix(system.blocks, np.concatenate(inverse))
        motion = system.jump @ system.rigid
        coarse = sp.csc_matrix(motion.T @ (spring @ motion))
        shift = self.SHIFT * intact * system.weight.max()
        self._coarse = splu(coarse + shift * sp.eye_array(coarse.shape[0], format="csc"))
        self.builds += 1
        self._best_count = self._last_count = np.inf

    def __call__(self, residual: Floats) -> Floats:
        """Approximate displacement of a residual."""
        rigid = self._coarse.solve(self.system.rigid_transposed @ residual)
        return self._inverse @ residual + self.system.rigid @ rigid


def minimise(
    system: InterfaceSystem,
    law: IncrementalLaw,
    load: Floats,
    q: Floats,
    preconditioner: Preconditioner,
    force_scale: float,
    remix: Callable[[IncrementalLaw, Floats], IncrementalLaw],
    tolerance: float,
    max_iterations: int,
) -> Equilibrium:
    """Return the equilibrium reached from `q` by descent.

    Args:
        system: operators.
        law: incremental law of the step.
        load: f (n_unknowns,), N/m.
        q: (n_unknowns,) interface displacements to start from, m.
        preconditioner: kept between calls.
        force_scale: norm against which the residual counts, N/m.
        remix: gives the law its mode mix from the jumps that the first, elastic direction foresees.
        tolerance: on the residual over `force_scale`.
        max_iterations: of Newton.

    Raises:
        NotConverged: the tolerance is not reached.
    """
    cg_iterations, previous = 0, np.inf
    for iteration in range(max_iterations + 1):
        jump = system.jumps(q)
        elastic = system.elastic(q) - load
        gradient = elastic + system.point_forces(law.traction(jump))
        residual = float(np.linalg.norm(gradient)) / force_scale
        if residual <= tolerance:
            return Equilibrium(q, law, residual, iteration, cg_iterations)
        if iteration == max_iterations or not np.isfinite(residual):
            break
        preconditioner.refresh(law, jump)
        forcing = np.clip(0.9 * (residual / previous) ** 2, SMALLEST_FORCING, LARGEST_FORCING)
        forcing = np.clip(forcing, 0.5 * tolerance / residual, LARGEST_DEFECT / residual)
        direction, count = _newton_direction(system, law.tangent(jump), gradient, preconditioner, forcing)
        cg_iterations += count
        move = system.jumps(direction)
        if iteration == 0:
            law = remix(law, jump + move)
        step = line_search(system, law, elastic, direction, jump, move)
        if step == 0.0 and iteration > 0:
            break
        q = q + step * direction
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
    points, m = tangent.shape[:2]
    stiffness = sp.bsr_array(
        (system.weight[:, None, None] * tangent, np.arange(points), np.arange(points + 1)),
        shape=(points * m, points * m),
    )

    def apply(p: Floats) -> Floats:
        return system.elastic(p) + system.jump_transposed @ (stiffness @ (system.jump @ p))

    solution, residual = np.zeros_like(gradient), -gradient
    target = forcing * np.linalg.norm(gradient)
    z = preconditioner(residual)
    p, rz = z, residual @ z
    for count in range(1, LARGEST_CG_COUNT + 1):
        ap = apply(p)
        curvature = p @ ap
        if curvature <= 0:
            return (z if count == 1 else solution), count
        alpha = rz / curvature
        solution += alpha * p
        residual -= alpha * ap
        if np.linalg.norm(residual) <= target:
            preconditioner.note(count, forcing)
            return solution, count
        z = preconditioner(residual)
        rz_old, rz = rz, residual @ z
        p = z + (rz / rz_old) * p
    preconditioner.note(LARGEST_CG_COUNT, forcing)
    return solution, LARGEST_CG_COUNT


def line_search(
    system: InterfaceSystem,
    law: IncrementalLaw,
    elastic: Floats,
    direction: Floats,
    jump: Floats,
    move: Floats,
) -> float:
    """Return a step that lowers the incremental potential, 0 if none is found.

    Only jumps enter: a trial costs one evaluation of the law. The potential is subtracted point by point;
    where rounding drowns the difference, the slope decides (Hager and Zhang, SIAM J. Optim. 16, 170, 2005).
    """
    linear, quadratic = elastic @ direction, direction @ system.elastic(direction)
    base = law.potential(jump)

    def change(step: float) -> tuple[float, float]:
        here = jump + step * move
        cohesive = system.weight @ (law.potential(here) - base)
        power = system.weight @ (law.traction(here) * move).sum(axis=1)
        value = step * linear + step**2 * quadratic / 2 + cohesive
        return float(value), float(linear + step * quadratic + power)

    slope = change(0.0)[1]
    if slope >= 0:
        return 0.0
    low, high, step = 0.0, np.inf, 1.0
    low_slope = slope
    for _ in range(30):
        value, trial_slope = change(step)
        rounding = 1e-12 * abs(step * linear)
        descends = value <= ARMIJO * step * slope
        flat = value <= rounding and abs(trial_slope) <= APPROXIMATE_WOLFE * abs(slope)
        if (descends and trial_slope >= APPROXIMATE_WOLFE * slope) or flat:
            return step
        if descends:  # still steep downhill: the minimum lies beyond
            low, low_slope = step, trial_slope
            step = 2 * step if np.isinf(high) else (low + high) / 2
            if step > 8:
                return low
        else:
            high = step
            secant = low - low_slope * (step - low) / (trial_slope - low_slope) if trial_slope > 0 else low
            step = float(np.clip(secant, low + 0.1 * (high - low), low + 0.5 * (high - low)))
    return low


def _own_block(matrix: sp.csr_array, start: Ints) -> sp.csr_array:
    """Drop the entries of a matrix that couple two blocks."""
    entries = matrix.tocoo()
    block = np.repeat(np.arange(len(start) - 1), np.diff(start))
    same = block[entries.row] == block[entries.col]
    return sp.csr_array((entries.data[same], (entries.row[same], entries.col[same])), shape=matrix.shape)


def _shifted_inverse(matrix: Floats, shift: float) -> Floats:
    shifted = matrix + shift * np.trace(matrix) / max(len(matrix), 1) * np.eye(len(matrix))
    return np.linalg.inv(shifted)
