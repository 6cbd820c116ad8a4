"""What an uneven mix of the transition metals does to the lattice."""

import numpy as np
from numpy.typing import NDArray

from faultline.materials import Material

Array = NDArray[np.float64]


def lattice_scale(shift: Array, material: Material) -> Array:
    """How far the lattice of each cell moves over what the table says: 1 + s / x_0, (n_cells,).

    `shift` s (n_cells,) is what uneven mixing of the metals changes in the alkali content x_0 as synthesised.
    By charge balance alkali and redox metal go together, so where s is positive there is a share s / x_0 more
    of both: more alkali leaves at one voltage, and the lattice strains more. The metals stay where they are,
    and with them this. The alkali itself levels out, since the open-circuit voltage is taken as the same
    function of x everywhere.
    """
    return 1 + shift / material.initial_site_fraction
