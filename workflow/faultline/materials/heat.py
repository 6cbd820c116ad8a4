"""Oxygen release of the charged oxide in heat: rock salt, pores and contraction.

A share f of each cell turns to rock salt, first order in what is left, the faster the more alkali is gone,

    df/dt = (1 - f) / tau exp(-Ea/R (1/T - 1/T_ref)) max(1 - x / x_stable, 0).

AxMO2 becomes (AxM)O(1+x) and (1 - x)/2 O2. Rock salt of one formula unit has two cation sites and fills 1 + x
of them, so the same (1 - x)/2 is the share of its volume that stays empty: `pore_collapse` of it the solid
closes by contracting, the rest are pores.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT

from faultline.config.models import HeatSettings
from faultline.crystal import rotate_strain

Array = NDArray[np.float64]

MOST_ROCK_SALT = 0.999  # the rest stays layered: a cell that holds no alkali that moves has no potential


@dataclass(frozen=True)
class Heat:
    """Constants of the release; names and units as in the material's `heat` block (SI)."""

    release_time: float
    reference_temperature: float
    activation_energy: float
    stable_site_fraction: float
    pore_collapse: float
    rock_salt_strain_ab: float
    rock_salt_strain_c: float

    @classmethod
    def from_settings(cls, settings: HeatSettings) -> "Heat":
        """Values without their sources."""
        return cls(**{field.name: getattr(settings, field.name).value for field in fields(cls)})

    def rate(self, site_fraction: ArrayLike, temperature: float) -> Array:
        """(n,) 1/s at which what is left turns to rock salt, from x (n,) and K."""
        unstable = np.maximum(1 - np.asarray(site_fraction, dtype=float) / self.stable_site_fraction, 0.0)
        inverse = 1 / temperature - 1 / self.reference_temperature
        return unstable / self.release_time * np.exp(-self.activation_energy / GAS_CONSTANT * inverse)


@dataclass(frozen=True)
class HeatState:
    """(n_cells,) each: share of rock salt, and of the volume that oxygen vacated.

    `vacated` is also the released oxygen, in O2 per formula unit.
    """

    rock_salt: Array
    vacated: Array

    @property
    def alkali(self) -> Array:
        """(n_cells,) alkali per formula unit of the cell that rock salt holds.

        Each part keeps the x that it had: sum(x df), which follows from the vacated sum((1 - x) df) / 2.
        """
        return self.rock_salt - 2 * self.vacated


def fresh(n_cells: int) -> HeatState:
    """Oxide that has seen no heat."""
    return HeatState(np.zeros(n_cells), np.zeros(n_cells))


def advance(
    state: HeatState, heat: Heat, site_fraction: ArrayLike, temperature: float, time: float
) -> HeatState:
    """The state after `time` (s) at `temperature` (K) with alkali x (n_cells,), which stays as it is."""
    x = np.asarray(site_fraction, dtype=float)
    turned = (1 - state.rock_salt) * -np.expm1(-heat.rate(x, temperature) * time)
    turned = np.clip(turned, 0.0, np.maximum(MOST_ROCK_SALT - state.rock_salt, 0.0))
    return HeatState(state.rock_salt + turned, state.vacated + turned * (1 - x) / 2)


def pore_fraction(state: HeatState, heat: Heat) -> Array:
    """(n_cells,) share of the volume that is pores."""
    return (1 - heat.pore_collapse) * state.vacated


def contraction_strain(
    state: HeatState, heat: Heat, lattice_strain: Array, orientation: NDArray[np.float64]
) -> Array:
    """(n_cells, 6) stress-free strain that heat adds to the lattice strain, engineering Voigt, lab frame.

    Args:
        state: after the heat.
        heat: constants.
        lattice_strain: (n_cells, 3) along a, b and c at the present composition, against the pristine
            lattice as `rock_salt_strain_ab` and `_c` are.
        orientation: (n_cells, 3, 3) crystal axes as columns.
    """
    rock_salt = np.array([heat.rock_salt_strain_ab, heat.rock_salt_strain_ab, heat.rock_salt_strain_c])
    exchanged = state.rock_salt[:, None] * (rock_salt - lattice_strain)
    closed = heat.pore_collapse * state.vacated / 3
    return rotate_strain(exchanged - closed[:, None], orientation)
