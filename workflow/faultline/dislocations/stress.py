"""Stress of edge dislocations in an isotropic solid, alone and as rows that repeat along the wall.

Burgers vector along x, line along z, half plane towards +y, plane strain. The core is spread after Cai et
al., J. Mech. Phys. Solids 54, 561 (2006): Airy's function -(D/2) y ln(x^2 + y^2 + a^2) keeps equilibrium
exact. `strength` is D = mu b / (2 pi (1 - nu)) in N/m. Stress components come in the order xx, yy, xy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BLOCK = 12_800  # pairs worked out together: six arrays of that size fit into a cache of the second level
FAR = 300.0  # of X: beyond, exp(-X) is nothing and exp(X) comes near to overflow


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

    A dislocation does not act on itself: both components vanish at its centre.
    """
    wave = 2 * np.pi / period
    at, of = _phased(wave * at_x, wave * at_y), _phased(wave * x, wave * y)
    total = np.empty((2, len(at_x)))
    block = max(BLOCK // max(len(x), 1), 1)
    for first in range(0, len(at_x), block):
        rows = slice(first, first + block)
        total[:, rows] = _kernels(at[:, rows], of, wave * core) @ sign
    return strength * wave * total[0], strength * wave / 2 * total[1]


def mutual_stress(
    x: Array, y: Array, sign: Array, period: float, strength: float, core: float
) -> tuple[Array, Array]:
    """`pair_stress` of dislocations (n,) on one another, the inner loop of the dynamics.

    Both components are odd in the distance, so each pair is worked out once.
    """
    wave = 2 * np.pi / period
    places = _phased(wave * x, wave * y)
    total = np.zeros((2, len(x)))
    block = max(BLOCK // max(len(x), 1), 1)
    for first in range(0, len(x), block):
        rows, after = slice(first, first + block), slice(first + block, None)
        kernels = _kernels(places[:, rows], places[:, first:], wave * core)
        total[:, rows] += kernels @ sign[first:]
        total[:, after] -= sign[rows] @ kernels[:, :, block:]
    return strength * wave * total[0], strength * wave / 2 * total[1]


def _phased(x: Array, y: Array) -> Array:
    """x, cos(y) and sin(y) (3, n): cos and sin of all differences are products of the points' own."""
    return np.array([x, np.cos(y), np.sin(y)])


def _kernels(at: Array, of: Array, core: float) -> Array:
    r"""xx over D 2 pi / L and xy over D pi / L (2, n, m) of `row_stress`, with M = 2 cosh X - 2 cos Y:

    .. math::

        -\sin Y \frac{M + 2 X \sinh X}{M^2}, \qquad
        \frac{2 \pi x}{L} \frac{4 \cosh X \cos Y - 4}{M^2}

    `at` (3, n) and `of` (3, m) are `_phased` places, lengths over L / (2 pi). A pair costs one exponential
    and one root. The result stands in `_room` until the next call.
    """
    room = _room(at.shape[1], of.shape[1])
    result, (cosine, spread, grown, cosh) = room[:2], room[2:]
    normal, shear = result
    np.matmul(2 * at[1:].T, of[1:], out=cosine)
    np.matmul(np.stack([-at[2], at[1]], axis=1), of[1:], out=normal)
    np.subtract.outer(at[0], of[0], out=shear)
    np.multiply(shear, shear, out=spread)
    spread += core**2
    np.sqrt(spread, out=spread)
    np.minimum(spread, FAR, out=spread)
    np.exp(spread, out=grown)
    np.reciprocal(grown, out=cosh)
    cosh += grown  # twice cosh X
    grown *= 2
    grown -= cosh  # twice sinh X
    spread *= grown
    below = np.subtract(cosh, cosine, out=grown)
    spread += below
    normal *= spread
    cosh *= cosine
    cosh -= 4
    shear *= cosh
    below *= below
    np.reciprocal(below, out=below)
    result *= below
    return result


@lru_cache(maxsize=16)
def _room(rows: int, columns: int) -> Array:
    """Six arrays to compute in: asking for them anew at every call takes longer than filling them."""
    return np.empty((6, rows, columns))
