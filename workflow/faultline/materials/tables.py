"""Smooth curves through the tables of a material: open-circuit voltage and lattice."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator, PPoly
from scipy.optimize import isotonic_regression

Array = NDArray[np.float64]

# Corners of the lattice table are rounded over this distance in x on either side. At a sharp corner the
# partial molar volume would jump, and with it the chemical potential of a stressed cell: no composition
# would be in equilibrium there.
CORNER_HALF_WIDTH = 0.03


@dataclass(frozen=True)
class VoltageCurve:
    """Open-circuit voltage over site fraction that falls everywhere, by at least `minimum_slope` (V).

    With s the least slope, V + s x is interpolated by a monotone cubic (Fritsch and Carlson, SIAM J. Numer.
    Anal. 17, 238, 1980) and s x subtracted again, so that -dV/dx >= s holds between the rows too. A table
    that itself falls by less is first replaced by the nearest one (least squares) that does not. Beyond the
    table the curve goes on straight with its end slope.

    Attributes:
        site_fraction: (n,) ascending.
        voltage: (n,) V.
        minimum_slope: V per unit site fraction, > 0.
    """

    site_fraction: Array
    voltage: Array
    minimum_slope: float

    @cached_property
    def _falling(self) -> PchipInterpolator:
        tilted = self.voltage + self.minimum_slope * self.site_fraction
        return PchipInterpolator(self.site_fraction, isotonic_regression(tilted, increasing=False).x)

    @cached_property
    def _ends(self) -> Array:
        return self.site_fraction[[0, -1]]

    def __call__(self, x: ArrayLike) -> Array:
        """Voltage (V) at site fractions of any shape."""
        x = np.asarray(x, float)
        inside = np.clip(x, *self._ends)
        curve = self._falling(inside) - self.minimum_slope * inside
        return np.asarray(curve + self.slope(x) * (x - inside))

    def slope(self, x: ArrayLike) -> Array:
        """dV/dx (V), <= -minimum_slope, at site fractions of any shape."""
        inside = np.clip(np.asarray(x, float), *self._ends)
        return np.asarray(self._falling(inside, 1) - self.minimum_slope)

    def site_fraction_at(self, voltage: float) -> float:
        """Site fraction whose open-circuit voltage is the given one (V), bounded by the table."""
        grid = np.linspace(self._ends[0], self._ends[1], 4001)
        return float(np.interp(-voltage, -self(grid), grid))


@dataclass(frozen=True)
class LatticeCurve:
    """Principal strains (a, b, c) over site fraction, through the rows of the table.

    Within a phase the curve is a monotone cubic. Where neighbouring rows name different phases they are the
    ends of a two-phase gap, and linear interpolation is the lever rule: a share w = (x2 - x) / (x2 - x1) of
    the first phase gives eps = w eps1 + (1 - w) eps2. Corners are rounded. Strains are counted from the
    reference site fraction, so that the pristine lattice has none.

    Attributes:
        site_fraction: (n,) ascending.
        strain: (n, 3) along a, b and c.
        phase: (n,) names.
        reference: the pristine site fraction.
    """

    site_fraction: Array
    strain: Array
    phase: tuple[str, ...]
    reference: float

    @classmethod
    def from_table(
        cls,
        site_fraction: Sequence[float],
        phase: Sequence[str],
        slab_spacing: Sequence[float],
        strain_a: Sequence[float],
        strain_b: Sequence[float],
        reference: float,
    ) -> "LatticeCurve":
        """Curve from the columns of a lattice table; `reference` is the pristine site fraction."""
        x, spacing = np.asarray(site_fraction, float), np.asarray(slab_spacing, float)
        stretch = 1 + np.column_stack([strain_a, strain_b, spacing / spacing[0] - 1])
        pristine = np.array([np.interp(reference, x, column) for column in stretch.T])
        return cls(x, stretch / pristine - 1, tuple(phase), reference)

    @cached_property
    def phase_names(self) -> tuple[str, ...]:
        """Names of the phases in the order of the table (rising site fraction), each once."""
        return tuple(dict.fromkeys(self.phase))

    @cached_property
    def _row_phase(self) -> NDArray[np.int64]:
        return np.array([self.phase_names.index(name) for name in self.phase])

    @cached_property
    def in_gap(self) -> NDArray[np.bool_]:
        """(n - 1,) whether the interval between two rows is a two-phase gap."""
        return self._row_phase[1:] != self._row_phase[:-1]

    def _interval(self, x: Array) -> tuple[NDArray[np.int64], Array]:
        """Index of the interval of each x, and how far along it x lies (0 to 1)."""
        inside = np.clip(x, self.site_fraction[0], self.site_fraction[-1])
        k = np.clip(np.searchsorted(self.site_fraction, inside, side="right") - 1, 0, len(self.in_gap) - 1)
        return k, (inside - self.site_fraction[k]) / np.diff(self.site_fraction)[k]

    @cached_property
    def _curve(self) -> PPoly:
        """Monotone cubic within a phase, straight in a gap, and straight on beyond both ends."""
        x, rows = self.site_fraction, self.strain
        straight = np.diff(rows, axis=0) / np.diff(x)[:, None]
        pieces = np.zeros((4, len(x) - 1, 3))
        pieces[2], pieces[3] = straight, rows[:-1]
        ends = [0, *(np.flatnonzero(self.in_gap) + 1), len(x)]
        for start, stop in pairwise(ends):
            if stop - start > 2:
                pieces[:, start : stop - 1] = PchipInterpolator(x[start:stop], rows[start:stop]).c
        beyond = np.zeros((4, 2, 3))
        beyond[2] = straight[[0, -1]]
        beyond[3] = rows[[0, -1]] - [straight[0], np.zeros(3)]
        return PPoly(
            np.concatenate([beyond[:, :1], pieces, beyond[:, 1:]], axis=1), np.r_[x[0] - 1, x, x[-1] + 1]
        )

    @cached_property
    def _integral(self) -> PPoly:
        return self._curve.antiderivative()

    @cached_property
    def _offset(self) -> Array:
        """Rounding must not strain the pristine lattice."""
        return self._rounded_strain(np.array([self.reference]))[0]

    def _rounded_strain(self, x: Array) -> Array:
        w = CORNER_HALF_WIDTH
        return np.asarray((self._integral(x + w) - self._integral(x - w)) / (2 * w))

    def strain_at(self, x: ArrayLike) -> Array:
        """Principal strains (n, 3) at site fractions (n,): the curve's mean over x +- w (corners rounded)."""
        return self._rounded_strain(self._inside(x)) - self._offset

    def slope_at(self, x: ArrayLike) -> Array:
        """d(strain)/dx (n, 3); in a gap, away from its ends, the constant (eps2 - eps1) / (x2 - x1)."""
        x, w = self._inside(x), CORNER_HALF_WIDTH
        return np.asarray((self._curve(x + w) - self._curve(x - w)) / (2 * w))

    def _inside(self, x: ArrayLike) -> Array:
        return np.clip(np.atleast_1d(np.asarray(x, float)), self.site_fraction[0], self.site_fraction[-1])

    def phase_at(self, x: ArrayLike) -> NDArray[np.int64]:
        """Index into `phase_names` of the phase that fills most of the cell, (n,)."""
        k, t = self._interval(np.atleast_1d(np.asarray(x, float)))
        return self._row_phase[np.where(t < 0.5, k, k + 1)]

    def phase_fraction_at(self, x: ArrayLike) -> Array:
        """Share of each phase by the lever rule, (n, number of phases); rows sum to 1."""
        k, t = self._interval(np.atleast_1d(np.asarray(x, float)))
        share = np.zeros((len(k), len(self.phase_names)))
        np.add.at(share, (np.arange(len(k)), self._row_phase[k]), 1 - t)
        np.add.at(share, (np.arange(len(k)), self._row_phase[k + 1]), t)
        return share

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Ends (low, high) of every two-phase gap, ascending."""
        starts = np.flatnonzero(self.in_gap)
        return [(float(self.site_fraction[k]), float(self.site_fraction[k + 1])) for k in starts]
