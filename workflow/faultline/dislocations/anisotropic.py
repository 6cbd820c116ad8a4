"""Stress of straight dislocations in any crystal by the sextic formalism of Stroh.

Stroh, Philos. Mag. 3, 625 (1958); notation of Ting, Anisotropic Elasticity (1996), chapters 5 and 8. The
line lies along z, the section is the xy plane. Voigt order xx, yy, zz, yz, xz, xy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.crystal import rotate_stiffness
from faultline.crystal.rotation import FIRST, SECOND

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# a along x, c along y: the line is the <1-100> direction of the hexagonal crystal
SECTION = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
PERTURBATION = 1e-6  # relative change of the stiffness that parts equal eigenvalues; the stress errs as much
CLOSE = 1e-2  # eigenvalues nearer than this are taken as degenerate


def stiffness_tensor(stiffness: Array) -> Array:
    """Full tensor (3, 3, 3, 3) of a Voigt stiffness (6, 6), Pa."""
    pair = np.empty((3, 3), dtype=int)
    pair[FIRST, SECOND] = pair[SECOND, FIRST] = np.arange(6)
    return stiffness[pair[:, :, None, None], pair[None, None, :, :]]


def in_section(stiffness: Array) -> Array:
    """Crystal-frame stiffness (6, 6) in the frame of the slab: a along x, c along y."""
    return rotate_stiffness(stiffness, SECTION[None])[0]


@dataclass(frozen=True)
class Stroh:
    """Solution of the sextic problem.

    Attributes:
        stiffness: (6, 6) in the frame of the section, Pa.
        roots: (3,) p with positive imaginary part: fields depend on x + p y.
        displacement, traction: (3, 3) vectors A and B, one column per root, with 2 a . b = 1.
    """

    stiffness: Array
    roots: Complex
    displacement: Complex
    traction: Complex


def solve_stroh(stiffness: Array) -> Stroh:
    """Eigenvalues and vectors of the fundamental 6 x 6 matrix for a stiffness (6, 6) in the section's frame.

    A line along an axis of isotropy (c of a hexagonal crystal, any line in an isotropic solid) makes two or
    three roots equal and the vectors dependent. Then the stiffness is perturbed by `PERTURBATION`.
    """
    solution = _eigen(stiffness)
    gaps = np.abs(solution.roots[[0, 0, 1]] - solution.roots[[1, 2, 2]])
    if gaps.min() > CLOSE:
        return solution
    tilt = PERTURBATION * np.diag(np.diag(stiffness)) * np.array([1.0, -2.0, 0.0, 3.0, -1.0, 2.0])
    parted = _eigen(stiffness + tilt)
    return Stroh(stiffness, parted.roots, parted.displacement, parted.traction)


def _eigen(stiffness: Array) -> Stroh:
    unit = float(stiffness.max())  # keeps both halves of the vectors of one size
    c = stiffness_tensor(stiffness / unit)
    q, r, t = c[:, 0, :, 0], c[:, 0, :, 1], c[:, 1, :, 1]
    inverse = np.linalg.inv(t)
    n1 = -inverse @ r.T
    n3 = r @ inverse @ r.T - q
    values, vectors = np.linalg.eig(np.block([[n1, inverse], [n3, n1.T]]))
    upper = np.flatnonzero(values.imag > 0)
    a, b = vectors[:3, upper], vectors[3:, upper]
    norm = np.sqrt(2 * (a * b).sum(axis=0))
    return Stroh(stiffness, values[upper], a / norm / np.sqrt(unit), b / norm * np.sqrt(unit))


def stroh_gradient(
    solution: Stroh, burgers: ArrayLike, x: ArrayLike, y: ArrayLike, period: float | None = None
) -> tuple[Array, Array]:
    r"""du/dx and du/dy (..., 3) at (x, y), m, around a dislocation with Burgers vector (3,), m.

    grad u = (1 / pi) Im(A <grad ln(x + p y)> B^T b). With a `period` (m) the sum over a row along y,
    1 / z replaced by pi cot(pi z / p L) / (p L).
    """
    z = np.asarray(x, float)[..., None] + solution.roots * np.asarray(y, float)[..., None]
    if period is None:
        pole = 1 / z
    else:
        wave = np.pi / (solution.roots * period)
        pole = wave / np.tan(wave * z)
    weight = solution.displacement * (solution.traction.T @ np.asarray(burgers, float))
    along = np.einsum("ia,...a->...i", weight, pole).imag / np.pi
    across = np.einsum("ia,...a->...i", weight, pole * solution.roots).imag / np.pi
    return along, across


def stroh_stress(
    solution: Stroh, burgers: ArrayLike, x: ArrayLike, y: ArrayLike, period: float | None = None
) -> Array:
    """Stress (6, ...) in Pa of the same dislocation or row, plane strain (e_zz = 0)."""
    along, across = stroh_gradient(solution, burgers, x, y, period)
    strain = np.stack(
        [
            along[..., 0],
            across[..., 1],
            np.zeros(along.shape[:-1]),
            across[..., 2],
            along[..., 2],
            across[..., 0] + along[..., 1],
        ]
    )
    return np.einsum("ij,j...->i...", solution.stiffness, strain)


def energy_factor(solution: Stroh, burgers: ArrayLike) -> float:
    """K in Pa with sigma . b = K b^2 / (2 pi x) on the plane y = 0; mu / (1 - nu) for an isotropic edge."""
    b = np.asarray(burgers, float)
    stress = stroh_stress(solution, b, 1.0, 0.0)
    return float(2 * np.pi * np.array([stress[5], stress[1], stress[3]]) @ b / (b @ b))
