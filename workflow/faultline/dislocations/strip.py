"""Free surfaces of a slab that repeats along y: what has to be added to a field so that they carry nothing.

For each harmonic exp(i k y) Airy's function of the correction is

    phi(x) = A exp(-k d) + B k d exp(-k d) + C exp(-k e) + D k e exp(-k e),    d = x - left, e = right - x,

and its four amplitudes follow from the two tractions on either surface (exact, no image construction).
The mean over y (k = 0) carries no traction on planes x = const: the slab is free to bend.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Slab:
    """Section of the crystal: free surfaces at x = `left` and `right`, repeats along y, wall at x = `wall`.

    All in m. Domain 1 lies left of the wall. `harmonics` waves along y resolve the free surfaces.
    """

    left: float
    right: float
    period: float
    wall: float = 0.0
    harmonics: int = 64

    def __post_init__(self) -> None:
        if not self.left < self.wall < self.right:
            raise ValueError(f"the wall at {self.wall} m is not between {self.left} and {self.right} m")
        if self.period <= 0 or self.harmonics < 1:
            raise ValueError("a slab needs a positive period and at least one harmonic")

    @property
    def area(self) -> float:
        """Of one period, m2."""
        return (self.right - self.left) * self.period

    @cached_property
    def wave(self) -> Array:
        """Wave numbers k (harmonics,) in 1/m."""
        return 2 * np.pi / self.period * np.arange(1.0, self.harmonics + 1)

    @cached_property
    def inverse(self) -> Array:
        """(harmonics, 4, 4): from phi and phi'/k on the left and on the right to A, B, C, D."""
        width = self.wave * (self.right - self.left)
        far = np.exp(-width)
        zero, one = np.zeros_like(width), np.ones_like(width)
        rows = [
            [one, zero, far, width * far],
            [-one, one, far, -(1 - width) * far],
            [far, width * far, one, zero],
            [-far, (1 - width) * far, one, -one],
        ]
        return np.linalg.inv(np.moveaxis(np.array(rows), 2, 0))

    def basis(self, x: Array) -> tuple[Array, Array]:
        """phi and phi'/k of the four solutions, (4, n, harmonics) each, at x (n,) in m."""
        d, e = np.multiply.outer(x - self.left, self.wave), np.multiply.outer(self.right - x, self.wave)
        near, far = np.exp(-d), np.exp(-e)
        value = np.stack([near, d * near, far, e * far])
        slope = np.stack([-near, (1 - d) * near, far, -(1 - e) * far])
        return value, slope


def amplitudes(slab: Slab, normal: Complex, shear: Complex) -> Complex:
    """A, B, C, D (4, harmonics) that free both surfaces of tractions given by harmonic.

    `normal` and `shear`, (2, harmonics) in Pa on the left and the right surface: sigma_xx is the real part
    of sum normal exp(i k y), sigma_xy likewise. sigma_xx = -k^2 phi, sigma_xy = -i k phi'.
    """
    square = slab.wave**2
    asked = np.stack([normal[0], -1j * shear[0], normal[1], -1j * shear[1]]) / square
    return _solved(slab, asked)


def waves(slab: Slab, depth: Array, y: Array) -> Complex:
    """exp(-k (depth + i y)) (harmonics, n) at depths and y (n,), m.

    Powers of the first harmonic: each round of products doubles how many there are.
    """
    table = np.empty((slab.harmonics, len(depth)), complex)
    table[0] = np.exp(-2 * np.pi / slab.period * (depth + 1j * y))
    have = 1
    while have < slab.harmonics:
        more = min(have, slab.harmonics - have)
        np.multiply(table[:more], table[have - 1], out=table[have : have + more])
        have += more
    return table


def dislocation_amplitudes(
    slab: Slab, x: Array, y: Array, sign: Array, strength: float, core: float
) -> Complex:
    """Amplitudes (4, harmonics) for rows of dislocations at x, y (n,), m.

    The harmonics of `row_stress` at a distance d from the row, with r = sqrt(d^2 + a^2):
    sigma_xy = (2 pi D / L) d k exp(-k r) cos(k y), sigma_xx = -(2 pi D / L) (1 + k r) exp(-k r) sin(k y).
    """
    n = len(x)
    distance = np.stack([slab.left - x, slab.right - x])
    spread = np.sqrt(distance**2 + core**2)
    table = waves(slab, spread.ravel(), np.tile(y, 2))
    asked = np.empty((4, slab.harmonics), complex)
    for side in (0, 1):
        weights = np.stack([sign, sign * spread[side], sign * distance[side]], axis=1)
        plain, by_spread, by_distance = (table[:, side * n : (side + 1) * n] @ weights).T
        asked[2 * side] = plain + slab.wave * by_spread
        asked[2 * side + 1] = -slab.wave * by_distance
    front = 2j * np.pi * strength / (slab.period * slab.wave**2)
    return front * _solved(slab, asked)


def _solved(slab: Slab, asked: NDArray[Any]) -> Complex:
    """A, B, C, D (4, harmonics) from phi and phi'/k on both surfaces, in the order of `Slab.inverse`."""
    return (slab.inverse @ asked.T[:, :, None])[:, :, 0].T


def correction_stress(slab: Slab, x: Array, y: Array, amplitude: Complex) -> tuple[Array, Array]:
    """Stress xx and xy (n,) in Pa of the correction at x, y (n,), m.

    The sums over harmonics of k^2 phi exp(i k y) and k phi' exp(i k y), with the depths taken out.
    """
    n = len(x)
    a, b, c, d = (amplitude * slab.wave**2).conj()
    left, right = x - slab.left, slab.right - x
    table = waves(slab, np.concatenate([left, right]), np.tile(y, 2))
    near_a, near_b, near_bk = np.stack([a, b, b * slab.wave]) @ table[:, :n]
    far_c, far_d, far_dk = np.stack([c, d, d * slab.wave]) @ table[:, n:]
    phi = near_a + left * near_bk + far_c + right * far_dk
    slope = near_b - near_a - left * near_bk + far_c - far_d + right * far_dk
    return -phi.real, -slope.imag


def surface_stress(
    slab: Slab, at_x: Array, at_y: Array, x: Array, y: Array, sign: Array, strength: float, core: float
) -> tuple[Array, Array]:
    """Stress xx and xy (n,) in Pa at points (n,) that both surfaces send back from dislocations (m,)."""
    return correction_stress(slab, at_x, at_y, dislocation_amplitudes(slab, x, y, sign, strength, core))
