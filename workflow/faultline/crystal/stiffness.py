"""Stiffness matrices of the crystal classes that layered oxides and their shells need."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def hexagonal_stiffness(c11: float, c12: float, c13: float, c33: float, c44: float) -> Array:
    """Stiffness (6, 6) of a hexagonal crystal with c along the third axis.

    Constants in Pa; the result has their unit. C66 = (C11 - C12) / 2 makes the basal plane isotropic
    (Nye, Physical Properties of Crystals, table 9).
    """
    c66 = (c11 - c12) / 2
    stiffness = np.diag([c11, c11, c33, c44, c44, c66]).astype(float)
    stiffness[0, 1] = stiffness[1, 0] = c12
    stiffness[:2, 2] = stiffness[2, :2] = c13
    return stiffness


def isotropic_stiffness(youngs_modulus: float, poisson_ratio: float) -> Array:
    """Stiffness (6, 6) of an isotropic solid: Young's modulus in Pa, Poisson's ratio between -1 and 0.5."""
    lame = youngs_modulus * poisson_ratio / ((1 + poisson_ratio) * (1 - 2 * poisson_ratio))
    shear = youngs_modulus / (2 * (1 + poisson_ratio))
    return hexagonal_stiffness(lame + 2 * shear, lame, lame, lame + 2 * shear, shear)


def is_stable(stiffness: Array) -> bool:
    """Whether every strain costs energy (Born): the stiffness (6, 6) is symmetric and positive definite."""
    return bool(np.allclose(stiffness, stiffness.T) and np.linalg.eigvalsh(stiffness).min() > 0)
