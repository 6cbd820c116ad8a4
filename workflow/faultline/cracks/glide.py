"""Glide of the layers over each other in the bulk: slip on basal planes as an evolving eigenstrain."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import KDTree

from faultline.cracks.law import Floats, Ints
from faultline.crystal import stress_bond
from faultline.materials.material import GlideSoftening
from faultline.microstructure.particle import Particle

ALONG_BC, ALONG_AC = 3, 4
STACK = 3.0  # reach of a neighbourhood across the layers over that along them
OVERSHOOT = 2.0  # weight of the neighbourhood against 1 - OVERSHOOT of the cell itself


@dataclass(frozen=True)
class Softening:
    """Resistance to glide that falls as 1 / (1 + g / half_slip) with the slip g about a cell.

    Layers under compression that have glided are tilted, and tilted layers glide more easily; small strains
    do not hold that, so it is put into the resistance. It goes with the slip that there is, not with all that
    was: gliding back tilts the layers back.

    Slip that softens where it is would gather in a band as thin as the mesh. So g = max(m <g> - (m - 1) g, 0)
    with the mean <g> over the same grain within a radius R, weighted by (1 - r^2 / R^2)^2, and m = 2: the
    over-nonlocal softening of Vermeer and Brinkgreve (1994), whose bands have a width of their own, near R,
    where m > 1 (Jirasek and Rolshoven, Int. J. Eng. Sci. 41, 1553, 2003). A layer tilts with those above and
    below, so the mean reaches STACK times as far across the layers (an estimate, 2 to 5): slip then gathers
    in kink bands, across the layers, where small strains alone would allow bands along them as well.

    Attributes:
        half_slip: at which half of the resistance is left.
        mean: (n_gliding, n_gliding) of a neighbourhood; rows sum to one.
    """

    half_slip: float
    mean: sp.csr_array

    @classmethod
    def on(cls, particle: Particle, gliding: NDArray[np.bool_], law: GlideSoftening) -> "Softening":
        """Of the gliding cells (n_cells,) of a particle."""
        cells = np.flatnonzero(gliding)
        order, means = [], []
        for grain in np.unique(particle.grain[cells]):
            own = np.flatnonzero(particle.grain[cells] == grain)
            normal = particle.orientation[grain, :2, 2]
            place = _pressed(particle.cell_centroid[cells[own]], normal)
            order.append(own)
            means.append(_neighbourhood_mean(place, particle.cell_area[cells[own]], law.length))
        place_of = np.argsort(np.concatenate(order)) if order else np.zeros(0, dtype=int)
        mean = sp.csr_array(sp.block_diag(means)) if means else sp.csr_array((0, 0))
        return cls(law.half_slip, sp.csr_array(mean[place_of][:, place_of]))

    def share_left(self, slip: Floats) -> Floats:
        """Resistance (n_gliding,) over that of layers that have not glided, at a slip (n_gliding, 2)."""
        size = np.linalg.norm(slip, axis=1)
        about = np.maximum(OVERSHOOT * (self.mean @ size) - (OVERSHOOT - 1) * size, 0.0)
        return 1 / (1 + about / self.half_slip)


def _pressed(points: Floats, normal: Floats) -> Floats:
    """Points (n, 2) of a grain, m, closer by the factor 1 / STACK along the normal (2,) of its layers.

    A normal that leaves the section counts with its part in it: |d|^2 - (1 - 1 / STACK^2) (d . c)^2.
    """
    size = float(np.linalg.norm(normal))
    if size == 0:
        return points
    unit = normal / size
    shrink = 1 - np.sqrt(1 - (1 - STACK**-2) * size**2)
    return points - shrink * (points @ unit)[:, None] * unit


def _neighbourhood_mean(points: Floats, area: Floats, radius: float) -> sp.csr_array:
    """Mean (n, n) over what lies within `radius` of points (n, 2), m, weighted by area and distance."""
    tree = KDTree(points)
    near = tree.sparse_distance_matrix(tree, radius, output_type="coo_matrix")
    weight = (1 - (near.data / radius) ** 2) ** 2 * area[near.col]
    matrix = sp.csr_array((weight, (near.row, near.col)), shape=(len(points), len(points)))
    return sp.csr_array(sp.diags_array(1 / matrix.sum(axis=1)) @ matrix)


class BasalGlide:
    """Plastic slip on the basal plane, in any direction within it; perfectly plastic unless it softens.

    The state is `slip` (n_gliding, 2): the engineering shears bc and ac of the cells that can glide. In a
    time step from `slip_n` to `slip` it obeys |tau| <= tau_c and slip - slip_n along tau where |tau| = tau_c,
    which minimises a convex incremental energy. One proximal step from any guess,

        tau* = tau + C44 (slip - slip_n),   slip' = slip_n + max(|tau*| - tau_c, 0) / C44  tau* / |tau*|,

    lowers that energy: a cell held at its total strain would return exactly to tau_c, and neighbours that
    give way only lessen the drop of tau, whose slope P in the slip thus obeys 0 <= P <= C44 (proximal
    gradient with step 1 / C44; Parikh and Boyd, Found. Trends Optim. 1, 127, 2014).

    Layers that soften do so between steps: tau_c of a step is that of the slip from which it starts. The step
    stays convex, and the softening lags by one, an error of first order in the step.

    Args:
        orientation: (n_cells, 3, 3) crystal axes as columns.
        shear_modulus: C44 (n_cells,) or of all cells, Pa.
        critical_stress: tau_c (n_cells,) before any slip, Pa; infinite where nothing glides.
        cell_area: (n_cells,), m2.
        softening: of the cells that can glide; None for none.
    """

    def __init__(
        self,
        orientation: Floats,
        shear_modulus: Floats | float,
        critical_stress: Floats,
        cell_area: Floats,
        softening: Softening | None = None,
    ) -> None:
        self.cells: Ints = np.flatnonzero(np.isfinite(critical_stress))
        self.stiffest = float(np.max(shear_modulus))
        self.shear_modulus = np.broadcast_to(shear_modulus, critical_stress.shape)[self.cells]
        self.critical = critical_stress[self.cells]
        self.softening = softening
        self.area = cell_area[self.cells]
        self.n_cells = len(orientation)
        self.orientation = orientation
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

    def distortion(self, slip: Floats) -> Floats:
        """Plastic distortion s (x) c of a slip (n_cells, 3, 3): s = gamma_bc b + gamma_ac a, lab frame."""
        a, b, c = (self.orientation[self.cells, :, k] for k in range(3))
        along = slip[:, :1] * b + slip[:, 1:] * a
        distortion = np.zeros((self.n_cells, 3, 3))
        distortion[self.cells] = along[:, :, None] * c[:, None, :]
        return distortion

    def resistance(self, slip: Floats) -> Floats:
        """Critical stress (n_gliding,), Pa, of layers with a slip (n_gliding, 2)."""
        return self.critical if self.softening is None else self.critical * self.softening.share_left(slip)

    def resolved(self, stress: Floats) -> Floats:
        """Shear traction (n_gliding, 2) on the basal planes, Pa, of a stress (n_cells, 6)."""
        return np.einsum("ckv,cv->ck", self._resolver, stress[self.cells])

    def improved(self, slip: Floats, slip_n: Floats, stress: Floats) -> Floats:
        """One proximal step: the next guess of slip, from the stress (n_cells, 6) in equilibrium with it."""
        foreseen = self.resolved(stress) + self.shear_modulus[:, None] * (slip - slip_n)
        size = np.linalg.norm(foreseen, axis=1)
        increment = np.maximum(size - self.resistance(slip_n), 0.0) / self.shear_modulus
        return slip_n + (increment / np.where(size > 0, size, 1.0))[:, None] * foreseen

    def work(self, stress: Floats, stress_n: Floats, increment: Floats) -> float:
        """Plastic work of a step, J/m, by the trapezoidal rule between the stresses at its ends."""
        mean = self.resolved(stress_n + stress) / 2
        return float(self.area @ np.einsum("ck,ck->c", mean, increment))
