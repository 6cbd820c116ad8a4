"""Regions whose oxygen takes part in redox: charged, they contract more, and they are stiffer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RedoxRegions:
    """Where oxygen gives electrons, and what that adds to the table's lattice there.

    The contraction is isotropic. Between the two site fractions it grows along s^2 (3 - 2 s), s from 0 to 1,
    so that the partial molar volume has no step. The mass of a region stays, so its density grows by the
    factor (1 - contraction)^-3. Stiffness is that of the charged state all along: blocks are condensed once.

    Attributes:
        hard: (n_cells,) whether oxygen takes part.
        onset: site fraction below which it does.
        complete: site fraction at which the contraction is complete, below `onset`.
        contraction: linear, at its end.
        stiffness: of the regions over that of the rest.
    """

    hard: NDArray[np.bool_]
    onset: float
    complete: float
    contraction: float
    stiffness: float

    @property
    def stiffness_factor(self) -> Array:
        """(n_cells,) stiffness over the material's."""
        return np.where(self.hard, self.stiffness, 1.0)

    def strain(self, x: Array) -> Array:
        """(..., n_cells) linear strain that is added at site fraction x (..., n_cells)."""
        s = self._progress(x)
        return np.where(self.hard, -self.contraction * s**2 * (3 - 2 * s), 0.0)

    def slope(self, x: Array) -> Array:
        """d(strain)/dx (..., n_cells)."""
        s = self._progress(x)
        return np.where(self.hard, self.contraction * 6 * s * (1 - s) / (self.onset - self.complete), 0.0)

    def _progress(self, x: Array) -> Array:
        return np.clip((self.onset - x) / (self.onset - self.complete), 0.0, 1.0)
