"""Glide of the layers over each other in the bulk: slip on basal planes as an evolving eigenstrain."""

from dataclasses import dataclass

import numpy as np

from faultline.cracks.law import Floats
from faultline.crystal import lab_strain, rotate_voigt_stress_to_crystal

ALONG_BC, ALONG_AC = 3, 4


@dataclass(frozen=True)
class BasalGlide:
    """Slip on the basal plane in the direction of the shear traction on it (isotropic in the plane).

    One update relaxes the overstress of every cell by d_gamma = (|tau| - tau_c) / C44. In a cell held at its
    total strain this returns exactly to the critical stress; neighbours that give way only lessen the drop.
    So the slip response P of the whole body (tau falls by P d_gamma) obeys 0 <= P <= C44, and updates that
    alternate with equilibrium are gradient descent with step 1 / C44 on the convex incremental energy: each
    lowers the energy, whatever the load step.

    Attributes:
        shear_modulus: C44, Pa, a number or (n_cells,).
    """

    shear_modulus: float | Floats

    def update(self, stress: Floats, orientation: Floats, crss: float | Floats) -> Floats:
        """Return the increment of the glide strain (n_cells, 6), Voigt, engineering shear, laboratory frame.

        Args:
            stress: (n_cells, 6), Pa.
            orientation: (n_cells, 3, 3) crystal axes as columns.
            crss: critical resolved shear stress, Pa, a number or (n_cells,); infinite where nothing glides.
        """
        crystal_stress = rotate_voigt_stress_to_crystal(stress, orientation)
        shear = np.hypot(crystal_stress[:, ALONG_BC], crystal_stress[:, ALONG_AC])
        slip = np.maximum(shear - crss, 0.0) / self.shear_modulus
        rate = slip / np.where(shear > 0, shear, 1.0)
        strain = np.zeros_like(stress)
        for component in (ALONG_BC, ALONG_AC):
            strain[:, component] = rate * crystal_stress[:, component]
        return lab_strain(strain, orientation)


def plastic_work(stress: Floats, glide_increment: Floats, cell_area: Floats) -> float:
    """Work of the stress (n_cells, 6) on a glide increment (n_cells, 6), J/m.

    Exact with the mean of the stresses before and after, since equilibrium is linear in between.
    """
    return float(cell_area @ np.einsum("ci,ci->c", stress, glide_increment))
