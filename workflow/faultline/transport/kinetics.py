r"""Charge transfer at a wetted face: Butler-Volmer in series with a film and with diffusion in half a cell.

The current density i (A/m2) is positive on charge, when alkali leaves.  With x the site fraction at the
cell's centre and x_s at the face,

.. math::

    i &= i_0 \left[e^{\alpha F \eta / R T} - e^{-(1 - \alpha) F \eta / R T}\right] \\
    \eta &= V - V_\mathrm{oc}(x_s) - \Omega : \sigma / F - i R_f \\
    x_s &= x - i d / (F c_\mathrm{max} D_n)

Since V_oc falls with x, :math:`\eta + V_\mathrm{oc}(x_s) + i R_f` rises with eta, at least as fast as eta
itself: there is one root, between zero and the overpotential of an unloaded face, found by a bracketed
Newton iteration on all faces at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.constants import physical_constants

FARADAY = physical_constants["Faraday constant"][0]
_LARGEST_EXPONENT = 300.0  # keeps currents and their products finite far from any solution
_SITE_FRACTION_STEP = 1e-6
_ROOT_TOLERANCE = 1e-11  # of the last Newton step; the error left is its square

Array = NDArray[np.float64]


class SurfaceMaterial(Protocol):
    """What the kinetics ask of a material."""

    @property
    def c_max(self) -> float:
        """Alkali concentration at x = 1, mol/m3."""

    @property
    def transfer_coefficient(self) -> float:
        """Anodic transfer coefficient alpha."""

    @property
    def site_fraction_range(self) -> tuple[float, float]:
        """Lowest and highest x that the tables cover."""

    def open_circuit_voltage(self, x: ArrayLike) -> Array:
        """V_oc(x), V, defined beyond the tables too."""

    def open_circuit_slope(self, x: ArrayLike) -> Array:
        """dV_oc/dx <= 0, V."""

    def exchange_current_density(self, x: ArrayLike) -> Array:
        """i_0(x), A/m2."""


@dataclass(frozen=True)
class SurfaceCurrent:
    """Current of every face and its slopes.

    Attributes:
        current: (n,) i, A/m2, positive when alkali leaves.
        d_voltage: (n,) di/dV, A/(m2 V); di/d(Omega : sigma) is minus this over F.
        d_site_fraction: (n,) di/dx of the cell behind the face, A/m2.
        overpotential: (n,) eta, V.
        surface_site_fraction: (n,) x_s.
        outside: (n,) True where x_s lies beyond the material's tables and V_oc was extrapolated.
    """

    current: Array
    d_voltage: Array
    d_site_fraction: Array
    overpotential: Array
    surface_site_fraction: Array
    outside: NDArray[np.bool_]

    @property
    def message(self) -> str:
        """A sentence on extrapolated faces, empty where there are none."""
        if not self.outside.any():
            return ""
        worst = self.surface_site_fraction[self.outside]
        return (
            f"surface site fraction beyond the material's tables on {worst.size} of {self.outside.size} "
            f"faces ({worst.min():.3f} to {worst.max():.3f}): open-circuit voltage extrapolated"
        )


def butler_volmer(
    overpotential: ArrayLike, exchange_current: ArrayLike, transfer_coefficient: float, temperature: float
) -> tuple[Array, Array]:
    """Return i (A/m2) and di/d(eta) (A/(m2 V)) for overpotentials in V of any shape.

    Exponents beyond 300 (7.7 V at room temperature) are cut: the slope stays positive, nothing overflows.
    """
    thermal = FARADAY / (GAS_CONSTANT * temperature)
    scaled = thermal * np.asarray(overpotential, dtype=float)
    i0, alpha = np.asarray(exchange_current, dtype=float), transfer_coefficient
    limit = _LARGEST_EXPONENT
    anodic = np.clip(alpha * scaled, -limit, limit)
    cathodic = np.clip((alpha - 1) * scaled, -limit, limit)
    slope = i0 * thermal * (alpha * np.exp(anodic) + (1 - alpha) * np.exp(cathodic))
    return i0 * (np.expm1(anodic) - np.expm1(cathodic)), slope


def surface_current(
    voltage: float,
    x_cell: ArrayLike,
    drift_cell: ArrayLike,
    *,
    material: SurfaceMaterial,
    temperature: float,
    normal_diffusivity: ArrayLike,
    distance: ArrayLike,
    film_resistance: ArrayLike = 0.0,
) -> SurfaceCurrent:
    """Return the current density of every face at a particle voltage.

    The exchange current density is taken at x of the cell, so that the scalar equation keeps one root.

    Args:
        voltage: particle voltage, V.
        x_cell: (n,) site fraction of the cell behind each face.
        drift_cell: (n,) Omega : sigma there, J/mol.
        material: open-circuit voltage, exchange current density and constants.
        temperature: K.
        normal_diffusivity: (n,) chemical diffusivity along the face's normal, m2/s, > 0; inf leaves the half
            cell out.
        distance: (n,) from the cell's centre to the face along the normal, m.
        film_resistance: (n,) in series, ohm m2, >= 0.

    Raises:
        ValueError: a diffusivity is not positive, or a resistance is negative.
    """
    x, drift, diffusivity, distance, film = (
        np.atleast_1d(np.asarray(a, dtype=float))
        for a in np.broadcast_arrays(x_cell, drift_cell, normal_diffusivity, distance, film_resistance)
    )
    if not (np.all(diffusivity > 0) and np.all(film >= 0) and np.all(distance >= 0)):
        raise ValueError("surface kinetics need diffusivities > 0, distances and film resistances >= 0")
    depletion = distance / (FARADAY * material.c_max * diffusivity)  # x - x_s per current density, m2/A
    i0 = material.exchange_current_density(x)
    drive = voltage - drift / FARADAY

    def residual(eta: Array) -> tuple[Array, Array]:
        """g(eta) = eta - drive + V_oc(x_s) + i R_f and its slope, which is at least 1."""
        current, slope = butler_volmer(eta, i0, material.transfer_coefficient, temperature)
        x_s = x - depletion * current
        value = eta - drive + material.open_circuit_voltage(x_s) + film * current
        return value, 1 + slope * (film - depletion * material.open_circuit_slope(x_s))

    unloaded = drive - material.open_circuit_voltage(x)
    series = film - depletion * material.open_circuit_slope(x)  # ohm m2, of film and half a cell
    start = _loaded(unloaded, series, i0, temperature)
    eta = _rising_root(residual, np.minimum(unloaded, 0), np.maximum(unloaded, 0), start)
    current, slope = butler_volmer(eta, i0, material.transfer_coefficient, temperature)
    x_s = x - depletion * current
    voc_slope = material.open_circuit_slope(x_s)
    gain = 1 + slope * (film - depletion * voc_slope)
    # i = i0(x) f(eta), g(eta, x) = 0: di/dx = i0' f + i0 f' deta/dx, deta/dx = -(dg/dx) / (dg/deta).
    by_exchange = _slope(material.exchange_current_density, x) * current / i0
    dg_dx = voc_slope * (1 - depletion * by_exchange) + film * by_exchange
    low, high = material.site_fraction_range
    return SurfaceCurrent(
        current=current,
        d_voltage=slope / gain,
        d_site_fraction=by_exchange - slope * dg_dx / gain,
        overpotential=eta,
        surface_site_fraction=x_s,
        outside=(x_s < low) | (x_s > high),
    )


def _loaded(unloaded: Array, series: Array, exchange_current: Array, temperature: float) -> Array:
    """Overpotential near that which a resistance in series (ohm m2) leaves of the `unloaded` one (V).

    The smaller of all of it and of what would pass the current of all of it through the resistance, by Butler
    and Volmer's law with alpha = 1/2: both are upper bounds by size, and one of them is close.
    """
    width = 2 * GAS_CONSTANT * temperature / FARADAY
    limiting = np.abs(unloaded) / np.maximum(2 * exchange_current * series, np.finfo(float).tiny)
    return np.copysign(np.minimum(np.abs(unloaded), width * np.arcsinh(limiting)), unloaded)


def _slope(function: Callable[[Array], Array], x: Array) -> Array:
    h = _SITE_FRACTION_STEP
    return (function(x + h) - function(x - h)) / (2 * h)


def _rising_root(
    residual: Callable[[Array], tuple[Array, Array]], low: Array, high: Array, start: Array
) -> Array:
    """Root of a rising function in [low, high] for every entry: Newton from `start`, or bisection where that
    stalls.

    Newton's step is refused where it leaves the bracket or is longer than half the step before it
    (rtsafe of Press et al., Numerical Recipes, section 9.4).
    """
    low, high = low.copy(), high.copy()
    root = np.clip(start, low, high)
    before = high - low
    for _ in range(200):
        value, slope = residual(root)
        low, high = np.where(value < 0, root, low), np.where(value > 0, root, high)
        newton = -value / slope
        done = np.abs(newton) <= _ROOT_TOLERANCE * (1e-3 + np.abs(root))
        refused = (root + newton < low) | (root + newton > high) | (np.abs(newton) > before / 2)
        step = np.where(refused & ~done, (low + high) / 2 - root, newton)
        root = root + step
        if np.all(done):
            break
        before = np.abs(step)
    return root
