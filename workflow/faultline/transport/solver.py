r"""A FiPy solver that keeps its factors and carries one extra unknown, such as the voltage at a current.

On a device BiCGStab takes the place of the factors; FiPy builds its matrices on the host in any case. CuPy's
sparse LU would bring nothing: it factorises on the host by the same SuperLU.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from fipy.solvers.scipy.linearLUSolver import LinearLUSolver
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_matrix, csr_array
from scipy.sparse.linalg import splu

from faultline.anderson import Anderson
from faultline.backend import CPU, Backend, current
from faultline.errors import NotConverged
from faultline.ordering import nested_dissection

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

DIRECT = 1e-10  # reduction that factors of the matrix itself reach, conditioning permitting
PASSES = 3  # with these: the first solves, the others refine
MOST_PASSES = 6  # with factors of an earlier matrix: beyond, new ones pay, and errors hide
DRIFT = 3.0  # by which a diagonal may have changed; beyond, small corrections no longer mean small errors
STALLED = 1e-6  # a last correction above this share of the first, and ...
COARSE = 1e-7  # ... above this share of the unknowns, is no solution
ROUND_OFF = 1e-14
KRYLOV = 1e-6  # of the residual that BiCGStab leaves in a pass
MOST_KRYLOV = 10_000  # iterations; steps on 7 000 to 97 000 triangles took 290 to 560
FEWEST_CELLS = 100_000  # estimate: with fewer, kept factors solve sooner than BiCGStab has called its kernels


@dataclass(frozen=True)
class Border:
    """One unknown v more, and the equation that closes it: row @ x + corner v = right_hand_side.

    Attributes:
        column: (n,) share of v in every row of the matrix.
        row: (n,) the constraint's weights.
        corner, right_hand_side: numbers.
        start: v from which the iteration starts.
    """

    column: ArrayLike
    row: ArrayLike
    corner: float
    right_hand_side: float
    start: float = 0.0


class BorderedLUSolver(LinearLUSolver):
    r"""Solve a FiPy equation, together with one scalar unknown v if it has a border.

    .. math::

        A z = \begin{pmatrix} L & b \\ c^T & d \end{pmatrix} \begin{pmatrix} x \\ v \end{pmatrix}
        = \begin{pmatrix} f \\ r \end{pmatrix}

    L and f are what FiPy builds, in the sign in which it builds them: a TransientTerm on the left is
    positive, integrated over the cell.  The factors of one matrix precondition the iteration on those that
    follow, with Anderson's acceleration, until it slows down.  Each pass meets the border's equation and
    the sum of all rows, which is the balance of what the cells hold, to round-off.

    Args:
        border: may be exchanged between solves.
        reduction: of the largest correction of x and v, in all passes of a solve.
        backend: where solves of at least FEWEST_CELLS run; by default that of the process. Once BiCGStab does
            not converge, the solver goes on with factors on the host.

    Attributes:
        border_value: v after a solve; None without a border.

    Raises:
        NotConverged: the system is singular, as it may be about an iterate far off.
    """

    def __init__(
        self, border: Border | None = None, reduction: float = DIRECT, backend: Backend | None = None
    ) -> None:
        super().__init__(tolerance=DIRECT)
        self.border, self.reduction, self.backend = border, reduction, backend or current()
        self.border_value: float | None = None
        self._order: NDArray[np.int64] | None = None
        self._factor: _Factor | None = None

    def _solve_(self, L: Any, x: Array, b: Array) -> Array:
        """FiPy's call: nothing has been scaled yet; L (n, n) CSR, x the starting point, b right side."""
        system, start = _System.of(L, b, self.border), x.copy()
        if self.border is not None:
            start = np.append(x, self.border.start)
        on_device = not self.backend.on_host and len(b) >= FEWEST_CELLS
        found = self._on_device(system, start) if on_device else None
        if found is None and self._factor is not None:
            found = self._iterated(system, start, self._factor)
        if found is None:
            if self._order is None:
                self._order = nested_dissection(L, np.asarray(self.var.mesh.cellCenters).T)
            self._factor = _Factor(L, self._order)
            found = self._refined(system, start, self._factor)
        self._setConvergence(suite="scipy", code=0, iterations=1, residual=self.reduction)
        self.border_value = None if self.border is None else float(found[-1])
        return found[: len(b)]

    def _on_device(self, system: _System, z: Array) -> Array | None:
        """Solution by BiCGStab; None where that does not converge, and then never again."""
        try:
            return self._refined(system, z, _Krylov(system.matrix, self.backend))
        except _Stalled as stalled:
            log.info("%s: transport goes on with factors on the host", stalled)
            self.backend = CPU
            return None

    def _refined(self, system: _System, z: Array, factor: _Factor | _Krylov) -> Array:
        """Solution by factors of this very matrix."""
        correct, sizes = _Correction(system, factor), []
        for _ in range(PASSES):
            step = correct(system.residual(z))
            z = z + step
            sizes.append(_largest(step))
            if len(sizes) > 1 and sizes[-1] <= self.reduction * sizes[0]:
                break
        if not sizes[-1] <= max(STALLED * sizes[0], COARSE * _largest(z)):
            raise NotConverged(f"transport matrix is too ill-conditioned: last correction {sizes[-1]:.1e}")
        return z

    def _iterated(self, system: _System, z: Array, factor: _Factor) -> Array | None:
        """Solution by factors of an earlier matrix; None where they do not help."""
        change = np.abs(system.matrix.diagonal()) / factor.diagonal
        if not (change.min() > 1 / DRIFT and change.max() < DRIFT):
            return None
        correct, mix = _Correction(system, factor), Anderson(MOST_PASSES)
        step = correct(system.residual(z))
        first = size = _largest(step)
        goal = max(self.reduction * first, ROUND_OFF * _largest(z))
        if first <= goal:  # there already
            return z + step
        for _ in range(MOST_PASSES):
            z, before = mix(z, z + step), size
            step = correct(system.residual(z))
            size = _largest(step)
            if size <= goal * max(1 - size / before, 0.0):  # what is left after n passes is a geometric sum
                return z + step
            if not size <= first:  # it diverges
                break
        return None


def _largest(values: Array) -> float:
    return float(np.abs(values).max())


@dataclass(frozen=True)
class _System:
    """A z = right, with k = 0 or 1 unknowns more than cells.

    `column` (n, k), `row` (k, n) and `corner` (k, k) are the border; `sums` (1 + k, n + k) holds the sum of
    the first n rows of A, and its last ones.
    """

    matrix: Any
    column: Array
    row: Array
    corner: Array
    right: Array
    sums: Array

    @classmethod
    def of(cls, matrix: Any, right: Array, border: Border | None) -> _System:
        n, k = len(right), 0 if border is None else 1
        column, row, corner, closing = np.zeros((n, k)), np.zeros((k, n)), np.zeros((k, k)), np.zeros(k)
        if border is not None:
            column[:, 0], row[0], corner[:], closing[:] = (
                border.column,
                border.row,
                border.corner,
                border.right_hand_side,
            )
        balance = np.concatenate([np.ones(n) @ matrix, column.sum(axis=0)])
        sums = np.vstack([balance, np.hstack([row, corner])])
        return cls(matrix, column, row, corner, np.concatenate([right, closing]), sums)

    def residual(self, z: Array) -> Array:
        """right - A z, (n + k,)."""
        n = len(self.column)
        x, v = z[:n], z[n:]
        return self.right - np.concatenate(
            [self.matrix @ x + self.column @ v, self.row @ x + self.corner @ v]
        )


class _Correction:
    """Approximate inverse of A, exact for the sum of the rows and for the border's equation.

    y = F r is corrected along a uniform x and along the response -F b of x to v, so that what is left of the
    residual sums to nothing and keeps the border's equation.
    """

    def __init__(self, system: _System, factor: _Factor | _Krylov) -> None:
        self.system, self.factor = system, factor
        n, k = system.column.shape
        self.modes = np.zeros((n + k, 1 + k))
        self.modes[:n, 0] = 1
        self.modes[n:, 1:] = np.eye(k)
        for j in range(k):
            self.modes[:n, 1 + j] = -factor.solve(system.column[:, j])
        try:
            self.coarse = np.linalg.inv(system.sums @ self.modes)
        except np.linalg.LinAlgError:
            raise NotConverged(
                "the system is singular: its border does not move what it constrains"
            ) from None

    def __call__(self, residual: Array) -> Array:
        n = len(self.system.column)
        step = np.zeros(len(residual))
        step[:n] = self.factor.solve(residual[:n])
        left = np.append(residual[:n].sum(), residual[n:]) - self.system.sums @ step
        return step + self.modes @ (self.coarse @ left)


class _Factor:
    """LU of a matrix with symmetric pattern in a given order, rows scaled to unit diagonal."""

    def __init__(self, matrix: Any, order: NDArray[np.int64]) -> None:
        diagonal = np.abs(matrix.diagonal())
        self.diagonal, self.order = np.where(diagonal > 0, diagonal, 1), order
        self.scale = 1 / self.diagonal
        scaled = csc_matrix(matrix.multiply(self.scale[:, None]).tocsr()[order][:, order])
        # Diagonal pivots unless one is 100 times too small keep the fill of the symmetric ordering.
        try:
            self.lu = splu(
                scaled, permc_spec="NATURAL", diag_pivot_thresh=0.01, options={"SymmetricMode": True}
            )
        except RuntimeError as error:  # a step so far off that a row lost its diagonal
            raise NotConverged(f"transport matrix cannot be factorised: {error}") from error

    def solve(self, right: Array) -> Array:
        solution = np.empty(len(right))
        solution[self.order] = self.lu.solve((self.scale * right)[self.order])
        return solution


class _Stalled(Exception):
    """BiCGStab did not converge."""


class _Krylov:
    """BiCGStab on a device in place of factors, rows scaled to unit diagonal.

    Raises:
        _Stalled: from `solve`.
    """

    def __init__(self, matrix: Any, backend: Backend) -> None:
        diagonal = np.abs(matrix.diagonal())
        self.scale = 1 / np.where(diagonal > 0, diagonal, 1)
        self.backend, self.matrix = backend, backend.put(csr_array(matrix.multiply(self.scale[:, None])))

    def solve(self, right: Array) -> Array:
        scaled, bicgstab = self.scale * right, self.backend.krylov.bicgstab
        size = float(np.linalg.norm(scaled)) or 1.0  # BiCGStab takes products below 1e-31 for a breakdown
        solution, code = bicgstab(
            self.matrix, self.backend.put(scaled / size), rtol=KRYLOV, maxiter=MOST_KRYLOV
        )
        if code != 0:
            raise _Stalled(f"BiCGStab stopped with code {code}")
        return np.asarray(size * self.backend.get(solution))
