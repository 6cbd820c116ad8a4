r"""A direct FiPy solver that carries one extra unknown, such as the voltage that fixes a total current."""

from __future__ import annotations

from typing import Any

import numpy as np
from fipy.solvers.scipy.linearLUSolver import LinearLUSolver
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from faultline.errors import NotConverged

Array = NDArray[np.float64]


class BorderedLUSolver(LinearLUSolver):
    r"""Solve a FiPy equation together with one scalar unknown v, by one factorisation of the FiPy matrix.

    .. math::

        \begin{pmatrix} L & b \\ c^T & d \end{pmatrix} \begin{pmatrix} x \\ v \end{pmatrix}
        = \begin{pmatrix} f \\ r \end{pmatrix}, \qquad
        v = \frac{r - c^T L^{-1} f}{d - c^T L^{-1} b}, \quad x = L^{-1} f - L^{-1} b \, v

    L and f are what FiPy builds, in the sign in which it builds them: a TransientTerm on the left is
    positive, integrated over the cell.  Two steps of iterative refinement on the bordered system bring its
    residual to round-off.  Without a border it is a plain direct solver.

    Args:
        column: (n,) b, the share of v in every row.
        row: (n,) c, the constraint's weights.
        corner: d.
        right_hand_side: r.

    Attributes:
        border_value: v after a solve; None without a border.
        relative_residual: largest residual of the bordered system over the largest term of its row.

    Raises:
        ValueError: only one of column and row is given.
        NotConverged: the system is singular, as it may be about an iterate far off.
    """

    def __init__(
        self,
        column: ArrayLike | None = None,
        row: ArrayLike | None = None,
        corner: float = 0.0,
        right_hand_side: float = 0.0,
    ) -> None:
        super().__init__(tolerance=1e-10)
        if (column is None) != (row is None):
            raise ValueError("a bordered solve needs both column and row")
        self.column = None if column is None else np.asarray(column, dtype=float)
        self.row = None if row is None else np.asarray(row, dtype=float)
        self.corner, self.right_hand_side = float(corner), float(right_hand_side)
        self.border_value: float | None = None
        self.relative_residual = np.nan

    def _solve_(self, L: Any, x: Array, b: Array) -> Array:
        """FiPy's call: nothing has been scaled yet; L (n, n) CSR, x the starting point, b right side."""
        factor = _Factor(L)
        if self.column is None or self.row is None:
            solution = factor.solve(b)
            for _ in range(2):
                solution = solution + factor.solve(b - L @ solution)
            self._report(L, solution, b)
            return solution
        border = factor.solve(self.column)
        schur = float(self.corner - self.row @ border)
        if schur == 0 or not np.isfinite(schur):
            raise NotConverged(
                "the bordered system is singular: the extra unknown does not move the constraint"
            )
        solution, value = np.zeros(len(b)), 0.0
        for _ in range(3):  # the first pass solves, the others refine
            inner = factor.solve(b - L @ solution - self.column * value)
            gap = self.right_hand_side - self.row @ solution - self.corner * value
            step = float(gap - self.row @ inner) / schur
            solution, value = solution + inner - border * step, value + step
        self.border_value = value
        self._report(L, solution, b - self.column * value)
        return solution

    def _report(self, L: Any, x: Array, b: Array) -> None:
        """Tell FiPy how well the system is met; it warns where the residual exceeds the tolerance."""
        size = abs(L) @ np.abs(x) + np.abs(b)
        residual = np.abs(L @ x - b)
        self.relative_residual = float(np.max(residual / np.where(size > 0, size, 1)))
        self._setConvergence(suite="scipy", code=0, iterations=1, residual=self.relative_residual)
        self.convergence.warn()


class _Factor:
    """LU of a matrix with symmetric pattern, rows scaled to unit diagonal."""

    def __init__(self, matrix: Any) -> None:
        diagonal = np.abs(matrix.diagonal())
        self.scale = 1 / np.where(diagonal > 0, diagonal, 1)
        scaled = csc_matrix(matrix.multiply(self.scale[:, None]))
        # Diagonal pivots unless one is 100 times too small keep the fill of the symmetric ordering.
        try:
            self.lu = splu(
                scaled, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options={"SymmetricMode": True}
            )
        except RuntimeError as error:  # a step so far off that a row lost its diagonal
            raise NotConverged(f"transport matrix cannot be factorised: {error}") from error

    def solve(self, rhs: Array) -> Array:
        return self.lu.solve(self.scale * rhs)
