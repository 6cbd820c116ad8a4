"""Stress of edge dislocations in an isotropic solid, alone and as rows that repeat along the wall.

Burgers vector along x, line along z, half plane towards +y, plane strain. The core is spread after Cai et
al., J. Mech. Phys. Solids 54, 561 (2006): Airy's function -(D/2) y ln(x^2 + y^2 + a^2) keeps equilibrium
exact. `strength` is D = mu b / (2 pi (1 - nu)) in N/m. Stress components come in the order xx, yy, xy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def edge_stress(x: ArrayLike, y: ArrayLike, strength: float, core: float = 0.0) -> Array:
    """Stress (3, ...) in Pa at (x, y), m from one dislocation of sign +1 in an infinite solid.

    Hirth and Lothe, Theory of Dislocations (1982), chapter 3, for `core` = 0.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    square = x**2 + y**2 + core**2
    xx = -y / square * (3 - 2 * y**2 / square)
    yy = -y / square * (1 - 2 * x**2 / square)
    xy = x / square * (1 - 2 * y**2 / square)
    return strength * np.stack([xx, yy, xy])


def row_stress(x: ArrayLike, y: ArrayLike, period: float, strength: float, core: float = 0.0) -> Array:
    r"""Stress (3, ...) in Pa at (x, y), m from a row of dislocations at (0, n `period`), all of sign +1.

    With X = 2 pi sqrt(x^2 + a^2) / L, Y = 2 pi y / L and N = cosh X - cos Y the sum over n is

    .. math::

        \sigma_{xy} = D \frac{2 \pi^2}{L^2} x \frac{\cosh X \cos Y - 1}{N^2}, \qquad
        \sigma_{xx} = -D \frac{\pi}{L} \frac{\sin Y (N + X \sinh X)}{N^2}

    (Hirth and Lothe, chapter 19, for a = 0). All terms are scaled by exp(-X) against overflow.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    wave = 2 * np.pi / period
    spread = wave * np.sqrt(x**2 + core**2)
    decay = np.exp(-spread)
    cosine = np.cos(wave * y)
    one = 1 + decay**2
    below = one - 2 * decay * cosine  # 2 exp(-X) (cosh X - cos Y)
    front = strength * wave * decay / below**2
    slope = spread * (1 - decay**2)
    sine = np.sin(wave * y)
    fraction = np.divide(x**2, x**2 + core**2, out=np.zeros_like(spread), where=spread > 0)
    xx = -front * sine * (below + slope)
    yy = -front * sine * (below - fraction * slope)
    xy = front * wave * x * (one * cosine - 2 * decay)
    return np.stack([xx, yy, xy])


def pair_stress(
    at_x: Array, at_y: Array, x: Array, y: Array, sign: Array, period: float, strength: float, core: float
) -> tuple[Array, Array]:
    """Stress xx and xy (n,) in Pa at points (n,) from rows through (m,) dislocations of signs `sign`.

    The same formulas as `row_stress`. cos(Y) and sin(Y) of all differences are products of the points' own,
    so a pair costs one exponential and one root: this is the inner loop of the dynamics. A dislocation does
    not act on itself: both components vanish at its centre.
    """
    wave = 2 * np.pi / period
    at, of = wave * at_y, wave * y
    at_cos, at_sin, of_cos, of_sin = np.cos(at), np.sin(at), np.cos(of), np.sin(of)
    cosine = np.outer(at_cos, of_cos)
    cosine += np.outer(at_sin, of_sin)
    sine = np.outer(at_sin, of_cos)
    sine -= np.outer(at_cos, of_sin)
    distance = np.subtract.outer(wave * at_x, wave * x)
    spread = np.square(distance)
    spread += (wave * core) ** 2
    np.sqrt(spread, out=spread)
    decay = np.exp(-spread)
    one = np.square(decay)
    spread *= 1 - one
    one += 1
    decay2 = 2 * decay
    below = one - decay2 * cosine
    decay /= np.square(below)
    sine *= decay
    spread += below
    sine *= spread
    one *= cosine
    one -= decay2
    one *= distance
    one *= decay
    return -strength * wave * (sine @ sign), strength * wave * (one @ sign)


def dipole_glide_stress(x: ArrayLike, height: float, strength: float, core: float = 0.0) -> Array:
    """Shear stress in Pa on a dislocation at (x, `height`) m from one of opposite sign at the origin.

    Without a core it vanishes at x = +-height, the dipole's stable 45 degrees.
    """
    return -edge_stress(x, height, strength, core)[2]
