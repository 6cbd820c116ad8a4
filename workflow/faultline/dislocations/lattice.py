"""Lattice of LiNiO2 against lithium content: c first expands (H2), then shrinks strongly (H3, O1)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SOURCE = (
    "estimate: rounded from the trends of Li, Reimers and Dahn, Solid State Ionics 67, 123 (1993), Yoon, "
    "Jun, Myung and Sun, ACS Energy Lett. 2, 1150 (2017) and de Biasi et al., ChemSusChem 12, 2240 (2019); "
    "between H2 and H3, where two phases coexist, the line stands for the mean of a fine mixture"
)
# site fraction of Li, a and c of the hexagonal cell in nm
TABLE = np.array(
    [
        [0.00, 0.2814, 1.320],
        [0.05, 0.2814, 1.336],
        [0.15, 0.2816, 1.360],
        [0.25, 0.2819, 1.440],
        [0.35, 0.2821, 1.444],
        [0.50, 0.2832, 1.440],
        [0.75, 0.2855, 1.427],
        [1.00, 0.2877, 1.419],
    ]
)


def lattice_parameters(content: ArrayLike) -> tuple[Array, Array]:
    """Lattice parameters a and c (m) at site fractions `content` of lithium, linear between the rows."""
    x = np.asarray(content, float)
    a, c = (np.interp(x, TABLE[:, 0], column) for column in TABLE[:, 1:].T)
    return a * 1e-9, c * 1e-9


def eigenstrain(content: ArrayLike, reference: float = 1.0) -> tuple[Array, Array]:
    """Stress-free strain along a and along c at site fractions `content`, from that at `reference`."""
    a, c = lattice_parameters(content)
    a0, c0 = lattice_parameters(reference)
    return a / a0 - 1, c / c0 - 1
