"""Bond's matrices: rotation of stress, strain and stiffness without leaving Voigt notation."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# tensor index pairs behind the Voigt components xx, yy, zz, yz, xz, xy
FIRST = np.array([0, 1, 2, 1, 0, 0])
SECOND = np.array([0, 1, 2, 2, 2, 1])
SHEAR = FIRST != SECOND


def stress_bond(orientation: Array) -> Array:
    """Bond matrix M (n, 6, 6) with sigma_lab = M sigma_crystal, for orientations (n, 3, 3).

    sigma'_ij = R_ik R_jl sigma_kl; a shear component stands for both (k, l) and (l, k): the second product.
    """
    direct = orientation[:, FIRST][:, :, FIRST] * orientation[:, SECOND][:, :, SECOND]
    swapped = orientation[:, FIRST][:, :, SECOND] * orientation[:, SECOND][:, :, FIRST]
    return direct + np.where(SHEAR, swapped, 0.0)


def strain_bond(orientation: Array) -> Array:
    """Bond matrix N (n, 6, 6) with gamma_lab = N gamma_crystal (engineering shear), from (n, 3, 3).

    Work is the same in both frames, so N = M^-T; and M^-1 is M of the transposed rotation.
    """
    return np.swapaxes(stress_bond(np.swapaxes(orientation, 1, 2)), 1, 2)


def rotate_stiffness(stiffness: Array, orientation: Array) -> Array:
    """Stiffness (n, 6, 6) in the laboratory frame, C_lab = M C M^T; `stiffness` is (6, 6) or (n, 6, 6)."""
    bond = stress_bond(orientation)
    return bond @ stiffness @ np.swapaxes(bond, 1, 2)


def rotate_strain(principal: Array, orientation: Array) -> Array:
    """Laboratory Voigt strain (n, 6) of the principal strains (n, 3) along the crystal's a, b and c axes."""
    principal = np.broadcast_to(principal, (len(orientation), 3))
    return np.einsum("nij,nj->ni", strain_bond(orientation)[:, :, :3], principal)


def lab_strain(strain: Array, orientation: Array) -> Array:
    """Crystal-frame Voigt strain (n, 6) to the laboratory frame."""
    return np.einsum("nij,nj->ni", strain_bond(orientation), strain)


def rotate_voigt_strain_to_crystal(strain: Array, orientation: Array) -> Array:
    """Laboratory Voigt strain (n, 6) to the crystal frame."""
    return lab_strain(strain, np.swapaxes(orientation, 1, 2))


def rotate_voigt_stress_to_lab(stress: Array, orientation: Array) -> Array:
    """Crystal-frame Voigt stress (n, 6) to the laboratory frame."""
    return np.einsum("nij,nj->ni", stress_bond(orientation), stress)


def rotate_voigt_stress_to_crystal(stress: Array, orientation: Array) -> Array:
    """Laboratory Voigt stress (n, 6) to the crystal frame.

    Component 2 is then the normal stress on the basal plane, components 3 and 4 are the shear resolved on it.
    """
    return rotate_voigt_stress_to_lab(stress, np.swapaxes(orientation, 1, 2))
