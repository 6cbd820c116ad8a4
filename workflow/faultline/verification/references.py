"""Exact and independent one-dimensional solutions of transport that the engine has to meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import erf, j0, j1, jn_zeros

Array = NDArray[np.float64]

ROOTS = 60  # terms of a Bessel series; the last one is below 1e-15 from D t / a^2 = 0.001 on


def rotated(ratio: float, angle: ArrayLike, scale: ArrayLike = 1.0) -> Array:
    """Tensors (n, 2, 2) with eigenvalues `scale` and `scale` / `ratio`, the first one at `angle`."""
    angle = np.atleast_1d(angle)
    first = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    tensor = np.eye(2) / ratio + (1 - 1 / ratio) * first[:, :, None] * first[:, None, :]
    return np.broadcast_to(scale, len(angle))[:, None, None] * tensor


def one_flux_tensors(ratio: float, n: int) -> Array:
    """Tensors (n, 2, 2) with eigenvalues up to `ratio` apart that all answer grad(x) with the same flux.

    K = [[1, b], [b, d]]; d lies between the roots of (1 + d)^2 det(K)^-1 = (ratio + 1)^2 / ratio. A field of
    x alone then has a continuous flux over any grain boundaries and junctions between them.
    """
    b, bound = min(0.5, 0.9 * (ratio - 1) / 2 / np.sqrt(ratio)), (ratio + 1) ** 2 / ratio
    low, high = np.sort(np.roots([1.0, 2.0 - bound, 1.0 + bound * b**2]).real)
    d = np.where(np.arange(n) % 2, low, np.geomspace(high, low, n))
    full = np.broadcast_to([[1.0, b], [b, 0.0]], (n, 2, 2)).copy()
    full[:, 1, 1] = d
    return full


@dataclass(frozen=True)
class Strips:
    r"""Field over strips of unlike tensors that keeps the flux across every straight interface x = k pi / w.

    In strip k, with one complex amplitude each for the potential and for the flux,

    .. math::

        \phi_k = \mathrm{Re}\,[(F_k \cos w x + H_k \sin w x) e^{i a y}], \qquad
        H_k = (Q - i a K_{xy} F_k) / (K_{xx} w)

    so that the flux along x through every interface is -Re[Q exp(i a y)] with alternating sign. Over an
    interface of conductance h the potential jumps by flux / h: F_{k+1} = F_k + Q / h. With Q = 0 all
    interfaces are blocked and the F_k are free.

    Attributes:
        tensor: (strips, 2, 2).
        amplitude: (strips,) complex F_k.
        flux: complex Q.
        wave: (w, a).
    """

    tensor: Array
    amplitude: NDArray[np.complex128]
    flux: complex
    wave: tuple[float, float]

    @classmethod
    def joined(
        cls, tensor: Array, first: complex, flux: complex, conductance: float, wave: tuple[float, float]
    ) -> Strips:
        """Strips whose interfaces all have one conductance (inf: none resists)."""
        amplitude = first + np.arange(len(tensor)) * flux / conductance
        return cls(tensor, amplitude.astype(complex), flux, wave)

    def _parts(self, x: Array, y: Array, strip: NDArray[np.int64]) -> tuple[Array, ...]:
        (w, a), tensor = self.wave, self.tensor[strip]
        even = self.amplitude[strip]
        odd = (self.flux - 1j * a * tensor[:, 0, 1] * even) / (tensor[:, 0, 0] * w)
        turn = np.exp(1j * a * y)
        field = (even * np.cos(w * x) + odd * np.sin(w * x)) * turn
        slope = w * (odd * np.cos(w * x) - even * np.sin(w * x)) * turn
        return tensor, field, slope

    def potential(self, x: Array, y: Array, strip: NDArray[np.int64]) -> Array:
        """Field (n,) at points of the given strips."""
        return np.real(self._parts(x, y, strip)[1])

    def divergence(self, x: Array, y: Array, strip: NDArray[np.int64]) -> Array:
        """div(K grad phi), (n,)."""
        (w, a), (tensor, field, slope) = self.wave, self._parts(x, y, strip)
        straight = -(tensor[:, 0, 0] * w**2 + tensor[:, 1, 1] * a**2) * field
        return np.real(straight + 2j * a * tensor[:, 0, 1] * slope)


def cylinder_with_constant_flux(r: ArrayLike, t: float) -> Array:
    """Concentration of a cylinder (radius 1, D = 1) that takes up the flux 1, from nothing at t = 0.

    Crank, The Mathematics of Diffusion (1975), section 5.3: 2 t + r^2/2 - 1/4 - 2 sum exp(-b^2 t) J0(b r) /
    (b^2 J0(b)) over the roots of J1(b) = 0.
    """
    radius = np.asarray(r, float)
    root = jn_zeros(1, ROOTS)[:, None]
    series = np.exp(-(root**2) * t) * j0(root * radius.ravel()) / (root**2 * j0(root))
    return 2 * t + radius**2 / 2 - 0.25 - 2 * series.sum(axis=0).reshape(radius.shape)


def biot_roots(biot: float, n: int = ROOTS) -> Array:
    """First n roots b of b J1(b) = L J0(b): one between neighbouring zeros of J1."""
    ends = pairwise([0.0, *jn_zeros(1, n)])
    return np.array([brentq(lambda b: b * j1(b) - biot * j0(b), low, high) for low, high in ends])


def cylinder_with_surface_resistance(r: ArrayLike, t: float, biot: float) -> Array:
    """Share of the initial excess that is left in a cylinder (radius 1, D = 1) where -dc/dr = L c at r = 1.

    Crank, section 5.3 (surface evaporation): sum 2 L J0(b r) exp(-b^2 t) / ((b^2 + L^2) J0(b)) over the roots
    of b J1(b) = L J0(b).
    """
    radius, root = np.asarray(r, float), biot_roots(biot)[:, None]
    weight = 2 * biot * np.exp(-(root**2) * t) / ((root**2 + biot**2) * j0(root))
    return (weight * j0(root * radius.ravel())).sum(axis=0).reshape(radius.shape)


def stefan_root(stefan: float) -> float:
    """L of the front 2 L sqrt(D t): sqrt(pi) L exp(L^2) erf(L) = Stefan number (Neumann, one phase)."""
    return float(brentq(lambda v: np.sqrt(np.pi) * v * np.exp(v**2) * erf(v) - stefan, 0, 5, xtol=1e-15))


def stefan_profile(z: ArrayLike, front: float, root: float) -> Array:
    """Share (0 at the surface, 1 at and behind the front) of the composition of the growing phase."""
    return erf(root * np.minimum(np.asarray(z, float) / front, 1.0)) / erf(root)


def front_profile(z: ArrayLike, width: float) -> Array:
    """Share of the phase on the right in a flat front at rest about z = 0 (Cahn and Hilliard 1958)."""
    return (1 + np.tanh(2 * np.asarray(z, float) / width)) / 2


def growth_of_waves(
    size: tuple[float, float],
    mobility: Sequence[float],
    slope: float,
    gradient_energy: float,
    largest: int = 12,
) -> Array:
    """Growth rates (m, n) of cos(m pi x / L) cos(n pi y / H) in a uniform closed box.

    -(M_x k_x^2 + M_y k_y^2) (mu' + kappa k^2), with M per c_max (Cahn, Acta Metall. 9, 795, 1961).
    """
    kx, ky = (np.pi * np.arange(largest) / length for length in size)
    square_x, square_y = np.meshgrid(kx**2, ky**2, indexing="ij")
    leak = mobility[0] * square_x + mobility[1] * square_y
    return -leak * (slope + gradient_energy * (square_x + square_y))


def sheet_by_lines(
    start: float,
    length: float,
    time: float,
    outflow: float,
    potential: Callable[[Array], Array],
    mobility: Callable[[Array], Array],
    n: int = 100,
) -> tuple[Array, Array, float]:
    """Composition of a plane sheet, closed at z = 0, that loses `outflow` at z = `length` from t = 0.

    The method of lines for x_t = (M(x) mu_z)_z on n equal cells, in time by an implicit Runge-Kutta method of
    fifth order: no code in common with the engine.

    Args:
        start: uniform x at t = 0.
        length, time: m and s.
        outflow: of x, m/s.
        potential: mu of all cells from x of all cells (it may depend on means over the sheet).
        mobility: M of x.
        n: cells.

    Returns:
        Centres of the cells, x there, and mu at z = `length`.
    """
    h = length / n

    def rate(_: float, x: Array) -> Array:
        middle = mobility((x[1:] + x[:-1]) / 2)
        flux = np.concatenate([[0.0], -middle * np.diff(potential(x)) / h, [outflow]])
        return -np.diff(flux) / h

    found = solve_ivp(rate, (0, time), np.full(n, start), method="Radau", rtol=1e-7, atol=1e-9)
    if not found.success:
        raise RuntimeError(found.message)
    x = np.asarray(found.y[:, -1], dtype=float)
    end = potential(x)[-1] - outflow * h / 2 / mobility(x)[-1]
    return h * np.arange(0.5, n), x, float(end)
