"""Glide of the layers over each other in the bulk: slip on basal planes as an evolving eigenstrain."""

import numpy as np

from faultline.cracks.law import Floats, Ints
from faultline.crystal import stress_bond

ALONG_BC, ALONG_AC = 3, 4


class BasalGlide:
    """Perfectly plastic slip on the basal plane, in any direction within it.

    The state is `slip` (n_gliding, 2): the engineering shears bc and ac of the cells that can glide. In a
    time step from `slip_n` to `slip` it obeys |tau| <= tau_c and slip - slip_n along tau where |tau| = tau_c,
    which minimises a convex incremental energy. One proximal step from any guess,

        tau* = tau + C44 (slip - slip_n),   slip' = slip_n + max(|tau*| - tau_c, 0) / C44  tau* / |tau*|,

    lowers that energy: a cell held at its total strain would return exactly to tau_c, and neighbours that
    give way only lessen the drop of tau, whose slope P in the slip thus obeys 0 <= P <= C44 (proximal
    gradient with step 1 / C44; Parikh and Boyd, Found. Trends Optim. 1, 127, 2014).

    Args:
        orientation: (n_cells, 3, 3) crystal axes as columns.
        shear_modulus: C44, Pa.
        critical_stress: tau_c (n_cells,), Pa; infinite where nothing glides.
        cell_area: (n_cells,), m2.
    """

    def __init__(
        self, orientation: Floats, shear_modulus: float, critical_stress: Floats, cell_area: Floats
    ) -> None:
        self.cells: Ints = np.flatnonzero(np.isfinite(critical_stress))
        self.shear_modulus = shear_modulus
        self.critical = critical_stress[self.cells]
        self.area = cell_area[self.cells]
        self.n_cells = len(orientation)
        to_crystal = stress_bond(np.swapaxes(orientation[self.cells], 1, 2))
        self._resolver = np.ascontiguousarray(to_crystal[:, [ALONG_BC, ALONG_AC]])

    def none(self) -> Floats:
        """The slip (n_gliding, 2) of a crystal that has not glided."""
        return np.zeros((len(self.cells), 2))

    def strain(self, slip: Floats) -> Floats:
        """Eigenstrain (n_cells, 6) of a slip, laboratory frame, the transpose of `resolved`."""
        strain = np.zeros((self.n_cells, 6))
        strain[self.cells] = np.einsum("ckv,ck->cv", self._resolver, slip)
        return strain

    def resolved(self, stress: Floats) -> Floats:
        """Shear traction (n_gliding, 2) on the basal planes, Pa, of a stress (n_cells, 6)."""
        return np.einsum("ckv,cv->ck", self._resolver, stress[self.cells])

    def improved(self, slip: Floats, slip_n: Floats, stress: Floats) -> Floats:
        """One proximal step: the next guess of slip, from the stress (n_cells, 6) in equilibrium with it."""
        foreseen = self.resolved(stress) + self.shear_modulus * (slip - slip_n)
        size = np.linalg.norm(foreseen, axis=1)
        increment = np.maximum(size - self.critical, 0.0) / self.shear_modulus
        return slip_n + (increment / np.where(size > 0, size, 1.0))[:, None] * foreseen

    def work(self, stress: Floats, stress_n: Floats, increment: Floats) -> float:
        """Plastic work of a step, J/m, by the trapezoidal rule between the stresses at its ends."""
        mean = self.resolved(stress_n + stress) / 2
        return float(self.area @ np.einsum("ck,ck->c", mean, increment))
