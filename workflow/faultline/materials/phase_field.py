"""Two-phase gaps as double wells, so that a front between two phases forms of its own accord."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.materials.tables import VoltageCurve

Array = NDArray[np.float64]

# A plateau is flat; the curve through the table must fall a little everywhere.
LEAST_SLOPE = 1e-6  # V
# psi(u) = 2 u (1 - u) (1 - 2 u) is largest where the spinodal begins, u = (1 - 1/sqrt 3) / 2.
LARGEST_PSI = 1 / (3 * np.sqrt(3))


@dataclass(frozen=True)
class PhaseField:
    """Open-circuit voltage and gradient energy of a material that parts into its phases.

    In each gap x1 < x < x2 the voltage is the plateau V_p, the mean of the table over the gap, less a
    double well's slope,

        V(x) = V_p - eta psi(u) / max(psi),   psi = 2 u (1 - u) (1 - 2 u),   u = (x - x1) / (x2 - x1),

    so that x1 and x2 share a tangent at V_p, and a uniform particle has to be driven by eta past the
    plateau before it parts on its own. With the gradient energy kappa a flat front is u = 1 / (1 + exp(-4 z
    / width)), where kappa (x2 - x1) = (3 sqrt(3) / 8) F eta width^2 (Cahn and Hilliard, J. Chem. Phys. 28,
    258, 1958). True fronts are a few lattice spacings wide: a width that a mesh can resolve raises their
    energy in proportion.

    Attributes:
        voltage: the table with flat plateaus.
        gaps: (n, 2) their ends, ascending.
        overpotential: eta, V.
        width: of the front in the widest gap, m; narrower gaps have wider fronts.
    """

    voltage: VoltageCurve
    gaps: Array
    overpotential: float
    width: float

    @classmethod
    def from_table(
        cls, voltage: VoltageCurve, gaps: Sequence[tuple[float, float]], overpotential: float, width: float
    ) -> "PhaseField":
        """Wells in the `gaps` of a lattice table, at the mean of the voltage table over each."""
        x, v = voltage.site_fraction, voltage.voltage
        for low, high in gaps:
            inside = np.linspace(low, high, 401)
            plateau = float(np.mean(voltage(inside)))
            outside = (x < low) | (x > high)
            x = np.concatenate([x[outside], [low, high]])
            v = np.concatenate([v[outside], [plateau, plateau]])
            order = np.argsort(x)
            x, v = x[order], v[order]
        ends = np.array(gaps, float).reshape(-1, 2)
        return cls(VoltageCurve(x, v, LEAST_SLOPE), ends, overpotential, width)

    def __call__(self, x: ArrayLike) -> Array:
        """Voltage (V) of a uniform crystal, at site fractions of any shape."""
        x = np.asarray(x, float)
        value = self.voltage(x)
        for low, high in self.gaps:
            u = np.clip((x - low) / (high - low), 0.0, 1.0)
            value = value - self.overpotential * 2 * u * (1 - u) * (1 - 2 * u) / LARGEST_PSI
        return value

    def slope(self, x: ArrayLike) -> Array:
        """dV/dx (V); positive inside a spinodal."""
        x = np.asarray(x, float)
        value = self.voltage.slope(x)
        for low, high in self.gaps:
            u = np.clip((x - low) / (high - low), 0.0, 1.0)
            inside = (u > 0) & (u < 1)
            change = 2 * (1 - 6 * u + 6 * u**2) / (high - low)
            value = value - self.overpotential * np.where(inside, change, 0.0) / LARGEST_PSI
        return value

    def gradient_energy(self, faraday: float) -> float:
        """kappa (J m2/mol) of the potential -kappa lap(x)."""
        widest = float(np.ptp(self.gaps, axis=1).max())
        return faraday * self.overpotential * self.width**2 / (8 * LARGEST_PSI * widest)
